import MartletModel

/// A stretch of a scan batch's rows that belong to one series.
package struct SeriesRun: Sendable, Hashable, BitwiseCopyable {
    /// The series' number within this scan, `0 ..< scan.seriesCount`.
    package var series: UInt32
    /// The first row.
    package var start: Int32
    /// The number of rows, at least 1.
    package var count: Int32

    @inlinable package init(series: UInt32, start: Int32, count: Int32) {
        self.series = series
        self.start = start
        self.count = count
    }
}

/// Rows out of a scan: runs of series, each in ascending order of time (descending with `newestFirst`).
package struct ScanBatch: Sendable {
    /// The number of rows, at most `TableScan.maximumRows`.
    package let rowCount: Int
    /// Runs that cover all rows in order. A series' rows may continue in the next batch; once another series has
    /// begun, the former does not come back.
    package let runs: [SeriesRun]
    /// `.timestamp`, without nulls.
    package let times: Column
    /// The requested fields in the request's order and in the schema's types; null where a row has no value.
    package let fields: [Column]

    package init(rowCount: Int, runs: [SeriesRun], times: Column, fields: [Column]) {
        self.rowCount = rowCount
        self.runs = runs
        self.times = times
        self.fields = fields
    }
}

/// Statistics of one field over a block's non-null values.
package struct FieldSummary: Sendable {
    /// Non-null values.
    package var count: Int
    /// Their sum: `.float64` for floats; for integers `.int64`/`.uint64`, or `nil` where it overflowed; else `nil`.
    package var sum: FieldValue?
    /// The least value (for floats by `<`, NaN ignored; `nil` where there is none or it is unknown).
    package var min: FieldValue?
    /// The greatest value, likewise.
    package var max: FieldValue?
    /// The non-null value with the earliest timestamp, or `nil` when unknown.
    package var first: FieldValue?
    /// The non-null value with the latest timestamp, or `nil` when unknown.
    package var last: FieldValue?
    /// When `first` and `last` were, or `nil` when only the bounds of the summary's time are known.
    package var firstTime: Int64?
    package var lastTime: Int64?
    /// The sum of integers where 64 bits may not hold it; `sum` is `nil` then.
    package var wideSum: Int128?
    /// Quantiles; of rollups that were asked for them and know them.
    package var sketch: QuantileSketch?
    /// How often which value is there; of rollups that were asked for it and know it.
    package var frequent: FrequentValues?
    /// How much a counter grew between the first and the last value; of rollups that were asked for it and know it.
    package var growth: Double?

    package init(
        count: Int, sum: FieldValue?, min: FieldValue?, max: FieldValue?, first: FieldValue?, last: FieldValue?
    ) {
        self.count = count
        self.sum = sum
        self.min = min
        self.max = max
        self.first = first
        self.last = last
    }
}

/// Statistics that stand for rows of one series within one bucket.
package struct BlockSummary: Sendable {
    /// The series' number within this scan.
    package var series: UInt32
    /// Rows that the summary stands for.
    package var rowCount: Int
    /// Their time range.
    package var time: TimeRange
    /// One per requested field.
    package var fields: [FieldSummary]

    package init(series: UInt32, rowCount: Int, time: TimeRange, fields: [FieldSummary]) {
        self.series = series
        self.rowCount = rowCount
        self.time = time
        self.fields = fields
    }
}

/// What a scan delivers next.
package enum ScanItem: Sendable {
    /// Rows.
    case rows(ScanBatch)
    /// Statistics in place of rows; only where the request allows it.
    case summary(BlockSummary)
}

/// A tag's value for every series of a scan: `dictionary` entry `codes[series]`, or absent for `absent`.
package struct SeriesTagCodes: Sendable {
    /// The code of a series that lacks the tag.
    package static let absent = UInt32.max
    /// The distinct values.
    package let dictionary: StringDictionary
    /// One code per series number.
    package let codes: [UInt32]

    package init(dictionary: StringDictionary, codes: [UInt32]) {
        self.dictionary = dictionary
        self.codes = codes
    }
}

/// Work that a scan did and spared, for EXPLAIN ANALYZE.
package struct ScanStatistics: Sendable {
    package var segmentsRead = 0
    package var segmentsPruned = 0
    package var vectorsRead = 0
    package var vectorsPruned = 0
    package var vectorsSummarised = 0
    package var bytesRead = 0
    package var rowsDelivered = 0
    package init() {}
}

/// A running scan. Not thread-safe: one consumer at a time. Duplicates are resolved (last write wins per field),
/// deleted rows are left out.
package protocol TableScan: AnyObject {
    /// The number of series that match the request (a series without rows in range counts).
    var seriesCount: Int { get }
    /// The value of tag `key` for each series. Computed on the first call.
    func tagCodes(_ key: String) throws(MartletError) -> SeriesTagCodes
    /// The next rows or summary, or `nil` at the end.
    func next() throws(MartletError) -> ScanItem?
    /// What was read and pruned so far.
    var statistics: ScanStatistics { get }
    /// What the reader of the result should know, complete at the scan's end.
    var notices: [ScanNotice] { get }
}

extension TableScan {
    package var notices: [ScanNotice] { [] }
}

/// Where a result is not what full resolution would have given.
package enum ScanNotice: Sendable, Hashable {
    /// Rows of the range that is asked for exist as rollups of a width (in nanoseconds) only, and the request could not
    /// take those.
    case onlyRollups(table: String, width: Int64)
    /// Rollups of a width stand for rows on both sides of a bucket's or the range's bound; each counts where its first
    /// row lies.
    case coarser(table: String, width: Int64)
    /// Rollups of a width do not know what is asked of a field, and are left out.
    case unknown(table: String, width: Int64, field: String)
}

/// The most rows in one `ScanBatch`.
package let maximumScanRows = 8192
