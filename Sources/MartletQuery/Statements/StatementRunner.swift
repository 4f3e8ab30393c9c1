import MartletModel
import MartletStorage

/// Runs statements of every kind and gives the operator whose rows are the result.
struct StatementRunner {
    let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ statement: StatementSyntax) throws(MartletError) -> Operator {
        switch statement {
        case .query(let query): return try self.operator(for: query)
        case .explain(let inner, let isAnalyze): return try explain(inner, isAnalyze: isAnalyze)
        case .show(let show, let limit): return try ShowRunner(context).run(show, limit: limit)
        case .insert(let table, let columns, let source):
            return try InsertRunner(context).run(table, columns: columns, source: source)
        case .delete(let table, let filter): return try DeleteRunner(context).run(table, filter: filter)
        case .retention(let retention): return try RetentionRunner(context).run(retention)
        case .stream(let stream): return try StreamRunner(context).run(stream)
        case .export(let export): return try ExportRunner(context).run(export)
        default: return try DefinitionRunner(context).run(statement)
        }
    }

    /// A query made ready to run.
    func `operator`(for query: QuerySyntax) throws(MartletError) -> Operator {
        let plan = Optimizer.optimized(try QueryBinder(context).bind(query), context: context)
        return try PhysicalPlanner(context).operator(for: plan)
    }

    private func explain(_ statement: StatementSyntax, isAnalyze: Bool) throws(MartletError) -> Operator {
        guard case .query(let query) = statement else {
            throw MartletError(
                .unsupported, "EXPLAIN takes a query", at: context.source.location(0),
                hint: "EXPLAIN SELECT ..., EXPLAIN ANALYZE SELECT ...")
        }
        context.isProfiling = isAnalyze
        let root = try self.operator(for: query)
        return try ExplainRunner(context).run(root, isAnalyze: isAnalyze)
    }
}

extension StatementContext {
    /// One row that says what a statement did.
    func report(_ columns: [(String, FieldValue?)]) throws(MartletError) -> Operator {
        try table(columns.map { ColumnDescription($0.0, $0.1?.type ?? .string) }, [columns.map(\.1)])
    }

    /// A small table made here.
    func table(_ columns: [ColumnDescription], _ rows: [[FieldValue?]]) throws(MartletError) -> Operator {
        RowsOperator(try RowsPlan.of("result", columns, rows), context: self)
    }
}

extension RowsPlan {
    /// A table of given values.
    static func of(
        _ name: String, _ columns: [ColumnDescription], _ rows: [[FieldValue?]]
    ) throws(MartletError) -> RowsPlan {
        var made: [Column] = []
        for (index, column) in columns.enumerated() { made.append(try Column(column.type, rows.map { $0[index] })) }
        return RowsPlan(name: name, columns: columns, rows: Rows(count: rows.count, columns: made))
    }
}
