import MartletModel
import MartletStorage

/// All rows of a table, window of days by window of days, so that files by day are written one after the other in
/// bounded memory. Within a window rows come in the scan's own order: series by series.
///
/// The windows follow what the segments say of their times; days that none covers cost nothing. A window holds about
/// `windowBytes` of rows, estimated from the segments' counts, and at most `windowDays` days.
final class ExportScanOperator: Operator {
    private static let day: Int64 = 86_400_000_000_000
    private let plan: ScanPlan
    private var windows: [TimeRange]
    private var next = 0
    private var scan: ScanOperator?

    init(_ plan: ScanPlan, context: StatementContext, windowBytes: Int, windowDays: Int) throws(MartletError) {
        self.plan = plan
        let rowBytes = 16 + plan.columns.count * 8
        windows = Self.windows(
            try context.snapshot().segments, within: plan.time, rows: max(1, windowBytes / rowBytes),
            days: Int64(max(1, windowDays)))
        super.init(columns: plan.columns.map(\.description), context: context)
    }

    /// Ranges of whole days that together cover the segments' rows within `bounds`.
    static func windows(
        _ segments: [SegmentDescription], within bounds: TimeRange, rows wanted: Int, days limit: Int64
    ) -> [TimeRange] {
        var covered: [(days: ClosedRange<Int64>, rows: Double)] = []
        for segment in segments {
            let time = segment.time.intersection(bounds)
            if time.isEmpty || segment.rows == 0 { continue }
            let all = number(segment.time.upperBound) - number(segment.time.lowerBound) + 1
            let first = number(time.lowerBound)
            let last = number(time.upperBound)
            covered.append((first...last, Double(segment.rows) * Double(last - first + 1) / Double(all)))
        }
        covered.sort { $0.days.lowerBound < $1.days.lowerBound }
        var joined: [(days: ClosedRange<Int64>, rows: Double)] = []
        for part in covered {
            if let last = joined.last, part.days.lowerBound <= last.days.upperBound + 1 {
                let upper = max(last.days.upperBound, part.days.upperBound)
                joined[joined.count - 1] = (last.days.lowerBound...upper, last.rows + part.rows)
            } else {
                joined.append(part)
            }
        }
        var windows: [TimeRange] = []
        for part in joined {
            let days = part.days.upperBound - part.days.lowerBound + 1
            let perDay = max(part.rows / Double(days), 1e-9)
            let width = max(1, min(limit, Int64(min(Double(wanted) / perDay, Double(limit)))))
            var day = part.days.lowerBound
            while day <= part.days.upperBound {
                let last = min(day + width - 1, part.days.upperBound)
                windows.append(TimeRange(start(day), end(last)).intersection(bounds))
                day = last + 1
            }
        }
        return windows
    }

    /// The day of a moment, counted from 1970-01-01.
    private static func number(_ time: Int64) -> Int64 {
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: day)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private static func start(_ number: Int64) -> Int64 {
        let (product, overflow) = number.multipliedReportingOverflow(by: day)
        return overflow ? .min : product
    }

    private static func end(_ number: Int64) -> Int64 {
        let (product, overflow) = (number + 1).multipliedReportingOverflow(by: day)
        return overflow ? .max : product - 1
    }

    override func produce() throws(MartletError) -> Rows? {
        while true {
            if let rows = try scan?.next() { return rows }
            scan = nil
            guard next < windows.count else { return nil }
            var window = plan
            window.time = windows[next]
            next += 1
            scan = ScanOperator(window, context: context)
            try context.query.check()
        }
    }

    override var title: String { "Export scan" }
    override var details: [String] { plan.details + ["\(windows.count) windows of days"] }
}
