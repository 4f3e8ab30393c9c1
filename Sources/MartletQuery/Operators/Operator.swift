import MartletModel
import MartletStorage

/// What an operator did, for EXPLAIN ANALYZE.
struct OperatorProfile {
    var rows = 0
    var batches = 0
    /// Time within the operator and those below it.
    var nanoseconds: Int64 = 0
}

/// A step of a running query. Rows are pulled from the top.
class Operator {
    /// What the rows consist of.
    let columns: [ColumnDescription]
    let context: StatementContext
    private(set) var profile = OperatorProfile()

    init(columns: [ColumnDescription], context: StatementContext) {
        self.columns = columns
        self.context = context
    }

    /// The next rows, at least one, or `nil` at the end.
    final func next() throws(MartletError) -> Rows? {
        try context.query.check()
        if !context.isProfiling { return try produce() }
        let clock = context.namespace.clock
        let start = clock.monotonicNanoseconds()
        let rows = try produce()
        profile.nanoseconds += clock.monotonicNanoseconds() - start
        if let rows {
            profile.rows += rows.count
            profile.batches += 1
        }
        return rows
    }

    /// What `next` does; may be called again after `nil` was given and then gives `nil`.
    func produce() throws(MartletError) -> Rows? { nil }

    /// The operators below.
    var inputs: [Operator] { [] }
    /// The name in EXPLAIN.
    var title: String { "" }
    /// What EXPLAIN says of it, line by line.
    var details: [String] { [] }
    /// What a scan read and pruned.
    var scanStatistics: ScanStatistics? { nil }

    /// The types of the columns.
    final var types: [ColumnType] { columns.map(\.type) }
}

/// Memory reserved from the query's budget, given back when this goes away.
final class MemoryLease {
    private let budget: MemoryBudget
    private let purpose: String
    private(set) var bytes = 0

    init(_ budget: MemoryBudget, purpose: String) {
        self.budget = budget
        self.purpose = purpose
    }

    deinit { budget.release(bytes) }

    /// Reserves `more` bytes.
    func grow(by more: Int) throws(MartletError) {
        if more <= 0 { return }
        if !budget.tryReserve(more) {
            throw MartletError(
                .resourceExhausted,
                "\(purpose) needs more memory than the query may use (\(budget.limit) bytes, \(budget.used) in use)",
                hint: "narrow the time range, group by less, add LIMIT, or raise the query's memory limit")
        }
        bytes += more
    }

    /// Reserves or gives back so that `total` bytes are held.
    func set(_ total: Int) throws(MartletError) {
        if total > bytes {
            try grow(by: total - bytes)
        } else if total < bytes {
            budget.release(bytes - total)
            bytes = total
        }
    }
}
