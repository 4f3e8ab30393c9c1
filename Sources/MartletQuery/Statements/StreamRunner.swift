import MartletModel

/// Statements on continuous queries, detectors and alerts.
struct StreamRunner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ statement: StreamStatement) throws(MartletError) -> Operator {
        guard let host = context.streams else {
            throw MartletError(
                .unsupported, "nothing runs continuous queries, detectors and alerts here",
                at: context.source.location(0),
                hint: "they belong to the process that writes the directory: open it for writing, or ask the daemon")
        }
        let answer = try context.located(at: 0) { () throws(MartletError) in
            try host.run(statement, namespace: context.namespace.name) { () throws(MartletError) in
                try context.query.check()
            }
        }
        let first = try RowsPlan.of("streams", answer.columns, answer.rows)
        guard let more = answer.more else { return RowsOperator(first, context: context) }
        return EndlessRowsOperator(first, more: more, context: context)
    }
}

/// Rows that come as they are made, until the statement is cancelled.
final class EndlessRowsOperator: Operator {
    private var first: Rows?
    private let more: @Sendable (QueryCancellation) throws(MartletError) -> RecordBatch?

    init(
        _ first: RowsPlan, more: @escaping @Sendable (QueryCancellation) throws(MartletError) -> RecordBatch?,
        context: StatementContext
    ) {
        self.first = first.rows.count > 0 ? first.rows : nil
        self.more = more
        super.init(columns: first.columns, context: context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if let first {
            self.first = nil
            return first
        }
        let query = context.query
        return try more { () throws(MartletError) in try query.check() }.map {
            Rows(count: $0.rowCount, columns: $0.columns)
        }
    }

    override var title: String { "Subscription" }
}
