import MartletModel

/// Window functions: sorts the whole input by partition and order, then computes each call over the sorted rows.
///
/// Calls of one partition and order share a sort; the rows come out in the order of the first.
final class WindowOperator: Operator {
    private let input: Operator
    private let windows: [BoundWindow]
    private let lease: MemoryLease
    private var result: Rows?
    private var position = 0

    init(_ input: Operator, _ windows: [BoundWindow], _ columns: [ColumnDescription]) {
        self.input = input
        self.windows = windows
        lease = MemoryLease(input.context.query.memory, purpose: "a window function")
        super.init(columns: columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if result == nil { result = try run() }
        guard let result, position < result.count else { return nil }
        let end = min(result.count, position + maximumBatchRows)
        defer { position = end }
        return result.slice(position..<end)
    }

    private func run() throws(MartletError) -> Rows {
        var parts: [Rows] = []
        var bytes = 0
        var count = 0
        while let rows = try input.next() {
            parts.append(rows)
            count += rows.count
            bytes += rows.memoryFootprint
            try lease.set(bytes)
        }
        if parts.isEmpty { return .none }
        // The sorted copy, the frames, and one result of 8 bytes a row per call.
        try lease.grow(by: bytes + count * (24 + 8 * windows.count))
        var rows = try Rows.concatenated(parts, types: input.types)
        parts = []
        var results = [Column?](repeating: nil, count: windows.count)
        var isFirst = true
        for lead in windows.indices where results[lead] == nil {
            let members = windows.indices.filter { results[$0] == nil && windows[$0].sharesOrder(with: windows[lead]) }
            let order = try sortedRows(rows, windows[lead])
            let sorted = rows.taking(order)
            let layout = try WindowLayout(sorted, windows[lead], context: context)
            var inverse: [Int32] = []
            if isFirst {
                rows = sorted
            } else {
                inverse = [Int32](repeating: 0, count: order.count)
                for (place, row) in order.enumerated() { inverse[Int(row)] = Int32(place) }
            }
            for member in members {
                try context.query.check()
                let column = try WindowCall(windows[member], layout, context: context).evaluate(sorted)
                results[member] = isFirst ? column : ColumnKernels.filter(column, inverse)
            }
            isFirst = false
        }
        return Rows(count: rows.count, columns: rows.columns + results.compactMap { $0 })
    }

    private func sortedRows(_ rows: Rows, _ window: BoundWindow) throws(MartletError) -> [Int32] {
        var keys: [Column] = []
        var directions: [SortDirection] = []
        for part in window.partition {
            keys.append(try Evaluator.make(part, context: context.evaluators).evaluate(rows))
            directions.append(SortDirection())
        }
        for key in window.order {
            keys.append(try Evaluator.make(key.expression, context: context.evaluators).evaluate(rows))
            directions.append(SortDirection(descending: key.isDescending, nullsFirst: key.nullsFirst))
        }
        return ColumnKernels.sortedRows(keys, directions, rowCount: rows.count)
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Window" }
    override var details: [String] {
        let names = input.columns.map(\.name)
        return windows.map { window in
            let call =
                switch window.kind {
                case .function(let name), .registered(let name):
                    "\(name)(\(window.arguments.map { ExpressionText.of($0, columns: names) }.joined(separator: ", ")))"
                case .aggregate(let aggregate): ExpressionText.of(aggregate, columns: names)
                }
            var over: [String] = []
            if !window.partition.isEmpty {
                over.append(
                    "PARTITION BY "
                        + window.partition.map { ExpressionText.of($0, columns: names) }.joined(separator: ", "))
            }
            if !window.order.isEmpty {
                over.append(
                    "ORDER BY " + window.order.map { ExpressionText.of($0, columns: names) }.joined(separator: ", "))
            }
            return "\(call) OVER (\(over.joined(separator: " ")))"
        }
    }
}

/// Partitions and peers of sorted rows. Row numbers are places in the sorted order.
struct WindowLayout {
    /// The first row of each partition, and the number of rows at the end.
    let partitions: [Int]
    /// For each row the first row of its group of peers (rows equal in ORDER BY).
    let peerStart: [Int32]
    /// For each row the row after its last peer.
    let peerEnd: [Int32]
    /// The values of the first ORDER BY key.
    let key: Column?

    init(_ rows: Rows, _ window: BoundWindow, context: StatementContext) throws(MartletError) {
        var partitionColumns: [Column] = []
        for part in window.partition {
            partitionColumns.append(try Evaluator.make(part, context: context.evaluators).evaluate(rows))
        }
        var orderColumns: [Column] = []
        for key in window.order {
            orderColumns.append(try Evaluator.make(key.expression, context: context.evaluators).evaluate(rows))
        }
        let count = rows.count
        let samePartition = RowMatcher(partitionColumns, partitionColumns, nullsEqual: true)
        let samePeers = RowMatcher(orderColumns, orderColumns, nullsEqual: true)
        var partitions = [0]
        var starts = [Int32](repeating: 0, count: count)
        var ends = [Int32](repeating: Int32(count), count: count)
        var start = 0
        for row in 1..<max(1, count) {
            let isNewPartition = !samePartition.equal(row - 1, row)
            if isNewPartition { partitions.append(row) }
            if isNewPartition || !samePeers.equal(row - 1, row) {
                for peer in start..<row { ends[peer] = Int32(row) }
                start = row
            }
            starts[row] = Int32(start)
        }
        partitions.append(count)
        self.partitions = partitions
        peerStart = starts
        peerEnd = ends
        key = orderColumns.first
    }

    /// Calls `body` with the rows of each partition.
    func forEachPartition(_ body: (Range<Int>) throws(MartletError) -> Void) throws(MartletError) {
        for index in 0..<partitions.count - 1 { try body(partitions[index]..<partitions[index + 1]) }
    }
}
