import MartletModel

/// A state of a namespace with the means to read it.
final class NamespaceSnapshot: ReadSnapshot {
    let state: NamespaceState
    let series: SeriesCatalog
    private let core: StorageCore
    private let latestRows: LatestRows
    /// Whether scans give rows for what rollups stand for.
    private let readsTiers: Bool

    init(
        _ state: NamespaceState, series: SeriesCatalog, core: StorageCore, latestRows: LatestRows = LatestRows(),
        readsTiers: Bool = true
    ) {
        self.readsTiers = readsTiers
        self.state = state
        self.latestRows = latestRows
        self.series = series
        self.core = core
    }

    /// The tables, but for the tiers, which their tables stand for.
    var tables: [TableSchema] {
        state.catalog.sorted.lazy.filter { TierTable(named: $0.name) == nil }.map(\.schema)
    }

    func schema(of table: String) -> TableSchema? { state.catalog[table]?.schema }

    func scan(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan {
        let rows = try rowScan(request, context: context)
        let tiers = readsTiers ? try tiers(of: request.table, overlapping: request.time) : []
        if tiers.isEmpty { return rows }
        return try TieredScan(
            self, request, base: try definition(request.table), tiers: tiers, rows: rows, context: context)
    }

    /// The tiers of a table that may hold rollups of rows in a range of time, the finest first.
    func tiers(
        of table: String, overlapping time: TimeRange
    ) throws(MartletError) -> [(tier: TierTable, table: TableDefinition)] {
        var found: [(tier: TierTable, table: TableDefinition)] = []
        for (tier, table) in state.catalog.tiers(of: table) {
            let lower = time.lowerBound < .min + tier.width ? .min : time.lowerBound - tier.width
            var statistics = ScanStatistics()
            let groups = try groups(of: table.id, overlapping: TimeRange(lower, time.upperBound), &statistics)
            if !groups.isEmpty { found.append((tier, table)) }
        }
        return found
    }

    var commit: UInt64 { state.commit }

    func timesChanged(of table: String, after commit: UInt64) throws(MartletError) -> TimeRange {
        guard let definition = state.catalog[table] else { return .empty }
        var range = TimeRange.empty
        for segment in state.sealed where segment.info.lastCommit > commit {
            for part in try segment.footer().tables where part.definition.id == definition.id {
                range = range.union(part.time)
            }
        }
        for segment in state.hot {
            // Commits ascend: what is new stands at the end.
            for layer in segment.layers.reversed() {
                if layer.header.lastCommit <= commit { break }
                for group in layer.groups where group.table == definition.id { range = range.union(group.time) }
            }
        }
        return range
    }

    func rollupWidths(of table: String) -> [Int64] { state.catalog.tiers(of: table).map(\.tier.width) }

    /// A scan of the rows alone, without what rollups stand for.
    func rowScan(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> MergeScan {
        var shape = MergeScan.Shape()
        shape.newestFirst = request.newestFirst
        shape.summaries = request.newestFirst ? nil : request.summaries
        return try scan(request, shape, context)
    }

    func latest(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan {
        guard request.time == .all else {
            throw MartletError(.invalidArgument, "the latest rows of a range of time need a scan")
        }
        let rows = try latestRows.scan(request, of: self, context)
        let tiers = state.catalog.tiers(of: request.table)
        if tiers.isEmpty { return rows }
        return try TieredLatest(
            self, request, rows: rows, tiers: tiers, latestRows: latestRows, context: context)
    }

    /// Each series' newest row, read from the row groups of commits after `commit`.
    func latest(
        _ request: ScanRequest, after commit: UInt64, _ context: QueryContext
    ) throws(MartletError) -> MergeScan {
        var shape = MergeScan.Shape()
        shape.latestOnly = true
        return try scan(request, shape, context, after: commit)
    }

    private func scan(
        _ request: ScanRequest, _ shape: MergeScan.Shape, _ context: QueryContext, after commit: UInt64 = 0
    ) throws(MartletError) -> MergeScan {
        let table = try definition(request.table)
        var fields: [FieldDefinition] = []
        for name in request.fields { fields.append(try Self.field(name, of: table)) }
        var bounds: [(FieldDefinition, FieldBound)] = []
        for bound in request.bounds { bounds.append((try Self.field(bound.field, of: table), bound)) }
        var statistics = ScanStatistics()
        let groups = try groups(of: table.id, overlapping: request.time, after: commit, &statistics)
        let order = try series.order(of: series.count)
        let wanted = try series.select(
            table: table.id, request.series, limit: order.ids.count, in: order)
        let plan = ScanPlan(
            groups: groups, series: wanted, order: order, seriesCount: order.ids.count, time: request.time)
        let scanCore = try ScanCore(
            catalog: series, series: wanted, fields: fields, time: request.time, plan: plan,
            tombstones: state.tombstones, windowRows: shape.latestOnly ? RowGroup.maximumRows : 8192, context: context)
        scanCore.statistics.segmentsRead = statistics.segmentsRead
        scanCore.statistics.segmentsPruned = statistics.segmentsPruned
        let pruning = shape.latestOnly ? nil : BoundPruning(bounds, groups: plan.groups)
        return MergeScan(scanCore, plan: plan, shape: shape, pruning: pruning)
    }

    static func field(_ name: String, of table: TableDefinition) throws(MartletError) -> FieldDefinition {
        guard let field = table.field(named: name) else {
            throw MartletError(
                .notFound, "table '\(table.name)' has no field '\(name)'",
                at: .column(table: table.name, column: name))
        }
        return field
    }

    /// The row groups of a table in all segments that overlap a range of time.
    func groups(
        of table: UInt32, overlapping time: TimeRange, after commit: UInt64 = 0,
        _ statistics: inout ScanStatistics
    ) throws(MartletError) -> [RowGroup] {
        var groups: [RowGroup] = []
        for segment in state.sealed {
            guard segment.info.time.overlaps(time), segment.info.lastCommit > commit else {
                statistics.segmentsPruned += 1
                continue
            }
            statistics.segmentsRead += 1
            groups += try segment.groups(of: table)
        }
        for segment in state.hot where !segment.layers.isEmpty {
            statistics.segmentsRead += 1
            for layer in segment.layers where layer.header.time.overlaps(time) && layer.header.lastCommit > commit {
                for group in layer.groups where group.table == table { groups.append(group) }
            }
        }
        return groups
    }

    func series(of table: String, matching predicate: TagPredicate) throws(MartletError) -> [TagSet] {
        var sets = try seriesWithRows(of: try definition(table), matching: predicate)
        let tiers = state.catalog.tiers(of: table)
        if tiers.isEmpty { return sets }
        for (_, tier) in tiers { sets += try seriesWithRows(of: tier, matching: predicate) }
        return Set(sets).sorted { $0.canonicalBytes.lexicographicallyPrecedes($1.canonicalBytes) }
    }

    private func seriesWithRows(
        of table: TableDefinition, matching predicate: TagPredicate
    ) throws(MartletError) -> [TagSet] {
        // The catalog also knows series whose rows are gone, and learns those of sealed segments when their indexes are
        // read; what counts is which ones have rows.
        var statistics = ScanStatistics()
        let groups = try groups(of: table.id, overlapping: .all, &statistics)
        let order = try series.order(of: series.count)
        var hasRows = [Bool](repeating: false, count: order.ids.count)
        for group in groups { for id in group.runs.series { hasRows[Int(id)] = true } }
        let ids = try series.select(table: table.id, predicate, limit: order.ids.count, in: order).filter {
            hasRows[Int($0)]
        }
        var sets: [TagSet] = []
        try series.forEach(ids) { (_, tags) throws(MartletError) in sets.append(try TagSet(canonicalBytes: tags)) }
        return sets
    }

    var segments: [SegmentDescription] {
        state.sealed.map { segment in
            SegmentDescription(
                name: SealedSegment.fileName(segment.info.number), tier: "sealed",
                tables: Int(segment.info.tableCount), series: Int(segment.info.seriesCount),
                rows: Int(segment.info.rowCount), bytes: Int64(segment.info.byteCount), time: segment.info.time)
        }
            + state.hot.map { segment in
                let groups = segment.layers.flatMap(\.groups)
                return SegmentDescription(
                    name: HotLog.fileName(segment.number), tier: "hot", tables: Set(groups.map(\.table)).count,
                    series: Set(groups.flatMap(\.runs.series)).count,
                    rows: groups.reduce(0) { $0 + $1.rowCount }, bytes: segment.length,
                    time: groups.reduce(TimeRange.empty) { $0.union($1.time) })
            }
    }

    func definition(_ name: String) throws(MartletError) -> TableDefinition {
        guard let table = state.catalog[name] else { throw MartletError(.notFound, "there is no table '\(name)'") }
        return table
    }
}
