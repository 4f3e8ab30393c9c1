import MartletModel

/// One window call over sorted rows.
struct WindowCall {
    private let window: BoundWindow
    private let layout: WindowLayout
    private let context: StatementContext

    init(_ window: BoundWindow, _ layout: WindowLayout, context: StatementContext) {
        self.window = window
        self.layout = layout
        self.context = context
    }

    func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        var arguments: [Column] = []
        for argument in window.arguments {
            arguments.append(try Evaluator.make(argument, context: context.evaluators).evaluate(rows))
        }
        switch window.kind {
        case .aggregate(let aggregate):
            let frames = try WindowFrames(window.frame, window, layout)
            return try context.located(at: window.offset) { () throws(MartletError) in
                try WindowAggregate(aggregate, frames, layout, context: context).evaluate(rows, arguments)
            }
        case .function(let name): return try function(name, arguments, count: rows.count)
        case .registered(let name):
            guard let function = context.functions.window(name) else {
                throw MartletError(.internal, "the window function \(name) was bound and is not registered")
            }
            var order: [Column] = []
            for key in window.order {
                order.append(try Evaluator.make(key.expression, context: context.evaluators).evaluate(rows))
            }
            var partitions: [Range<Int>] = []
            try layout.forEachPartition { partitions.append($0) }
            return try context.located(at: window.offset) { () throws(MartletError) in
                try function.evaluate(
                    arguments, constants: window.arguments.map { $0.constantValue ?? nil }, order: order,
                    partitions: partitions,
                    checkpoint: context.query.check)
            }
        }
    }

    private func function(_ name: String, _ arguments: [Column], count: Int) throws(MartletError) -> Column {
        switch name {
        case "row_number": return try integers(count) { row, partition in Int64(row - partition.lowerBound + 1) }
        case "rank":
            return try integers(count) { row, partition in Int64(Int(layout.peerStart[row]) - partition.lowerBound + 1)
            }
        case "dense_rank":
            var rank: Int64 = 0
            return try integers(count) { row, partition in
                if row == partition.lowerBound { rank = 0 }
                if Int(layout.peerStart[row]) == row { rank += 1 }
                return rank
            }
        case "percent_rank":
            return try floats(count) { row, partition in
                let others = partition.count - 1
                return others == 0 ? 0 : Double(Int(layout.peerStart[row]) - partition.lowerBound) / Double(others)
            }
        case "cume_dist":
            return try floats(count) { row, partition in
                Double(Int(layout.peerEnd[row]) - partition.lowerBound) / Double(partition.count)
            }
        case "ntile":
            guard case .constant(.int64(let buckets)?, _) = window.arguments[0] else { break }
            return try integers(count) { row, partition in
                Self.tile(row - partition.lowerBound, of: partition.count, buckets: Int(clamping: buckets))
            }
        case "lag", "lead": return try shifted(arguments, count: count, forward: name == "lead")
        case "first_value", "last_value", "nth_value": return try picked(name, arguments[0], count: count)
        default: break
        }
        throw MartletError(.internal, "the window function \(name) is listed and not built")
    }

    /// The first `rest` buckets hold one row more than the others.
    private static func tile(_ index: Int, of count: Int, buckets: Int) -> Int64 {
        let size = count / buckets
        let rest = count % buckets
        let longer = rest * (size + 1)
        if index < longer { return Int64(index / (size + 1) + 1) }
        return Int64(rest + (index - longer) / max(size, 1) + 1)
    }

    private func integers(_ count: Int, _ body: (Int, Range<Int>) -> Int64) throws(MartletError) -> Column {
        var values: [Int64] = []
        values.reserveCapacity(count)
        try layout.forEachPartition { (partition) throws(MartletError) in
            for row in partition { values.append(body(row, partition)) }
        }
        return Column(.int64, unsafeElements: values)
    }

    private func floats(_ count: Int, _ body: (Int, Range<Int>) -> Double) throws(MartletError) -> Column {
        var values: [Double] = []
        values.reserveCapacity(count)
        try layout.forEachPartition { (partition) throws(MartletError) in
            for row in partition { values.append(body(row, partition)) }
        }
        return Column(.float64, unsafeElements: values)
    }

    // MARK: Values of other rows

    private func shifted(_ arguments: [Column], count: Int, forward: Bool) throws(MartletError) -> Column {
        var distance: Int64 = 1
        if window.arguments.count > 1, case .constant(.int64(let rows)?, _) = window.arguments[1] { distance = rows }
        let step = Int(clamping: forward ? distance : 0 &- distance)
        let value = arguments[0]
        var indices = [Int32](repeating: -1, count: count)
        try layout.forEachPartition { (partition) throws(MartletError) in
            let valid = window.ignoresNulls ? partition.filter { value.isValid($0) } : []
            var before = 0
            for row in partition {
                if window.ignoresNulls {
                    while before < valid.count && valid[before] < row { before += 1 }
                    let isSelf = before < valid.count && valid[before] == row
                    let (place, overflow) = (step < 0 ? before : before + (isSelf ? 0 : -1)).addingReportingOverflow(
                        step)
                    let target = step == 0 ? (isSelf ? before : -1) : place
                    if !overflow, valid.indices.contains(target) { indices[row] = Int32(valid[target]) }
                } else {
                    let (target, overflow) = row.addingReportingOverflow(step)
                    if !overflow, partition.contains(target) { indices[row] = Int32(target) }
                }
            }
        }
        let moved = ColumnKernels.take(value, indices)
        guard arguments.count == 3 else { return moved }
        let choice = indices.map { $0 < 0 ? Int32(1) : 0 }
        return try ColumnKernels.choose([moved, arguments[2]], choice, type: value.type, rowCount: count)
    }

    private func picked(_ name: String, _ value: Column, count: Int) throws(MartletError) -> Column {
        let frames = try WindowFrames(window.frame, window, layout)
        var nth = 1
        if name == "nth_value", case .constant(.int64(let row)?, _) = window.arguments[1] { nth = Int(clamping: row) }
        var indices = [Int32](repeating: -1, count: count)
        // With IGNORE NULLS, places are counted among the rows that hold a value.
        let valid = window.ignoresNulls ? (0..<count).filter { value.isValid($0) }.map { Int32($0) } : []
        var validBefore: [Int32] = []
        if window.ignoresNulls {
            validBefore.reserveCapacity(count + 1)
            var seen: Int32 = 0
            for row in 0..<count {
                validBefore.append(seen)
                if value.isValid(row) { seen += 1 }
            }
            validBefore.append(seen)
        }
        for row in 0..<count {
            let start = Int(window.ignoresNulls ? validBefore[Int(frames.start[row])] : frames.start[row])
            let end = Int(window.ignoresNulls ? validBefore[Int(frames.end[row])] : frames.end[row])
            guard start < end else { continue }
            let place: Int
            switch name {
            case "first_value": place = start
            case "last_value": place = end - 1
            default:
                guard nth <= end - start else { continue }
                place = start + nth - 1
            }
            indices[row] = window.ignoresNulls ? valid[place] : Int32(place)
        }
        return ColumnKernels.take(value, indices)
    }
}
