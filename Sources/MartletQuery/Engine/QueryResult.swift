import MartletModel
import MartletStorage
import Synchronization

/// The rows that a statement gives, pulled batch by batch.
///
/// A result holds a snapshot of the namespace until it is drained or goes away: it is not changed by writes that come
/// after the statement, and the files that it reads stay. One consumer at a time may call `next()`; `cancel()` may be
/// called from anywhere.
///
/// `@unchecked Sendable`: all mutable state is touched only under `lock`, and the operators behind it are reachable
/// through this object alone.
public final class QueryResult: @unchecked Sendable {
    /// The columns of every batch.
    public let schema: [ColumnDescription]
    /// Whether the rows come as they are made, so that `next` waits for them: a subscription.
    public let isEndless: Bool
    private let lock = Mutex<Void>(())
    private var root: Operator?
    private let query: QueryContext
    private let maximumRows: Int?
    private var given = 0
    private var failure: MartletError?
    private let context: StatementContext

    init(_ root: Operator, query: QueryContext, maximumRows: Int?, context: StatementContext) {
        self.schema = root.columns
        isEndless = root is EndlessRowsOperator
        self.root = root
        self.query = query
        self.maximumRows = maximumRows
        self.context = context
    }

    /// What a person should know beside the rows: one sentence each. Complete once `next` has returned `nil`.
    public var notices: [String] { lock.withLock { _ in context.notices } }

    /// The next batch, of at least one row, or `nil` at the end.
    ///
    /// - Throws: `.timeout`, `.cancelled` and `.resourceExhausted` for the limits; `.corrupt` and `.io` from storage;
    ///   what the statement's functions throw. After an error every call throws the same again.
    public func next() throws(MartletError) -> RecordBatch? {
        let outcome = lock.withLock { _ -> Result<RecordBatch?, MartletError> in
            do throws(MartletError) { return .success(try pull()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private func pull() throws(MartletError) -> RecordBatch? {
        if let failure { throw failure }
        guard let root else { return nil }
        do throws(MartletError) {
            guard let rows = try root.next() else {
                self.root = nil
                return nil
            }
            given += rows.count
            if let maximumRows, given > maximumRows {
                throw MartletError(
                    .resourceExhausted, "the result has more than \(maximumRows) rows, the most that are allowed",
                    hint: "add LIMIT, or narrow the time range")
            }
            return RecordBatch(schema: schema, columns: rows.columns, rowCount: rows.count)
        } catch {
            self.root = nil
            failure = error
            throw error
        }
    }

    /// Makes the statement end with `.cancelled` soon. Harmless once it has ended.
    public func cancel() { query.cancel() }

    /// All rows that are left, as values. For tests and small results.
    public func rows() throws(MartletError) -> [[FieldValue?]] {
        var rows: [[FieldValue?]] = []
        while let batch = try next() { for row in 0..<batch.rowCount { rows.append(batch.row(row)) } }
        return rows
    }
}
