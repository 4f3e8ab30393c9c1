import MartletModel
import MartletStorage

/// Everything that one statement is bound and run in.
final class StatementContext {
    let source: SourceText
    let functions: FunctionRegistry
    let evaluators: EvaluatorContext
    let parameters: [FieldValue?]
    let directory: any NamespaceDirectory
    let namespace: any NamespaceEngine
    let query: QueryContext
    /// What EXPORT writes with.
    let exporter: (any Exporter)?
    /// What carries out statements on streams.
    let streams: (any StreamHost)?
    /// What a person should know beside the rows; complete when the result has been drained.
    var notices: [String] = []
    /// Whether operators measure themselves.
    var isProfiling = false
    private var state: (any ReadSnapshot)?

    init(
        source: SourceText, options: QueryOptions, parameters: [FieldValue?], directory: any NamespaceDirectory,
        namespace: any NamespaceEngine, query: QueryContext, now: Timestamp? = nil, snapshot: (any ReadSnapshot)? = nil
    ) {
        state = snapshot
        self.source = source
        self.functions = options.functions
        self.parameters = parameters
        self.directory = directory
        self.namespace = namespace
        self.query = query
        exporter = options.exporter
        streams = options.streams
        evaluators = EvaluatorContext(source: source, evaluation: EvaluationContext(now: now ?? namespace.clock.now()))
    }

    /// Adds a notice, once.
    func notice(_ text: String) {
        if !notices.contains(text) { notices.append(text) }
    }

    /// The one state of the namespace that the whole statement sees.
    func snapshot() throws(MartletError) -> any ReadSnapshot {
        if let state { return state }
        let taken = try namespace.snapshot()
        state = taken
        return taken
    }

    func error(_ code: MartletError.Code, _ message: String, at offset: Int, hint: String? = nil) -> MartletError {
        source.error(code, message, at: offset, hint: hint)
    }

    /// Runs `body` and gives its error, if it has no place, the place `offset`.
    func located<Result>(
        at offset: Int, _ body: () throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        do throws(MartletError) { return try body() } catch { throw source.locate(error, at: offset) }
    }

    /// The table that a possibly qualified name means.
    func schema(of parts: [Name]) throws(MartletError) -> TableSchema {
        let name = parts[parts.count - 1]
        if parts.count == 2, !Scope.same(namespace.name, parts[0]) {
            throw error(
                .unsupported, "'\(parts[0].text)' is not the namespace of this connection, '\(namespace.name)'",
                at: parts[0].offset, hint: "a statement reads the tables of one namespace; connect to the other")
        }
        let snapshot = try snapshot()
        if let schema = snapshot.schema(of: name.text) { return schema }
        let tables = snapshot.tables.map(\.name)
        if !name.isQuoted {
            let folded = tables.filter { $0.lowercased() == name.text.lowercased() }
            if folded.count == 1, let schema = snapshot.schema(of: folded[0]) { return schema }
        }
        throw error(
            .notFound, "there is no table '\(name.text)' in namespace '\(namespace.name)'", at: name.offset,
            hint: Spelling.hint(for: name.text, in: tables))
    }
}
