import MartletModel
import MartletStorage

/// A query as a tree of relational steps. Columns are referred to by their place in the input's `columns`.
indirect enum Plan {
    case scan(ScanPlan)
    /// Rows known when planning: VALUES, a SELECT without FROM, a virtual table.
    case rows(RowsPlan)
    case filter(Plan, BoundExpression)
    case project(Plan, [BoundExpression], [ColumnDescription])
    case aggregate(Plan, AggregatePlan)
    case fill(Plan, FillPlan)
    case window(Plan, [BoundWindow], [ColumnDescription])
    case sort(Plan, [SortKey])
    /// Rows `skip ..< skip + count`.
    case limit(Plan, count: Int?, skip: Int)
    /// One row of each; with `on`, the first of each by these columns.
    case distinct(Plan, on: [Int]?)
    case join(JoinPlan)
    case setOperation(SetOperation, isAll: Bool, Plan, Plan, [ColumnDescription])

    /// What the step gives.
    var columns: [ColumnDescription] {
        switch self {
        case .scan(let scan): scan.columns.map(\.description)
        case .rows(let rows): rows.columns
        case .filter(let input, _), .sort(let input, _), .limit(let input, _, _), .distinct(let input, _): input.columns
        case .fill(let input, _): input.columns
        case .project(_, _, let columns): columns
        case .aggregate(_, let aggregate): aggregate.columns
        case .window(_, _, let columns): columns
        case .join(let join): join.columns
        case .setOperation(_, _, _, _, let columns): columns
        }
    }
}

/// A column of a table.
enum ScanColumn: Sendable, Equatable {
    case time
    case tag(String)
    case field(String, ColumnType)

    var description: ColumnDescription {
        switch self {
        case .time: ColumnDescription(TableSchema.timeColumn, .timestamp, .time)
        case .tag(let name): ColumnDescription(name, .string, .tag)
        case .field(let name, let type): ColumnDescription(name, type, .field)
        }
    }
}

/// Reading a table.
struct ScanPlan {
    var table: TableSchema
    var alias: String
    var columns: [ScanColumn]
    var time = TimeRange.all
    var series = TagPredicate.all
    /// `series` in words, for EXPLAIN.
    var seriesText: [String] = []
    /// The tests that `series` calls, for the errors they may have met.
    var tagTests: [TagTest] = []
    var bounds: [FieldBound] = []
    /// What storage cannot decide; over `columns`.
    var filter: BoundExpression?
    /// Whether only each series' latest row is wanted.
    var isLatest = false
    var newestFirst = false
    /// Rows after which nobody asks for more, per series and all in all.
    var limit: Int?

    init(table: TableSchema, alias: String, columns: [ScanColumn]) {
        self.table = table
        self.alias = alias
        self.columns = columns
    }

    /// All columns of a table: the time, the tags, the fields.
    init(of table: TableSchema) {
        let columns = [ScanColumn.time] + table.tags.map { .tag($0) } + table.fields.map { .field($0.name, $0.type) }
        self.init(table: table, alias: table.name, columns: columns)
    }

    /// The fields to read, in the order of `columns`.
    var fields: [String] {
        columns.compactMap { if case .field(let name, _) = $0 { name } else { nil } }
    }
}

/// Rows known when planning.
struct RowsPlan {
    var name: String
    var columns: [ColumnDescription]
    var rows: Rows
}

/// GROUP BY.
struct AggregatePlan {
    var keys: [BoundExpression]
    var aggregates: [BoundAggregate]
    /// The keys, then the aggregates.
    var columns: [ColumnDescription]
    /// When the query wants only the greatest `limit` groups by their one time bucket key `key`.
    var newestBuckets: (key: Int, limit: Int)?
}

/// A join.
struct JoinPlan {
    enum Kind: String, Sendable { case inner, left, full, cross }
    var kind: Kind
    var left: Plan
    var right: Plan
    /// Pairs of expressions that must be equal, over the left and the right side.
    var keys: [(left: BoundExpression, right: BoundExpression)]
    /// For ASOF: the two sides' times (or any ordered values).
    var asOf: AsOf?
    /// What else must hold, over both sides' columns.
    var residual: BoundExpression?
    /// The left side's columns, then the right side's.
    var columns: [ColumnDescription] { left.columns + right.columns }

    struct AsOf {
        enum Comparison: String { case greaterOrEqual = ">=", greater = ">", lessOrEqual = "<=", less = "<" }
        var left: BoundExpression
        var comparison: Comparison
        var right: BoundExpression
    }
}
