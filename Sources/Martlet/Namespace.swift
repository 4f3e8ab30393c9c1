import MartletStorage

#if canImport(Dispatch)
    import Dispatch
#endif

/// A row that an append refused; the rows beside it were kept.
public struct RejectedAppend: Sendable {
    /// The index of the `Row`, or of the row within its `TableBatch`.
    public let row: Int
    /// The index of the `TableBatch`; 0 where rows were appended.
    public let batch: Int
    /// Why.
    public let error: MartletError
}

/// What became of an append.
public struct AppendResult: Sendable {
    /// Rows that were taken.
    public let accepted: Int
    /// Rows that were refused, each with its reason.
    public let rejected: [RejectedAppend]
    /// The commit's number in its namespace; later commits have greater ones.
    public let commit: UInt64
    /// Whether the rows had reached the disk when the append returned.
    public let isDurable: Bool
}

/// One tenant's tables: where rows go and questions are asked. Cheap to copy; callable from any thread.
public struct Namespace: Sendable {
    /// The name.
    public let name: String
    private let database: Database
    package let engine: any NamespaceEngine

    package init(name: String, database: Database, engine: any NamespaceEngine) {
        self.name = name
        self.database = database
        self.engine = engine
    }

    // MARK: Appending

    /// Appends rows and waits until they are as durable as the database promises. For a value now and then; with many
    /// rows at hand build batches. Rows of several threads share one write.
    ///
    /// - Throws: `.invalidArgument` or `.typeConflict` when the rows contradict themselves (nothing is appended then),
    ///   `.storageFull`, `.readOnly`, `.closed` or `.io`. A conflict with the stored type refuses that row alone.
    @discardableResult
    public func append(_ rows: [Row]) throws(MartletError) -> AppendResult {
        let collected = try RowCollector.collect(rows, now: engine.clock.now())
        return Self.result(try engine.append(collected.batches), sources: collected.sources)
    }

    /// Appends batches and waits until they are as durable as the database promises.
    ///
    /// A batch has one `.time` column, `.tag` columns or one `.series` column, and `.field` columns; a null field is
    /// absent from its row. Missing tables and columns are made.
    ///
    /// - Throws: `.invalidArgument` for a batch of another shape, `.storageFull`, `.readOnly`, `.closed` or `.io`.
    /// - Complexity: O(rows x columns); no allocation per row.
    @discardableResult
    public func append(_ batches: [TableBatch]) throws(MartletError) -> AppendResult {
        Self.result(try engine.append(batches), sources: nil)
    }

    /// Like `append(_:)` of rows, without blocking the thread while the disk works.
    @discardableResult
    public func append(_ rows: [Row]) async throws -> AppendResult {
        let collected = try RowCollector.collect(rows, now: engine.clock.now())
        return Self.result(try await submit(collected.batches), sources: collected.sources)
    }

    /// Like `append(_:)` of batches, without blocking the thread while the disk works.
    @discardableResult
    public func append(_ batches: [TableBatch]) async throws -> AppendResult {
        Self.result(try await submit(batches), sources: nil)
    }

    private func submit(_ batches: [TableBatch]) async throws -> AppendOutcome {
        try await withCheckedThrowingContinuation { continuation in
            engine.append(batches) { continuation.resume(with: $0) }
        }
    }

    private static func result(_ outcome: AppendOutcome, sources: [[Int]]?) -> AppendResult {
        let rejected = outcome.rejected.map { refusal in
            RejectedAppend(
                row: sources.map { $0[refusal.batch][refusal.row] } ?? refusal.row,
                batch: sources == nil ? refusal.batch : 0, error: refusal.error)
        }
        return AppendResult(
            accepted: outcome.accepted, rejected: rejected, commit: outcome.commit, isDurable: outcome.isDurable)
    }

    // MARK: Asking

    /// Runs a statement; the result's batches are computed as they are asked for. `parameters` are the values of `$1`,
    /// `$2`, ... or of each `?` in turn: the way to put a stranger's text into a statement.
    ///
    /// - Throws: `.syntax` or `.semantic` with the place in the text; `.notFound`; what the statement itself throws.
    @discardableResult
    public func query(_ sql: String, _ parameters: FieldValue?...) throws(MartletError) -> QueryResult {
        try database.queries.execute(sql, namespace: name, parameters: parameters)
    }

    /// Runs a statement and decodes all rows of its result, each property from the column of its name.
    ///
    /// - Throws: as `query(_:)`, and `.typeConflict` when a value does not fit its property.
    public func query<Row: Decodable>(
        _ sql: String, _ parameters: FieldValue?..., as type: Row.Type
    ) throws(MartletError) -> [Row] {
        let result = try database.queries.execute(sql, namespace: name, parameters: parameters)
        var rows: [Row] = []
        while let batch = try result.next() { rows += try RowDecoder().decode(type, from: batch) }
        return rows
    }

    /// Runs a statement away from the calling task's thread; iterate the batches with `for try await`. A batch is
    /// computed when it is asked for; cancelling the task cancels the query.
    public func batches(_ sql: String, _ parameters: FieldValue?...) -> QueryBatches {
        QueryBatches { try database.queries.execute(sql, namespace: name, parameters: parameters) }
    }

    /// Seals what is hot, merges what is to be merged, and so removes the bytes of deleted and overwritten rows.
    public func compact() throws(MartletError) { try engine.compact() }
}

/// The batches of a query's result, computed off the calling thread.
public struct QueryBatches: AsyncSequence, Sendable {
    /// The element type.
    public typealias Element = RecordBatch
    private let start: @Sendable () throws -> QueryResult

    init(start: @escaping @Sendable () throws -> QueryResult) { self.start = start }

    /// Starts the query.
    public func makeAsyncIterator() -> Iterator { Iterator(start: start) }

    /// Runs the query step by step.
    public struct Iterator: AsyncIteratorProtocol {
        private let start: @Sendable () throws -> QueryResult
        private var result: QueryResult?

        init(start: @escaping @Sendable () throws -> QueryResult) { self.start = start }

        /// The next batch, or `nil` at the end.
        public mutating func next() async throws -> RecordBatch? {
            let current: QueryResult
            if let result {
                current = result
            } else {
                let start = start
                current = try await BlockingWork.run { try start() }
                result = current
            }
            return try await withTaskCancellationHandler {
                try await BlockingWork.run { try current.next() }
            } onCancel: {
                current.cancel()
            }
        }
    }
}

/// Runs work that blocks on a thread that is not Swift concurrency's.
enum BlockingWork {
    static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
