import MartletModel

/// A bound on a field's value, for pruning by statistics only: a scan may still deliver rows outside it.
package struct FieldBound: Sendable {
    /// The field.
    package var field: String
    /// The least value that can matter, or `nil`.
    package var lowerBound: FieldValue?
    /// The greatest value that can matter, or `nil`.
    package var upperBound: FieldValue?

    package init(field: String, lowerBound: FieldValue? = nil, upperBound: FieldValue? = nil) {
        self.field = field
        self.lowerBound = lowerBound
        self.upperBound = upperBound
    }
}

/// Permission to answer with statistics instead of rows: where a stored block lies wholly within the request, within
/// one series and within one bucket `floor((time - origin) / width)`, the scan may deliver a `BlockSummary`.
package struct SummaryGrain: Sendable {
    /// Bucket width in nanoseconds; `nil` means one bucket for all time.
    package var width: Int64?
    /// A bucket's start, in nanoseconds since the epoch.
    package var origin: Int64
    /// Whether summaries must say when the first and the last value of each field were.
    package var needsMoments: Bool
    /// What only rollups know, and is asked of the fields in their order; empty where nothing is.
    package var details: [SummaryDetails]

    package init(width: Int64?, origin: Int64 = 0, needsMoments: Bool = false, details: [SummaryDetails] = []) {
        self.width = width
        self.origin = origin
        self.needsMoments = needsMoments
        self.details = details
    }

    /// Whether the statistics of blocks, which have no details, are not enough.
    package var needsDetails: Bool { details.contains { !$0.isEmpty } }
}

/// What rollups know of a field beside the statistics that blocks have as well.
package struct SummaryDetails: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let quantiles = SummaryDetails(rawValue: 1)
    package static let frequencies = SummaryDetails(rawValue: 2)
    package static let growth = SummaryDetails(rawValue: 4)
    /// The first and the last value with their times, which rollups always know.
    package static let ends = SummaryDetails(rawValue: 8)
}

/// What a scan is to deliver from one table.
package struct ScanRequest: Sendable {
    /// The table.
    package var table: String
    /// Field columns to deliver, in this order; may be empty. All must be in the snapshot's schema.
    package var fields: [String]
    /// Rows outside are not delivered.
    package var time: TimeRange
    /// Rows of other series are not delivered.
    package var series: TagPredicate
    /// Hints for pruning.
    package var bounds: [FieldBound]
    /// Whether summaries may stand for rows.
    package var summaries: SummaryGrain?
    /// Deliver each series' rows newest first, and series in any order.
    package var newestFirst: Bool

    package init(
        table: String, fields: [String], time: TimeRange = .all, series: TagPredicate = .all,
        bounds: [FieldBound] = [], summaries: SummaryGrain? = nil, newestFirst: Bool = false
    ) {
        self.table = table
        self.fields = fields
        self.time = time
        self.series = series
        self.bounds = bounds
        self.summaries = summaries
        self.newestFirst = newestFirst
    }
}
