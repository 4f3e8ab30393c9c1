import MartletModel

/// GROUP BY over any input: numbers the groups through a hash table.
final class HashAggregateOperator: Operator {
    private let input: Operator
    private let plan: AggregatePlan
    private let keys: [Evaluator]
    private var table: GroupTable
    private var results: [Column]?
    private var position = 0
    private let tableLease: MemoryLease

    init(_ input: Operator, _ plan: AggregatePlan) {
        self.input = input
        self.plan = plan
        keys = plan.keys.map { Evaluator.make($0, context: input.context.evaluators) }
        table = GroupTable(types: plan.keys.map(\.columnType))
        tableLease = MemoryLease(input.context.query.memory, purpose: "GROUP BY")
        super.init(columns: plan.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if results == nil { results = try run() }
        guard let results else { return nil }
        let total = plan.keys.isEmpty ? 1 : table.count
        guard position < total else { return nil }
        let range = position..<min(total, position + maximumBatchRows)
        position = range.upperBound
        var columns = plan.keys.isEmpty ? [] : try table.keyColumns(range)
        for column in results { columns.append(ColumnKernels.slice(column, range)) }
        return Rows(count: range.count, columns: columns)
    }

    private func run() throws(MartletError) -> [Column] {
        let state = try AggregateState(
            plan.aggregates, context: context, lease: MemoryLease(context.query.memory, purpose: "GROUP BY"))
        var groups: [UInt32] = []
        while let rows = try input.next() {
            if groups.count < rows.count { groups = [UInt32](repeating: 0, count: max(rows.count, maximumBatchRows)) }
            var columns: [Column] = []
            for key in keys { columns.append(try key.evaluate(rows)) }
            if !keys.isEmpty {
                groups.withUnsafeMutableBufferPointer { groups in
                    if let base = groups.baseAddress { table.assign(columns, rowCount: rows.count, groups: base) }
                }
                try tableLease.set(table.memoryFootprint)
            }
            let count = keys.isEmpty ? 1 : table.count
            try groups.withUnsafeBufferPointer { (groups) throws(MartletError) in
                if let base = groups.baseAddress { try state.add(rows, groups: base, groupCount: count) }
            }
        }
        return try state.finish(groupCount: keys.isEmpty ? 1 : table.count)
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Aggregate" }
    override var details: [String] { plan.details(input.columns) }
}

extension AggregatePlan {
    /// What EXPLAIN says of the aggregation.
    func details(_ input: [ColumnDescription]) -> [String] {
        let names = input.map(\.name)
        var lines: [String] = []
        if !keys.isEmpty {
            lines.append("by " + keys.map { ExpressionText.of($0, columns: names) }.joined(separator: ", "))
        }
        if !aggregates.isEmpty {
            lines.append(aggregates.map { ExpressionText.of($0, columns: names) }.joined(separator: ", "))
        }
        return lines
    }
}
