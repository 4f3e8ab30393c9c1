import MartletModel
import MartletStorage

/// How a key of GROUP BY is read off a scan without looking at rows.
enum SeriesKeyPlan {
    /// The tag in this column of the scan.
    case tag(Int)
    /// Buckets of the time column.
    case bucket(BucketGrid)
}

/// GROUP BY tags and time buckets, straight over a scan: the group of a row follows from its series and its time, so
/// groups are found once per run of a series within a bucket, and statistics of blocks stand in for their rows.
final class SeriesAggregateOperator: Operator {
    private let scan: ScanPlan
    private let plan: AggregatePlan
    private let keys: [SeriesKeyPlan]
    private let grid: BucketGrid?
    private let summaryFields: [Int]?
    private let needsMoments: Bool
    private let asked: [SummaryDetails]
    /// Whether each series' latest row may answer the query, if it holds every value that is asked for.
    private let triesLatest: Bool
    private var usesLatest = false
    private var groups = SeriesGroups()
    private var results: [Column]?
    private var position = 0
    private var codes: [SeriesTagCodes] = []
    private var source: ScanSource?
    private(set) var usesSummaries = false

    /// - Parameter summaryFields: per aggregate the place of its argument among the scan's fields (-1 for `count(*)`),
    ///   when the aggregates can be had from statistics as far as the plan can tell.
    /// - Parameter needsMoments: whether statistics must say when the first and last values were.
    /// - Parameter asked: what is asked of each of the scan's fields that only rollups can tell without rows.
    init(
        _ scan: ScanPlan, _ plan: AggregatePlan, keys: [SeriesKeyPlan], summaryFields: [Int]?, needsMoments: Bool,
        asked: [SummaryDetails], triesLatest: Bool, context: StatementContext
    ) {
        self.scan = scan
        self.plan = plan
        self.keys = keys
        self.summaryFields = summaryFields
        self.needsMoments = needsMoments
        self.asked = asked
        self.triesLatest = triesLatest
        grid = keys.lazy.compactMap { if case .bucket(let grid) = $0 { grid } else { nil } }.first
        super.init(columns: plan.columns, context: context)
    }

    override func produce() throws(MartletError) -> Rows? {
        if results == nil { results = try run() }
        guard let results else { return nil }
        let total = plan.keys.isEmpty ? 1 : groups.count
        guard position < total else { return nil }
        let range = position..<min(total, position + maximumBatchRows)
        position = range.upperBound
        var columns = plan.keys.isEmpty ? [] : keyColumns(range)
        for column in results { columns.append(ColumnKernels.slice(column, range)) }
        return Rows(count: range.count, columns: columns)
    }

    // MARK: Running

    private func run() throws(MartletError) -> [Column] {
        if triesLatest, let results = try runOverLatest() { return results }
        let lease = MemoryLease(context.query.memory, purpose: "GROUP BY")
        let state = try AggregateState(plan.aggregates, context: context, lease: lease)
        if !scan.time.isEmpty || scan.isLatest {
            usesSummaries = summaryFields != nil && state.takesSummaries
            let grain =
                usesSummaries
                ? SummaryGrain(
                    width: grid?.width, origin: grid?.phase ?? 0, needsMoments: needsMoments, details: asked) : nil
            var read = Set<Int>()
            for aggregate in plan.aggregates {
                for expression in aggregate.expressions { expression.forEachColumn { read.insert($0) } }
            }
            let source = try ScanSource(
                scan, context: context, summaries: grain, skipping: Set(scan.columns.indices).subtracting(read))
            self.source = source
            try prepareGroups(source.scan)
            try consume(source, state)
        }
        return try state.finish(groupCount: plan.keys.isEmpty ? 1 : groups.count)
    }

    /// The answer out of each series' latest row; `nil` when one of them lacks a value, so that an older one counts.
    private func runOverLatest() throws(MartletError) -> [Column]? {
        var latest = scan
        latest.isLatest = true
        let lease = MemoryLease(context.query.memory, purpose: "GROUP BY")
        let state = try AggregateState(plan.aggregates, context: context, lease: lease)
        var read = Set<Int>()
        for aggregate in plan.aggregates {
            for expression in aggregate.expressions { expression.forEachColumn { read.insert($0) } }
        }
        let source = try ScanSource(
            latest, context: context, skipping: Set(scan.columns.indices).subtracting(read))
        self.source = source
        try prepareGroups(source.scan)
        guard try consume(source, state, refusingNulls: read) else {
            groups = SeriesGroups()
            return nil
        }
        usesLatest = true
        return try state.finish(groupCount: plan.keys.isEmpty ? 1 : groups.count)
    }

    /// Feeds everything that `source` gives; stops with `false` at a NULL in one of the columns `refusingNulls`.
    @discardableResult
    private func consume(
        _ source: ScanSource, _ state: AggregateState, refusingNulls: Set<Int> = []
    ) throws(MartletError) -> Bool {
        var numbers = [UInt32](repeating: 0, count: plan.keys.isEmpty ? maximumScanRows : 0)
        let tableLease = MemoryLease(context.query.memory, purpose: "GROUP BY")
        while let item = try source.next() {
            try context.query.check()
            switch item {
            case .rows(let rows, let runs, let times):
                if refusingNulls.contains(where: { rows.columns[$0].nullCount > 0 }) { return false }
                if numbers.count < rows.count {
                    numbers = [UInt32](repeating: 0, count: max(rows.count, maximumScanRows))
                }
                try numbers.withUnsafeMutableBufferPointer { (numbers) throws(MartletError) in
                    guard let base = numbers.baseAddress else { return }
                    if !plan.keys.isEmpty { assign(runs, times, base) }
                    try state.add(rows, groups: base, groupCount: plan.keys.isEmpty ? 1 : groups.count)
                }
            case .summary(let summary):
                guard let fields = summaryFields else {
                    throw MartletError(.internal, "a scan that asked for rows was given statistics")
                }
                let group = plan.keys.isEmpty ? 0 : groups.number(series: Int(summary.series), bucket: bucket(summary))
                try state.add(
                    summary.rowCount, time: summary.time, group: Int(group),
                    groupCount: plan.keys.isEmpty ? 1 : groups.count
                ) { fields[$0] < 0 ? nil : summary.fields[fields[$0]] }
            }
            try tableLease.set(groups.memoryFootprint)
        }
        return true
    }

    private func bucket(_ summary: BlockSummary) -> Int64 { grid?.bucket(of: summary.time.lowerBound) ?? 0 }

    /// Writes the group of each row. Every run lies within the batch, as `ScanBatch` promises.
    private func assign(_ runs: [SeriesRun], _ times: Column, _ target: UnsafeMutablePointer<UInt32>) {
        withExtendedLifetime(times) {
            let times = times.values.pointer(to: Int64.self)
            for run in runs {
                let start = Int(run.start)
                let end = start + Int(run.count)
                guard let grid else {
                    let group = groups.number(series: Int(run.series), bucket: 0)
                    (target + start).update(repeating: group, count: end - start)
                    continue
                }
                var row = start
                while row < end {
                    let bucket = grid.bucket(of: times[row])
                    let last = grid.end(of: bucket)
                    let next = Self.firstRow(after: last, times, row + 1, end)
                    let group = groups.number(series: Int(run.series), bucket: bucket)
                    (target + row).update(repeating: group, count: next - row)
                    row = next
                }
            }
        }
    }

    /// The first row of `from ..< end` later than `time`: gallops, then halves, because buckets are long or short.
    @inline(__always)
    private static func firstRow(
        after time: Int64, _ times: UnsafePointer<Int64>, _ from: Int, _ end: Int
    ) -> Int {
        if from >= end { return end }
        if times[end - 1] <= time { return end }
        var step = 1
        var low = from
        while low + step < end && times[low + step] <= time {
            low += step
            step *= 2
        }
        var high = min(end, low + step + 1)
        if times[low] > time { return low }
        while low + 1 < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle } else { high = middle }
        }
        return low + 1
    }

    // MARK: Groups of series

    /// Gives every series the number of its combination of tag values.
    private func prepareGroups(_ scan: any TableScan) throws(MartletError) {
        codes = []
        for key in keys {
            guard case .tag(let column) = key, case .tag(let name) = self.scan.columns[column] else { continue }
            codes.append(try scan.tagCodes(name))
        }
        groups.prepare(codes, seriesCount: scan.seriesCount)
    }

    private func keyColumns(_ range: Range<Int>) -> [Column] {
        var tag = 0
        return keys.map { key in
            switch key {
            case .bucket(let grid):
                return Column(
                    .timestamp, unsafeElements: range.map { grid.start(of: groups.buckets[$0]) })
            case .tag:
                let codes = self.codes[tag]
                tag += 1
                var absent = 0
                let values = range.map { group -> UInt32 in
                    let code = codes.codes[Int(groups.series[group])]
                    if code == SeriesTagCodes.absent {
                        absent += 1
                        return 0
                    }
                    return code
                }
                if absent == values.count { return .nulls(.string, count: values.count) }
                if absent == 0 { return Column(indices: values, dictionary: codes.dictionary) }
                var validity = BitmapBuilder(capacity: values.count)
                for group in range { validity.append(codes.codes[Int(groups.series[group])] != SeriesTagCodes.absent) }
                return Column(
                    type: .string, count: values.count, nullCount: absent, validity: validity.finish(),
                    values: Buffer(values), dictionary: codes.dictionary)
            }
        }
    }

    override var title: String {
        scan.isLatest || usesLatest ? "Aggregate of latest rows" : "Aggregate by series"
    }
    override var details: [String] {
        var lines = plan.details(scan.columns.map(\.description)) + scan.details
        if triesLatest { lines.append("answered from each series' latest row where that holds every value") }
        if summaryFields != nil, asked.allSatisfy(\.isEmpty) {
            lines.append("statistics of blocks stand in for rows where they can")
        }
        lines += context.rollupDetails(of: scan, areUsed: summaryFields != nil)
        return lines
    }
    override var scanStatistics: ScanStatistics? { source?.scan.statistics }
}

/// Numbers the groups (combination of tag values, bucket).
struct SeriesGroups {
    /// The combination of each series.
    private var combination: [UInt32] = []
    private var slots: [UInt32] = [UInt32](repeating: .max, count: 256)
    private var mask = 255
    /// Per group: a series of the combination, the combination, the bucket.
    private(set) var series: [UInt32] = []
    private var combinations: [UInt32] = []
    private(set) var buckets: [Int64] = []
    private var last: (combination: UInt32, bucket: Int64, group: UInt32) = (.max, 0, 0)

    var count: Int { buckets.count }
    var memoryFootprint: Int { slots.count * 4 + buckets.capacity * 16 + combination.count * 4 }

    /// Numbers the combinations of tag codes that series have.
    mutating func prepare(_ codes: [SeriesTagCodes], seriesCount: Int) {
        if codes.isEmpty {
            combination = [UInt32](repeating: 0, count: seriesCount)
        } else if codes.count == 1 {
            combination = codes[0].codes
        } else {
            var numbers: [[UInt32]: UInt32] = [:]
            combination = (0..<seriesCount).map { series in
                let key = codes.map { $0.codes[series] }
                if let known = numbers[key] { return known }
                let number = UInt32(numbers.count)
                numbers[key] = number
                return number
            }
        }
    }

    /// Whether no two series share a combination.
    var isOneSeriesEach: Bool {
        var seen = Set<UInt32>()
        return combination.allSatisfy { seen.insert($0).inserted }
    }

    /// The group of a series in a bucket, made if it is new.
    @inline(__always)
    mutating func number(series: Int, bucket: Int64) -> UInt32 {
        let combination = self.combination[series]
        if last.combination == combination && last.bucket == bucket && !buckets.isEmpty { return last.group }
        let group = lookUp(combination, bucket, series)
        last = (combination, bucket, group)
        return group
    }

    private static func hash(_ combination: UInt32, _ bucket: Int64) -> UInt64 {
        HashMixing.hash(UInt64(bitPattern: bucket) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(combination))
    }

    private mutating func lookUp(_ combination: UInt32, _ bucket: Int64, _ series: Int) -> UInt32 {
        var slot = Int(truncatingIfNeeded: Self.hash(combination, bucket) >> 5) & mask
        while slots[slot] != .max {
            let group = Int(slots[slot])
            if combinations[group] == combination && buckets[group] == bucket { return slots[slot] }
            slot = (slot + 1) & mask
        }
        let group = UInt32(buckets.count)
        slots[slot] = group
        self.series.append(UInt32(series))
        combinations.append(combination)
        buckets.append(bucket)
        if buckets.count * 2 > slots.count { rehash() }
        return group
    }

    private mutating func rehash() {
        slots = [UInt32](repeating: .max, count: slots.count * 2)
        mask = slots.count - 1
        for group in buckets.indices {
            var slot = Int(truncatingIfNeeded: Self.hash(combinations[group], buckets[group]) >> 5) & mask
            while slots[slot] != .max { slot = (slot + 1) & mask }
            slots[slot] = UInt32(group)
        }
    }
}
