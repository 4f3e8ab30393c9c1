import MartletModel
import MartletStorage

/// A running scan whose batches come as rows in the plan's columns, with the plan's filter applied.
final class ScanSource {
    /// What the source delivers next.
    enum Item {
        case rows(Rows, runs: [SeriesRun], times: Column)
        case summary(BlockSummary)
    }

    let plan: ScanPlan
    let scan: any TableScan
    private let context: StatementContext
    private let filter: Evaluator?
    /// Bounds of time that storage was not asked to apply: those on latest rows.
    private let timeFilter: TimeRange?
    private var tags: [SeriesTagCodes?] = []
    /// Columns that nobody reads and that are not made.
    private let isSkipped: [Bool]

    /// - Parameter skipping: columns, by place, that the consumer does not read; those that the filter reads are made.
    init(
        _ plan: ScanPlan, context: StatementContext, summaries: SummaryGrain? = nil, skipping: Set<Int> = []
    ) throws(MartletError) {
        self.plan = plan
        self.context = context
        filter = plan.filter.map { Evaluator.make($0, context: context.evaluators) }
        timeFilter = plan.isLatest && plan.time != .all ? plan.time : nil
        let request = ScanRequest(
            table: plan.table.name, fields: plan.fields, time: plan.isLatest ? .all : plan.time, series: plan.series,
            bounds: plan.bounds, summaries: summaries, newestFirst: plan.newestFirst)
        let snapshot = try context.snapshot()
        scan =
            plan.isLatest
            ? try snapshot.latest(request, context: context.query) : try snapshot.scan(request, context: context.query)
        for test in plan.tagTests { try test.check() }
        let read = Set(plan.filter?.columns ?? [])
        isSkipped = plan.columns.indices.map { skipping.contains($0) && !read.contains($0) }
        for (index, column) in plan.columns.enumerated() {
            if case .tag(let key) = column, !isSkipped[index] {
                tags.append(try scan.tagCodes(key))
            } else {
                tags.append(nil)
            }
        }
    }

    func next() throws(MartletError) -> Item? {
        while let item = try scan.next() {
            switch item {
            case .summary(let summary): return .summary(summary)
            case .rows(let batch):
                if batch.rowCount == 0 { continue }
                let rows = rows(of: batch)
                if let timeFilter {
                    guard let (kept, runs, times) = Self.within(timeFilter, rows, batch) else { continue }
                    guard let filter else { return .rows(kept, runs: runs, times: times) }
                    let selection = try filter.select(kept)
                    if selection.isEmpty { continue }
                    return .rows(
                        kept.filtered(selection), runs: Self.runs(runs, of: selection),
                        times: ColumnKernels.filter(times, selection))
                }
                guard let filter else { return .rows(rows, runs: batch.runs, times: batch.times) }
                let selection = try filter.select(rows)
                if selection.isEmpty { continue }
                if selection.count == rows.count { return .rows(rows, runs: batch.runs, times: batch.times) }
                return .rows(
                    rows.filtered(selection), runs: Self.runs(batch.runs, of: selection),
                    times: ColumnKernels.filter(batch.times, selection))
            }
        }
        for notice in scan.notices { context.notice(notice.text) }
        return nil
    }

    /// The rows whose time lies in a range; `nil` for none.
    private static func within(
        _ range: TimeRange, _ rows: Rows, _ batch: ScanBatch
    ) -> (Rows, [SeriesRun], Column)? {
        let times = batch.times
        let selection = withExtendedLifetime(times) {
            let values = times.values.pointer(to: Int64.self)
            return (0..<rows.count).filter { range.contains(values[$0]) }.map { Int32($0) }
        }
        if selection.isEmpty { return nil }
        return (rows.filtered(selection), runs(batch.runs, of: selection), ColumnKernels.filter(times, selection))
    }

    private func rows(of batch: ScanBatch) -> Rows {
        var columns: [Column] = []
        columns.reserveCapacity(plan.columns.count)
        var field = 0
        for (index, column) in plan.columns.enumerated() {
            switch column {
            case .time: columns.append(batch.times)
            case .field:
                columns.append(batch.fields[field])
                field += 1
            case .tag:
                if let codes = tags[index] {
                    columns.append(Self.tagColumn(codes, runs: batch.runs, count: batch.rowCount))
                } else {
                    columns.append(batch.times)
                }
            }
        }
        return Rows(count: batch.rowCount, columns: columns)
    }

    /// A tag's value in each row: one code per run, repeated. The buffer holds `count` codes, all written by the runs.
    private static func tagColumn(_ tag: SeriesTagCodes, runs: [SeriesRun], count: Int) -> Column {
        var values = MutableBuffer(capacity: count * 4)
        let target = values.base.assumingMemoryBound(to: UInt32.self)
        var nulls = 0
        tag.codes.withUnsafeBufferPointer { codes in
            for run in runs {
                let code = codes[Int(run.series)]
                let isAbsent = code == SeriesTagCodes.absent
                if isAbsent { nulls += Int(run.count) }
                (target + Int(run.start)).update(repeating: isAbsent ? 0 : code, count: Int(run.count))
            }
        }
        values.byteCount = count * 4
        if nulls == count { return .nulls(.string, count: count) }
        var validity: Buffer?
        if nulls > 0 {
            var bits = BitmapBuilder(capacity: count)
            for run in runs {
                bits.append(
                    repeating: tag.codes[Int(run.series)] != SeriesTagCodes.absent, count: Int(run.count))
            }
            validity = bits.finish()
        }
        return Column(
            type: .string, count: count, nullCount: nulls, validity: validity, values: values.finish(),
            dictionary: tag.dictionary)
    }

    /// The runs that are left of `runs` when only the rows of an ascending selection stay.
    static func runs(_ runs: [SeriesRun], of selection: [Int32]) -> [SeriesRun] {
        var result: [SeriesRun] = []
        result.reserveCapacity(runs.count)
        var next = 0
        for run in runs {
            let start = next
            let end = run.start + run.count
            while next < selection.count && selection[next] < end { next += 1 }
            if next > start {
                result.append(SeriesRun(series: run.series, start: Int32(start), count: Int32(next - start)))
            }
        }
        return result
    }
}

/// Rows of a table.
final class ScanOperator: Operator {
    private let plan: ScanPlan
    private var source: ScanSource?
    private var given = 0

    init(_ plan: ScanPlan, context: StatementContext) {
        self.plan = plan
        super.init(columns: plan.columns.map(\.description), context: context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if let limit = plan.limit, given >= limit { return nil }
        if plan.time.isEmpty && !plan.isLatest { return nil }
        if source == nil { source = try ScanSource(plan, context: context) }
        while let item = try source?.next() {
            guard case .rows(let rows, _, _) = item else {
                throw MartletError(.internal, "a scan that asked for rows was given statistics")
            }
            given += rows.count
            return rows
        }
        return nil
    }

    override var title: String { plan.isLatest ? "Latest row per series" : "Scan" }
    override var details: [String] { plan.details + context.rollupDetails(of: plan, areUsed: false) }
    override var scanStatistics: ScanStatistics? { source?.scan.statistics }
}

extension ScanPlan {
    /// What EXPLAIN says of the scan.
    var details: [String] {
        var lines = ["table \(table.name)" + (alias == table.name ? "" : " as \(alias)")]
        let names = columns.map(\.description.name)
        if !names.isEmpty { lines.append("columns " + names.joined(separator: ", ")) }
        if time.isEmpty {
            lines.append("time: nothing")
        } else if time != .all {
            lines.append(
                "time from " + (time.lowerBound == .min ? "the start" : Self.text(time.lowerBound)) + " to "
                    + (time.upperBound == .max ? "the end" : Self.text(time.upperBound)))
        }
        if !seriesText.isEmpty { lines.append("series where " + seriesText.joined(separator: " AND ")) }
        if let filter { lines.append("filter " + ExpressionText.of(filter, columns: names)) }
        if newestFirst { lines.append("newest first") }
        return lines
    }

    private static func text(_ nanoseconds: Int64) -> String {
        let text = ExpressionText.constant(.timestamp(Timestamp(nanoseconds: nanoseconds)))
        return String(text.dropFirst("TIMESTAMP '".count).dropLast())
    }
}
