import MartletModel
import MartletStorage
import MartletWire

/// What the wire listener needs of the engine. Called from several threads at once.
package protocol WireBackend: Sendable {
    /// Whether an acknowledged append is on stable storage.
    var acknowledgesDurably: Bool { get }
    /// Queues rows; `completion` runs once they are as durable as the server is set, on any thread.
    ///
    /// - Throws: `.notFound` for an unknown namespace; `completion` is then not called.
    func append(
        _ batches: [TableBatch], namespace: String,
        completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) throws(MartletError)
    /// Plans and starts a statement. May take long; runs on a thread of the listener's pool.
    func query(_ sql: String, namespace: String, limits: WireQueryLimits) throws(MartletError) -> any WireQuery
}

/// Limits that a client asked for; `nil` for the server's own.
package struct WireQueryLimits: Sendable, Hashable {
    /// Nanoseconds.
    package var timeout: Int64?
    /// Bytes.
    package var memory: Int?
    package var rows: Int?

    package init(timeout: Int64? = nil, memory: Int? = nil, rows: Int? = nil) {
        self.timeout = timeout
        self.memory = memory
        self.rows = rows
    }
}

/// A running statement. One caller at a time, from changing threads; `cancel` from any thread at any time.
package protocol WireQuery: AnyObject, Sendable {
    /// Whether `next` waits for rows that are yet to be made.
    var isEndless: Bool { get }
    var schema: [ColumnDescription] { get }
    func next() throws(MartletError) -> RecordBatch?
    func cancel()
    var notices: [String] { get }
}

extension WireQuery {
    package var isEndless: Bool { false }
}
