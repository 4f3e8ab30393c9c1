import MartletModel
import Synchronization

/// Limits and cancellation of one running query. Checked by scans and operators at each batch.
package final class QueryContext: Sendable {
    /// Memory that this query's operators and scans reserve from.
    package let memory: MemoryBudget
    private let clock: any Clock
    private let deadline: Int64?
    private let cancelled = Atomic<Bool>(false)

    /// - Parameter timeout: nanoseconds from now, or `nil` for no limit.
    package init(memory: MemoryBudget, clock: any Clock = SystemClock(), timeout: Int64? = nil) {
        self.memory = memory
        self.clock = clock
        self.deadline = timeout.map { clock.monotonicNanoseconds() + $0 }
    }

    /// Makes the query end with `.cancelled` at its next check. Callable from any thread.
    package func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// - Throws: `.cancelled` or `.timeout`.
    package func check() throws(MartletError) {
        if cancelled.load(ordering: .relaxed) { throw MartletError(.cancelled, "the query was cancelled") }
        if let deadline, clock.monotonicNanoseconds() > deadline {
            throw MartletError(
                .timeout, "the query ran longer than its time limit", hint: "narrow it, or raise the limit")
        }
    }
}

/// One stored segment or the head, as SHOW SEGMENTS lists it.
package struct SegmentDescription: Sendable {
    package var name: String
    /// "hot", "sealed", and later "warm", "cold".
    package var tier: String
    package var tables: Int
    package var series: Int
    package var rows: Int
    package var bytes: Int64
    package var time: TimeRange

    package init(
        name: String, tier: String, tables: Int, series: Int, rows: Int, bytes: Int64, time: TimeRange
    ) {
        self.name = name
        self.tier = tier
        self.tables = tables
        self.series = series
        self.rows = rows
        self.bytes = bytes
        self.time = time
    }
}

/// One consistent state of a namespace. Holding it keeps its files readable.
package protocol ReadSnapshot: Sendable {
    /// The tables, sorted by name.
    var tables: [TableSchema] { get }
    /// The schema of `table`, or `nil` when there is none.
    func schema(of table: String) -> TableSchema?
    /// Starts a scan. Throws `.notFound` for an unknown table or field.
    func scan(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan
    /// Each matching series' latest row within the snapshot (one row a series, the last non-null value of each
    /// requested field at the newest timestamp of the series). `request.time` must be `.all`. No scan of the data.
    func latest(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan
    /// Tag sets of the matching series, in canonical order.
    func series(of table: String, matching predicate: TagPredicate) throws(MartletError) -> [TagSet]
    /// The segments and the head.
    var segments: [SegmentDescription] { get }
    /// The widths in nanoseconds of the rollups that may stand for rows of a table, ascending.
    func rollupWidths(of table: String) -> [Int64]
    /// The number of the last commit that is part of the snapshot.
    var commit: UInt64 { get }
    /// A range that holds the times of all rows of a table which came with commits after `commit`; empty where none did.
    /// It may be wider: a segment that was merged from older and newer rows counts as a whole. O(segments + layers).
    func timesChanged(of table: String, after commit: UInt64) throws(MartletError) -> TimeRange
}

extension ReadSnapshot {
    package func rollupWidths(of table: String) -> [Int64] { [] }
}

/// A row that an append refused.
package struct RejectedRow: Sendable {
    /// Index of the `TableBatch` in the append.
    package var batch: Int
    /// Row within it.
    package var row: Int
    /// The reason: `.typeConflict` and the like.
    package var error: MartletError

    package init(batch: Int, row: Int, error: MartletError) {
        self.batch = batch
        self.row = row
        self.error = error
    }
}

/// What became of an append.
package struct AppendOutcome: Sendable {
    /// Rows accepted.
    package var accepted: Int
    /// Rows refused, each with its reason; the others were kept.
    package var rejected: [RejectedRow]
    /// The commit's number in its namespace, ascending.
    package var commit: UInt64
    /// Whether the rows were durable when this was returned.
    package var isDurable: Bool

    package init(accepted: Int, rejected: [RejectedRow], commit: UInt64, isDurable: Bool) {
        self.accepted = accepted
        self.rejected = rejected
        self.commit = commit
        self.isDurable = isDurable
    }
}

/// What happened to a namespace, for whoever follows it.
package enum NamespaceChange: Sendable {
    /// Rows were committed.
    case rows
    /// A statement erased rows of a table; retention, which moves rows on, is not meant.
    /// `note` is what the observer was given for it before.
    case erasure(table: String, time: TimeRange, note: Int64?)
}

/// What is told of the changes of a namespace, on the thread that makes them: it must return soon.
package protocol NamespaceObserver: AnyObject, Sendable {
    /// Rows were committed, or erased.
    func changed(_ change: NamespaceChange)
    /// A statement is about to erase rows of a table.
    ///
    /// - Returns: what `changed` is to be told with the erasure.
    /// - Throws: what the erasure throws then, and nothing is erased.
    func willErase(from table: String, _ time: TimeRange) throws(MartletError) -> Int64?
}

/// What the SQL layer and the facade do to a namespace. Thread-safe.
package protocol NamespaceEngine: AnyObject, Sendable {
    /// The namespace's name.
    var name: String { get }
    /// The clock that `now()` and missing timestamps read.
    var clock: any Clock { get }
    /// The current state.
    func snapshot() throws(MartletError) -> any ReadSnapshot
    /// Appends rows and waits until they are as durable as the namespace's setting promises.
    func append(_ batches: [TableBatch]) throws(MartletError) -> AppendOutcome
    /// Like `append`, but returns once the rows are queued; `completion` runs on an unspecified thread.
    func append(
        _ batches: [TableBatch], completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void)
    /// Deletes rows by time and tags; returns the number of tombstones' worth of rows erased where it is known.
    func delete(from table: String, time: TimeRange, series: TagPredicate) throws(MartletError) -> Int
    /// Makes an empty table.
    func createTable(_ schema: TableSchema) throws(MartletError)
    /// Removes a table and its rows.
    func dropTable(_ name: String) throws(MartletError)
    /// Adds an empty field column.
    func addField(_ field: ColumnDescription, to table: String) throws(MartletError)
    /// Changes a field's type, converting stored values; throws `.typeConflict` where a value has no exact image.
    func changeType(of field: String, in table: String, to type: ColumnType) throws(MartletError)
    /// Removes a field column and its values.
    func dropField(_ field: String, from table: String) throws(MartletError)
    /// Seals the hot segment and merges until nothing is left to merge; the bytes of deleted rows are gone after it.
    @discardableResult func compact() throws(MartletError) -> CompactionReport
    /// Tells `observer`, which is not kept alive, of each commit of rows and each deletion. One at a time; `nil` takes it
    /// away.
    func observe(_ observer: (any NamespaceObserver)?)
    /// Makes a retention policy, or replaces the one of its name.
    func setRetentionPolicy(_ policy: RetentionPolicy) throws(MartletError)
    /// Removes a retention policy; what it did stays done.
    func dropRetentionPolicy(_ name: String) throws(MartletError)
    /// Carries out the retention policies, or those chosen, now.
    func runRetention(
        policy: String?, table: String?, isDryRun: Bool, context: QueryContext
    ) throws(MartletError) -> RetentionRun
    /// Cancels the runs that are under way; gives their number.
    func cancelRetention() -> Int
}

extension NamespaceEngine {
    /// Nothing: a namespace that is read only sees no commits of its own.
    package func observe(_ observer: (any NamespaceObserver)?) {}

    package func setRetentionPolicy(_ policy: RetentionPolicy) throws(MartletError) { throw Self.readOnly }

    package func dropRetentionPolicy(_ name: String) throws(MartletError) { throw Self.readOnly }

    package func runRetention(
        policy: String?, table: String?, isDryRun: Bool, context: QueryContext
    ) throws(MartletError) -> RetentionRun {
        throw Self.readOnly
    }

    package func cancelRetention() -> Int { 0 }

    private static var readOnly: MartletError {
        MartletError(.readOnly, "retention policies are changed and carried out by the directory's writer")
    }
}
