import MartletModel

/// An aggregate over the frame of each row.
///
/// Counts, sums, means and extremes of numbers go through running totals or a segment tree (Leis et al., Efficient
/// Processing of Window Functions in Analytical SQL Queries, VLDB 2015), which needs no inverse and so neither drifts
/// nor trips over infinities. Other aggregates see the rows of each distinct frame.
struct WindowAggregate {
    private let aggregate: BoundAggregate
    private let frames: WindowFrames
    private let layout: WindowLayout
    private let context: StatementContext

    init(
        _ aggregate: BoundAggregate, _ frames: WindowFrames, _ layout: WindowLayout, context: StatementContext
    ) {
        self.aggregate = aggregate
        self.frames = frames
        self.layout = layout
        self.context = context
    }

    func evaluate(_ rows: Rows, _ arguments: [Column]) throws(MartletError) -> Column {
        if aggregate.filter == nil && aggregate.order.isEmpty {
            if aggregate.isCountOfRows { return count(nil, rows.count) }
            if arguments.count == 1 {
                switch (aggregate.name, arguments[0].type, aggregate.type) {
                case ("count", _, _): return count(arguments[0], rows.count)
                case ("sum", .float64, .float64), ("avg", .float64, .float64):
                    return floats(arguments[0]) {
                        $0 + $1
                    } finish: { total, count in
                        aggregate.name == "avg" ? total / Double(count) : total
                    }
                case ("min", .float64, _): return floats(arguments[0]) { FloatOrder.less($1, $0) ? $1 : $0 }
                case ("max", .float64, _): return floats(arguments[0]) { FloatOrder.less($0, $1) ? $1 : $0 }
                case ("min", .int64, _), ("min", .timestamp, _): return try integers(arguments[0]) { min($0, $1) }
                case ("max", .int64, _), ("max", .timestamp, _): return try integers(arguments[0]) { max($0, $1) }
                case ("sum", .int64, .int64): return try integers(arguments[0]) { $0 + $1 }
                case ("avg", .int64, .float64):
                    let wide = try ColumnKernels.cast(arguments[0], to: .float64)
                    return floats(wide) {
                        $0 + $1
                    } finish: {
                        $0 / Double($1)
                    }
                default: break
                }
            }
        }
        return try general(rows)
    }

    // MARK: Counts

    /// Valid rows before each row.
    private func validBefore(_ column: Column?, _ count: Int) -> [Int32] {
        var before: [Int32] = []
        before.reserveCapacity(count + 1)
        var seen: Int32 = 0
        for row in 0..<count {
            before.append(seen)
            if column?.isValid(row) ?? true { seen += 1 }
        }
        before.append(seen)
        return before
    }

    private func count(_ column: Column?, _ count: Int) -> Column {
        let before = validBefore(column, count)
        let values = (0..<count).map { Int64(before[Int(frames.end[$0])] - before[Int(frames.start[$0])]) }
        return Column(.int64, unsafeElements: values)
    }

    // MARK: Numbers

    private func floats(
        _ column: Column, _ combine: (Double, Double) -> Double, finish: (Double, Int) -> Double = { value, _ in value }
    ) -> Column {
        withExtendedLifetime(column) {
            let source = column.values.pointer(to: Double.self)
            let totals = FrameTotals(column, frames) { source[$0] }
            var values = MutableBuffer(capacity: column.count * 8)
            var validity = BitmapBuilder(capacity: column.count)
            totals.forEach(combine) { total, count in
                values.append(total.map { finish($0, count) } ?? 0)
                validity.append(total != nil)
            }
            let nulls = validity.clearCount
            return Column(
                type: .float64, count: column.count, nullCount: nulls, validity: validity.finish(),
                values: values.finish())
        }
    }

    private func integers(_ column: Column, _ combine: (Int128, Int128) -> Int128) throws(MartletError) -> Column {
        var values = MutableBuffer(capacity: column.count * 8)
        var validity = BitmapBuilder(capacity: column.count)
        var hasOverflow = false
        withExtendedLifetime(column) {
            let source = column.values.pointer(to: Int64.self)
            let totals = FrameTotals(column, frames) { Int128(source[$0]) }
            totals.forEach(combine) { total, _ in
                let value = total.map { Int64(exactly: $0) } ?? 0
                if value == nil { hasOverflow = true }
                values.append(value ?? 0)
                validity.append(total != nil)
            }
        }
        if hasOverflow {
            throw MartletError(
                .outOfRange, "\(aggregate.name) is beyond the range of BIGINT", hint: "CAST the argument to DOUBLE")
        }
        let nulls = validity.clearCount
        return Column(
            type: column.type, count: column.count, nullCount: nulls, validity: validity.finish(),
            values: values.finish())
    }

    // MARK: Everything else

    /// Feeds the rows of each distinct frame to an accumulator of its own; neighbours with equal frames share one.
    private func general(_ rows: Rows) throws(MartletError) -> Column {
        let lease = MemoryLease(context.query.memory, purpose: "a window function")
        let state = try AggregateState([aggregate], context: context, lease: lease)
        var groupOfRow = [Int32](repeating: 0, count: rows.count)
        var groupCount = 0
        var indices: [Int32] = []
        var groups: [UInt32] = []
        var last: (Int32, Int32)?
        func flush() throws(MartletError) {
            try context.query.check()
            let part = rows.taking(indices)
            try groups.withUnsafeBufferPointer { (groups) throws(MartletError) in
                if let base = groups.baseAddress { try state.add(part, groups: base, groupCount: groupCount) }
            }
            indices.removeAll(keepingCapacity: true)
            groups.removeAll(keepingCapacity: true)
        }
        for row in 0..<rows.count {
            let frame = (frames.start[row], frames.end[row])
            if last.map({ $0 != frame }) ?? true {
                last = frame
                groupCount += 1
                for index in frame.0..<frame.1 {
                    indices.append(index)
                    groups.append(UInt32(groupCount - 1))
                    if indices.count == maximumBatchRows { try flush() }
                }
            }
            groupOfRow[row] = Int32(groupCount - 1)
        }
        if !indices.isEmpty { try flush() }
        return ColumnKernels.take(try state.finish(groupCount: groupCount)[0], groupOfRow)
    }
}

/// Totals of an associative operation over frames of a column's valid values.
private struct FrameTotals<Value> {
    private let frames: WindowFrames
    private let count: Int
    private let values: [Value?]
    private let before: [Int32]

    init(_ column: Column, _ frames: WindowFrames, _ value: (Int) -> Value) {
        self.frames = frames
        count = column.count
        var values: [Value?] = []
        var before: [Int32] = []
        values.reserveCapacity(count)
        before.reserveCapacity(count + 1)
        var seen: Int32 = 0
        for row in 0..<count {
            before.append(seen)
            let isValid = column.isValid(row)
            values.append(isValid ? value(row) : nil)
            if isValid { seen += 1 }
        }
        before.append(seen)
        self.values = values
        self.before = before
    }

    /// Calls `body` for each row with its frame's total (`nil` for no values) and number of values.
    func forEach(_ combine: (Value, Value) -> Value, _ body: (Value?, Int) -> Void) {
        func merged(_ left: Value?, _ right: Value?) -> Value? {
            guard let left else { return right }
            guard let right else { return left }
            return combine(left, right)
        }
        var tree: [Value?]?
        var running: (start: Int32, end: Int32, total: Value?) = (-1, -1, nil)
        for row in 0..<count {
            let start = frames.start[row]
            let end = frames.end[row]
            let valid = Int(before[Int(end)] - before[Int(start)])
            if valid == 0 {
                body(nil, 0)
                continue
            }
            if start == running.start && end >= running.end {
                // The frame only grew at its end.
                for index in running.end..<end { running.total = merged(running.total, values[Int(index)]) }
                running.end = end
                body(running.total, valid)
                continue
            }
            if end - start <= 32 {
                var total: Value?
                for index in start..<end { total = merged(total, values[Int(index)]) }
                running = (start, end, total)
                body(total, valid)
                continue
            }
            if tree == nil { tree = Self.makeTree(values, merged) }
            let total = Self.query(tree ?? [], count, Int(start), Int(end), merged)
            running = (start, end, total)
            body(total, valid)
        }
    }

    /// Leaves from `count` on; node `i` covers nodes `2i` and `2i + 1`.
    private static func makeTree(_ values: [Value?], _ merged: (Value?, Value?) -> Value?) -> [Value?] {
        var tree = [Value?](repeating: nil, count: values.count) + values
        for node in stride(from: values.count - 1, to: 0, by: -1) {
            tree[node] = merged(tree[2 * node], tree[2 * node + 1])
        }
        return tree
    }

    private static func query(
        _ tree: [Value?], _ count: Int, _ start: Int, _ end: Int, _ merged: (Value?, Value?) -> Value?
    ) -> Value? {
        var left = start + count
        var right = end + count
        var fromLeft: Value?
        var fromRight: Value?
        while left < right {
            if left & 1 == 1 {
                fromLeft = merged(fromLeft, tree[left])
                left += 1
            }
            if right & 1 == 1 {
                right -= 1
                fromRight = merged(tree[right], fromRight)
            }
            left /= 2
            right /= 2
        }
        return merged(fromLeft, fromRight)
    }
}
