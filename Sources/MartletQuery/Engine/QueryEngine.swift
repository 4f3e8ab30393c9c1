import MartletModel
import MartletStorage

/// Runs SQL over namespaces.
public final class QueryEngine: Sendable {
    let directory: any NamespaceDirectory
    let memory: MemoryBudget?
    /// The limits that hold unless a call says otherwise.
    public let options: QueryOptions

    /// An engine over the namespaces of `directory`. Each query's memory is a share of `memory`, where that is given.
    package init(
        directory: any NamespaceDirectory, options: QueryOptions = QueryOptions(), memory: MemoryBudget? = nil
    ) {
        self.directory = directory
        self.memory = memory
        self.options = options
    }

    /// Runs one statement.
    ///
    /// Queries run as their result is pulled. Statements that change something have done so when this returns, and
    /// their result is one row that says what was done.
    ///
    /// - Parameters:
    ///   - sql: One statement; a semicolon may end it.
    ///   - namespace: The namespace whose tables it sees.
    ///   - parameters: The values of `$1`, `$2`, ... or of each `?` in turn.
    ///   - options: Limits for this statement; by default the engine's.
    /// - Throws: `.syntax` and `.semantic` with the place in the text; `.notFound` for an unknown table or namespace;
    ///   what storage throws.
    public func execute(
        _ sql: String, namespace: String = "default", parameters: [FieldValue?] = [], options: QueryOptions? = nil
    ) throws(MartletError) -> QueryResult {
        let options = options ?? self.options
        let source = SourceText(sql)
        let (statement, _) = try Parser.statement(in: source)
        let engine = try directory.namespace(namespace)
        let query = QueryContext(
            memory: MemoryBudget(limit: max(1, options.memoryLimit), parent: memory), clock: engine.clock,
            timeout: statement.isTimed ? options.timeout : nil)
        let context = StatementContext(
            source: source, options: options, parameters: parameters, directory: directory, namespace: engine,
            query: query)
        let root = try StatementRunner(context).run(statement)
        return QueryResult(
            root, query: query, maximumRows: statement.isTimed ? options.maximumRows : nil, context: context)
    }
}
