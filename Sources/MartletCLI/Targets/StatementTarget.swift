import MartletModel

/// Where statements run: a daemon or a directory.
protocol StatementTarget: AnyObject, Sendable {
    /// What the target is, for prompts and messages.
    var name: String { get }
    /// Plans and starts one statement.
    func run(_ sql: String, namespace: String) async throws(MartletError) -> any StatementResult
    /// Appends rows; returns what became of them.
    func append(_ batches: [TableBatch], namespace: String) async throws(MartletError) -> AppendReport
    /// Ends the connection or closes the directory.
    func close() async throws(MartletError)
}

/// A running statement.
protocol StatementResult: AnyObject, Sendable {
    /// The result's columns; empty for a statement without one.
    var schema: [ColumnDescription] { get }
    /// The next rows, or `nil` at the end.
    func next() async throws(MartletError) -> RecordBatch?
    /// Ends the statement. Callable from any thread.
    func cancel()
    /// Remarks; complete once `next` has returned `nil`.
    var notices: [String] { get }
}

/// What became of appended rows.
struct AppendReport: Sendable {
    /// A row that was refused.
    struct Rejection: Sendable {
        var batch: Int
        var row: Int
        var error: MartletError
    }

    var accepted: Int
    var rejectedCount: Int
    /// The first of the refused rows; a daemon lists at most 1,000 an append.
    var rejections: [Rejection]
}

extension StatementTarget {
    /// All rows of a small result.
    func rows(_ sql: String, namespace: String) async throws(MartletError) -> [[FieldValue?]] {
        let result = try await run(sql, namespace: namespace)
        var rows: [[FieldValue?]] = []
        while let batch = try await result.next() {
            for row in 0..<batch.rowCount { rows.append(batch.row(row)) }
        }
        return rows
    }
}
