import MartletModel

/// A table that keeps another one's rollups of one width: a row for each series and bucket that had rows, at the time
/// when the bucket begins. Stored, merged, recovered and erased like any table.
struct TierTable: Hashable, Sendable {
    /// Names that begin so are tiers' own.
    static let prefix = "_rollup_"

    /// The table whose rows are rolled up.
    let base: String
    /// The buckets' width in nanoseconds.
    let width: Int64

    init(of base: String, width: Int64) {
        self.base = base
        self.width = width
    }

    /// The tier that a table of this name is, or `nil` for other tables.
    init?(named name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let rest = name.dropFirst(Self.prefix.count)
        guard let end = rest.firstIndex(of: "_"), let width = Int64(rest[..<end]), width > 0 else { return nil }
        base = String(rest[rest.index(after: end)...])
        self.width = width
    }

    /// - Throws: `.invalidArgument` for a name that a tier may have.
    static func checkFree(_ name: String) throws(MartletError) {
        if name.hasPrefix(prefix) {
            throw MartletError(
                .invalidArgument, "the table name '\(name)' is reserved: names with '\(prefix)' are rollups' own")
        }
    }

    /// `_rollup_60000000000_cpu`.
    var name: String { "\(Self.prefix)\(width)_\(base)" }

    /// The bucket that a time lies in, as the moment when it begins; the greatest one may begin before the least time.
    func start(of time: Int64) -> Int64 {
        let remainder = time % width
        let distance = remainder < 0 ? remainder + width : remainder
        return time < Int64.min + distance ? Int64.min : time - distance
    }

    // MARK: Columns

    /// Rows of the bucket.
    static let rows = "|rows"
    /// The times of the bucket's first and last row.
    static let firstTime = "|first_time"
    static let lastTime = "|last_time"
    /// What the row may know: at least `detailedVersion` where it has quantiles, frequent values and growth.
    static let version = "|version"
    static let detailedVersion: Int64 = 2

    /// The columns that a tier keeps of one field. Those that a bucket does not need are null in its row: the count
    /// where it is that of the rows, the times where they are those of the bucket, quantiles and growth where the other
    /// columns tell them.
    enum Part: Int, CaseIterable {
        case count, sum, sumHigh, least, greatest, first, last, firstTime, lastTime, sketch, frequent, growth

        private var name: String {
            switch self {
            case .sumHigh: "sum_high"
            case .least: "min"
            case .greatest: "max"
            case .firstTime: "first_time"
            case .lastTime: "last_time"
            case .count, .sum, .first, .last, .sketch, .frequent, .growth: "\(self)"
            }
        }

        /// The parts that are read only where they are wanted.
        static let details: [Part: SummaryDetails] = [.sketch: .quantiles, .frequent: .frequencies, .growth: .growth]

        func column(of field: String) -> String { field + "|" + name }

        /// The column's type, or `nil` where fields of a type have no such part.
        func type(for field: ColumnType) -> ColumnType? {
            switch self {
            case .count, .firstTime, .lastTime: .int64
            case .sum: field == .float64 ? .float64 : field == .int64 || field == .uint64 ? .int64 : nil
            case .sumHigh: field == .int64 || field == .uint64 ? .int64 : nil
            case .least, .greatest: field == .string ? nil : field
            case .first, .last: field
            case .sketch: field.isNumeric ? .string : nil
            case .growth: field.isNumeric ? .float64 : nil
            case .frequent: field == .string || field == .bool ? .string : nil
            }
        }
    }
}

extension Catalog {
    /// The tiers of a table, the finest first.
    func tiers(of table: String) -> [(tier: TierTable, table: TableDefinition)] {
        tables.values.compactMap { definition in
            guard let tier = TierTable(named: definition.name), tier.base == table else { return nil }
            return (tier, definition)
        }.sorted { $0.tier.width < $1.tier.width }
    }
}
