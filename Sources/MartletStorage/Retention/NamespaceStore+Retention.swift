import MartletModel

/// What a run of retention did, or would do, in one step: the rows of a table on their way from one tier to the next.
package struct RetentionReport: Sendable, Hashable {
    package var policy: String
    package var table: String
    /// The width of the source's buckets, or `nil` for rows.
    package var source: Int64?
    /// The width of the target's buckets, or `nil` where what is too old goes.
    package var target: Int64?
    /// What is older than this moment is concerned.
    package var cutoff: Int64
    /// Whether they go because there are more bytes than the policy allows, and not for their age.
    package var isForBytes = false
    /// Where rows are exported to before they go.
    package var destination: String?
    /// What ended the step before its time.
    package var failure: String?
    package var move = TierMove()
}

/// A run of retention.
package struct RetentionRun: Sendable {
    /// When it began.
    package var time: Int64
    package var reports: [RetentionReport] = []
    /// Bytes of the namespace's files before and after.
    package var bytesBefore: Int64 = 0
    package var bytesAfter: Int64 = 0
}

/// Carrying out retention policies.
extension NamespaceStore {
    /// Bytes that a rollup takes while it is made, for each field, without its sketch; the bytes of a bucket of the sketch; and
    /// how many of those numbers usually fill at most.
    private static let bytesPerRollupField = 800.0
    private static let bytesPerSketchBucket = 12.0
    private static let usualSketchBuckets = 350.0

    /// Rows that one commit of a run moves at most, unless a single bucket has more.
    private static let mostRowsPerMove = 1 << 22

    /// Whether so many rollups, each of so many values a field, may be made in one commit: they take a quarter of the memory at
    /// most. Few commits are better than many: each leaves an erasure that reading looks at until segments are merged.
    private func fits(_ rollups: Double, of table: TableDefinition, values: Double) -> Bool {
        let sketch = min(values, Self.usualSketchBuckets) * Self.bytesPerSketchBucket
        let bytes = rollups * Double(table.fields.count + 1) * (Self.bytesPerRollupField + sketch)
        return bytes <= Double(core.budget.limit) / 4
    }

    /// The name of the table that keeps what runs did.
    static let runTable = "_retention_runs"

    package func retentionPolicies() throws(MartletError) -> RetentionPolicies {
        try RetentionPolicies(snapshot(), context: QueryContext(memory: core.budget, clock: core.clock))
    }

    package func setRetentionPolicy(_ policy: RetentionPolicy) throws(MartletError) {
        try policy.validate()
        if let destination = policy.destination { try core.options.archive?.check(destination) }
        let outcome = try append([RetentionPolicies.row(policy)])
        if let refused = outcome.rejected.first { throw refused.error }
        try refreshExpiry()
    }

    package func dropRetentionPolicy(_ name: String) throws(MartletError) {
        guard try retentionPolicies().policies.contains(where: { $0.name == name }) else {
            throw MartletError(.notFound, "there is no retention policy '\(name)'")
        }
        _ = try delete(from: RetentionPolicies.table, time: .all, series: RetentionPolicies.series(of: name))
        try refreshExpiry()
    }

    /// Moves what is too old for its tier on, step by step; each is one commit, so that a run that ends half-way leaves
    /// nothing to undo and the next one goes on.
    ///
    /// - Parameters:
    ///   - policy: only this policy's.
    ///   - table: only this table's.
    ///   - isDryRun: only says what there is to be done; what one step would hand to the next is not counted there.
    package func runRetention(
        policy: String?, table: String?, isDryRun: Bool, context: QueryContext
    ) throws(MartletError) -> RetentionRun {
        let policies = try retentionPolicies()
        if let policy, !policies.policies.contains(where: { $0.name == policy }) {
            throw MartletError(.notFound, "there is no retention policy '\(policy)'")
        }
        retentionRuns.withLock { $0.append(context) }
        defer { retentionRuns.withLock { runs in runs.removeAll { $0 === context } } }
        var run = RetentionRun(time: core.clock.now().nanoseconds)
        run.bytesBefore = currentState.byteCount
        var pace = RetentionPace(bytesPerSecond: core.options.retentionBytesPerSecond, clock: core.clock)
        for definition in currentState.catalog.sorted where TierTable(named: definition.name) == nil {
            if let table, table != definition.name { continue }
            for (chosen, series) in policies.assignments(for: definition.name) {
                if let policy, policy != chosen.name { continue }
                for var report in try ladder(of: chosen, definition.name, now: run.time) {
                    try carryOut(&report, series, isDryRun: isDryRun, &pace, context)
                    if report.move.sourceCount > 0 || report.failure != nil { run.reports.append(report) }
                }
            }
        }
        if !isDryRun && !run.reports.isEmpty { try reclaim(atLeast: 0.5) }
        for chosen in policies.policies where policy == nil || policy == chosen.name {
            if let table, !chosen.concerns(table) || chosen.table == nil { continue }
            run.reports += try enforceBytes(of: chosen, isDryRun: isDryRun, &pace, context)
        }
        run.bytesAfter = currentState.byteCount
        if !isDryRun && !run.reports.isEmpty { try record(run) }
        if !isDryRun { try refreshExpiry() }
        return run
    }

    /// The steps of a policy in a table, the finest first, with the moments before which they take hold.
    ///
    /// Age counts from the older of the clock and the table's newest row: a row from the future wipes nothing, and
    /// neither does a clock that is ahead.
    private func ladder(
        of policy: RetentionPolicy, _ table: String, now: Int64
    ) throws(MartletError) -> [RetentionReport] {
        let state = currentState
        guard let newest = try newestTime(of: table, state) else { return [] }
        let reference = min(now, newest)
        // Widths that an earlier policy left go on into the next tier that holds their buckets whole.
        let stored = state.catalog.tiers(of: table).map(\.tier.width)
        let sources: [Int64?] = [nil] + Set(stored + policy.tiers.map(\.width)).sorted().map { $0 }
        return sources.compactMap { source in
            let own = policy.tiers.first { $0.width == source }
            let next = policy.tiers.first { tier in source.map { tier.width > $0 && tier.width % $0 == 0 } ?? true }
            let life = source == nil || (own == nil && next != nil) ? policy.rowLife : own?.life ?? policy.life
            let (age, overflow) = reference.subtractingReportingOverflow(life)
            if overflow { return nil }
            let destination = source == nil ? policy.destination : nil
            // Rows are exported by whole days: few files, and none of a part of a day unless rows come late.
            let due = destination == nil ? age : TierTable(of: table, width: RetentionPolicy.day).start(of: age)
            let cutoff = TierTable(of: table, width: next?.width ?? source ?? 1).start(of: due)
            return RetentionReport(
                policy: policy.name, table: table, source: source, target: next?.width, cutoff: cutoff,
                destination: destination)
        }
    }

    /// The time of a table's newest row, also where only a rollup stands for it.
    func newestTime(of table: String, _ state: NamespaceState) throws(MartletError) -> Int64? {
        let snapshot = NamespaceSnapshot(state, series: series, core: core)
        let context = QueryContext(memory: core.budget, clock: core.clock)
        let latest = try snapshot.latest(ScanRequest(table: table, fields: []), context: context)
        var newest: Int64?
        while case .rows(let batch)? = try latest.next() {
            let times = batch.times.values.pointer(to: Int64.self)
            for row in 0..<batch.rowCount { newest = max(newest ?? .min, times[row]) }
            withExtendedLifetime(batch) {}
        }
        return newest
    }

    /// Cancels the runs that are under way: each ends with `.cancelled` after its present commit. What they have done stays
    /// done, and the next run goes on.
    ///
    /// - Returns: the number of runs.
    package func cancelRetention() -> Int {
        retentionRuns.withLock { runs in
            for context in runs { context.cancel() }
            return runs.count
        }
    }

    /// Carries out one step. Where its rows cannot be exported, they stay, the report says why, and the run goes on.
    func carryOut(
        _ report: inout RetentionReport, _ series: TagPredicate, isDryRun: Bool, _ pace: inout RetentionPace,
        _ context: QueryContext
    ) throws(MartletError) {
        do throws(MartletError) {
            try move(&report, series, isDryRun: isDryRun, &pace, context)
        } catch {
            guard report.destination != nil, error.code != .cancelled, error.code != .closed else { throw error }
            report.failure = "\(error)"
            StorageCounters.add(core.counters.failures, 1)
        }
    }

    /// Carries out one step in commits of bounded size, and adds what each did to the report.
    private func move(
        _ report: inout RetentionReport, _ series: TagPredicate, isDryRun: Bool, _ pace: inout RetentionPace,
        _ context: QueryContext
    ) throws(MartletError) {
        var step = TierStep(
            table: report.table, series: series, range: .empty, source: report.source, target: report.target)
        guard let source = currentState.catalog[step.name(report.source)],
            let base = currentState.catalog[report.table]
        else { return }
        let seriesCount = try seriesIDs(of: source.id, series, currentState).count
        let grid = TierTable(of: report.table, width: report.target ?? report.source ?? 1)
        var next = Int64.min
        while let first = try currentState.firstTime(of: source.id, from: next), first < report.cutoff {
            try context.check()
            let start = max(next, grid.start(of: first))
            var end = report.cutoff - 1
            // Halves the range until it is small enough, but never a bucket.
            while Double(end) - Double(start) > Double(grid.width) {
                let rows = try currentState.rowCount(of: source.id, in: TimeRange(start, end))
                let buckets = (Double(end) - Double(start)) / Double(grid.width) + 1
                let rollups = report.target == nil ? 0 : min(Double(rows), buckets * Double(max(1, seriesCount)))
                // Of rollups it is not known how many values each stands for.
                let values = report.source == nil ? Double(rows) / max(1, rollups) : .infinity
                if rows <= Self.mostRowsPerMove, fits(rollups, of: base, values: values) { break }
                end = max(grid.start(of: start / 2 + end / 2), start + grid.width) - 1
            }
            step.range = TimeRange(start, end)
            let bytes = try currentState.byteCount(of: source.id, in: step.range)
            if let destination = report.destination, !isDryRun {
                if let move = try moveArchiving(step, to: destination, policy: report.policy, context) {
                    report.move.add(move)
                }
            } else {
                report.move.add(try move(step, commits: !isDryRun))
            }
            if !isDryRun { try pace.wait(for: bytes, context) }
            if end >= report.cutoff - 1 { break }
            next = end + 1
        }
    }

    /// Rewrites segments of which a share of the time was erased, so that the bytes are given back; says whether there were any.
    @discardableResult
    func reclaim(atLeast share: Double = 0) throws(MartletError) -> Bool {
        try maintenance.withLock { (_) throws(MartletError) in
            var isDone = false
            for segment in currentState.sealed {
                let erased = currentState.erasedShare(of: segment.info)
                if erased == 0 || erased < share { continue }
                try replace(MergeSources(sealed: [segment]), currentState)
                isDone = true
            }
            return isDone
        }
    }

    /// Keeps what a run did as rows of a table.
    private func record(_ run: RetentionRun) throws(MartletError) {
        var schema = [ColumnDescription(TableSchema.timeColumn, .timestamp, .time)]
        var columns = [Column(.timestamp, unsafeElements: run.reports.map { _ in run.time })]
        func add(
            _ name: String, _ type: ColumnType, _ role: ColumnRole, _ value: (RetentionReport) -> FieldValue?
        ) throws(MartletError) {
            schema.append(ColumnDescription(name, type, role))
            columns.append(try Column(type, run.reports.map(value)))
        }
        try add("policy", .string, .tag) { .string($0.policy) }
        try add("table", .string, .tag) { .string($0.table) }
        try add("from_width", .string, .tag) { .string("\($0.source ?? 0)") }
        try add("reason", .string, .tag) { .string($0.isForBytes ? "bytes" : "age") }
        try add("cutoff", .int64, .field) { .int64($0.cutoff) }
        try add("to_width", .int64, .field) { $0.target.map { .int64($0) } }
        try add("rows", .int64, .field) { .int64(Int64($0.move.rowCount)) }
        try add("source_rows", .int64, .field) { .int64(Int64($0.move.sourceCount)) }
        try add("rollups", .int64, .field) { .int64(Int64($0.move.rollupCount)) }
        try add("rows_before", .int64, .field) { .int64(Int64($0.move.formerRowCount)) }
        try add("rows_in_rollups", .int64, .field) { .int64(Int64($0.move.rolledRowCount)) }
        try add("exported_rows", .int64, .field) { .int64(Int64($0.move.archivedRowCount)) }
        try add("exported_bytes", .int64, .field) { .int64(Int64($0.move.archivedByteCount)) }
        try add("exported_to", .string, .field) { .string($0.destination ?? "") }
        try add("error", .string, .field) { .string($0.failure ?? "") }
        try add("complete", .bool, .field) { .bool($0.move.isComplete) }
        try add("first_time", .int64, .field) { $0.move.time.isEmpty ? nil : .int64($0.move.time.lowerBound) }
        try add("last_time", .int64, .field) { $0.move.time.isEmpty ? nil : .int64($0.move.time.upperBound) }
        try add("bytes_before", .int64, .field) { _ in .int64(run.bytesBefore) }
        try add("bytes_after", .int64, .field) { _ in .int64(run.bytesAfter) }
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: run.reports.count)
        let outcome = try append([TableBatch(table: Self.runTable, batch: batch)])
        if let refused = outcome.rejected.first { throw refused.error }
    }
}

extension NamespaceState {
    /// Calls `body` with each row group of a table.
    func forEachGroup(of table: UInt32, _ body: (RowGroup) -> Void) throws(MartletError) {
        for segment in sealed {
            for group in try segment.groups(of: table) { body(group) }
        }
        for segment in hot {
            for layer in segment.layers {
                for group in layer.groups where group.table == table { body(group) }
            }
        }
    }

    /// The least time at or after `start` at which a table may have a row.
    func firstTime(of table: UInt32, from start: Int64) throws(MartletError) -> Int64? {
        var first: Int64?
        try forEachGroup(of: table) { group in
            if group.time.upperBound >= start { first = min(first ?? .max, max(start, group.time.lowerBound)) }
        }
        return first
    }

    /// Rows that a table may have in a range of time, erased ones and duplicates included.
    func rowCount(of table: UInt32, in range: TimeRange) throws(MartletError) -> Int {
        try total(of: table, in: range) { $0.rowCount }
    }

    /// Bytes of the stored blocks of a table in a range of time, likewise.
    func byteCount(of table: UInt32, in range: TimeRange) throws(MartletError) -> Int {
        try total(of: table, in: range, \.byteCount)
    }

    /// A figure of row groups, added up as far as their time lies in the range.
    private func total(
        of table: UInt32, in range: TimeRange, _ figure: (RowGroup) -> Int
    ) throws(MartletError) -> Int {
        var total = 0
        try forEachGroup(of: table) { group in
            if !group.time.overlaps(range) { return }
            let common = group.time.intersection(range)
            let share =
                (Double(common.upperBound) - Double(common.lowerBound) + 1)
                / (Double(group.time.upperBound) - Double(group.time.lowerBound) + 1)
            total += Int(Double(figure(group)) * share) + 1
        }
        return total
    }

    /// The share of a segment's time that erasures cover which are not carried out in it yet; of all tables together.
    func erasedShare(of segment: Manifest.Sealed) -> Double {
        segment.time.share(
            coveredBy: tombstones.map(\.tombstone).filter { $0.commit > segment.tombstonesAppliedThrough }.map(\.time))
    }
}
