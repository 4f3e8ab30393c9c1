import MartletModel

/// What a merge takes in.
struct MergeSources: Sendable {
    var hot: [HotSegment] = []
    var sealed: [SealedSegment] = []

    /// The commits whose rows the sources hold.
    var commits: ClosedRange<UInt64> {
        let layers = hot.flatMap { $0.layers.map(\.header) }
        let first = min(
            layers.first?.firstCommit ?? .max, sealed.map(\.info.firstCommit).min() ?? .max)
        let last = max(layers.last?.lastCommit ?? 0, sealed.map(\.info.lastCommit).max() ?? 0)
        return min(first, last)...last
    }

    /// The row groups of a table.
    func groups(of table: UInt32) throws(MartletError) -> [RowGroup] {
        var groups: [RowGroup] = []
        for segment in sealed { groups += try segment.groups(of: table) }
        for segment in hot {
            for layer in segment.layers { groups += layer.groups.filter { $0.table == table } }
        }
        return groups
    }
}

/// Rewrites layers and segments as one sealed segment: the newest value of each (series, time, field), without erased
/// rows and dropped columns, in canonical order. Streams series by series; memory does not grow with the data.
struct SegmentMerger {
    /// A row group ends where a series ends once it has this many rows, so that long series stand in row groups of
    /// their own.
    private static let rowsBeforeSeriesCut = 8192

    let core: StorageCore
    let directory: String
    let catalog: SeriesCatalog

    /// - Parameter state: the catalog and tombstones to apply.
    /// - Returns: the new segment, durable but named by no manifest yet; `nil` when no row is left.
    func merge(
        _ sources: MergeSources, state: NamespaceState, number: UInt64
    ) throws(MartletError) -> SealedSegment? {
        let salt = UInt64(bitPattern: core.clock.now().nanoseconds) &* 0x9e37_79b9_7f4a_7c15 ^ number
        let writer = try SealedSegmentWriter(
            number: number, directory: directory, salt: salt, files: core.files)
        do throws(MartletError) {
            for table in state.catalog.tables.values.sorted(by: { $0.id < $1.id }) {
                try merge(table, sources, state, into: writer)
            }
            if writer.rowCount == 0 {
                try core.files.remove(writer.path)
                return nil
            }
            let info = try writer.finish(
                catalog: catalog, commits: sources.commits, tombstonesAppliedThrough: state.commit)
            try core.files.syncDirectory(directory)
            StorageCounters.add(core.counters.bytesWritten, Int(info.byteCount))
            let file = SegmentFile(path: writer.path, file: try core.files.open(writer.path, .read), cache: core.cache)
            return SealedSegment(info: info, file: file, catalog: catalog, cache: core.cache)
        } catch {
            // No manifest names the file. Where it can't be removed now, the next opening does.
            _ = Result { () throws(MartletError) in try core.files.remove(writer.path) }
            throw error
        }
    }

    private func merge(
        _ table: TableDefinition, _ sources: MergeSources, _ state: NamespaceState, into writer: SealedSegmentWriter
    ) throws(MartletError) {
        let groups = try sources.groups(of: table.id)
        if groups.isEmpty { return }
        let order = try catalog.order(of: catalog.count)
        let series = Set(groups.lazy.flatMap(\.runs.series)).sorted { order.ranks[Int($0)] < order.ranks[Int($1)] }
        let plan = ScanPlan(groups: groups, series: series, order: order, seriesCount: order.ids.count, time: .all)
        let working = WorkingMemory(columns: table.fields.count + 1, core)
        let scanCore = try ScanCore(
            catalog: catalog, series: series, fields: table.fields, time: .all, plan: plan,
            tombstones: state.tombstones, windowRows: working.rows, caching: false, context: nil)
        var shape = MergeScan.Shape()
        shape.maximumRows = working.rows
        shape.rowsBeforeSeriesCut = Self.rowsBeforeSeriesCut
        shape.copiesFreely = true
        let scan = MergeScan(scanCore, plan: plan, shape: shape)
        writer.begin(table)
        while let batch = try scan.nextBatch() {
            let times = batch.times.values.pointer(to: Int64.self)
            var runs = RunIndex()
            for run in batch.runs {
                runs.append(
                    series: series[Int(run.series)], rows: Int(run.count), from: times[Int(run.start)],
                    through: times[Int(run.start + run.count) - 1])
            }
            try writer.append(
                runs, times: batch.times, fields: zip(table.fields, batch.fields).map { ($0, $1) })
            withExtendedLifetime(batch) {}
        }
        try writer.end()
        withExtendedLifetime(working) {}
    }
}

/// The memory of one table's merge, reserved from the engine's budget: the sources' decoded windows, and the row group
/// that is being made, as rows and encoded.
private final class WorkingMemory {
    /// The merge's share of the budget at most, as a divisor.
    private static let share = 8
    /// Copies of a row group's rows that exist at once.
    private static let copies = 4
    private static let fewestRows = 1024

    /// Rows of a row group, fewer where the table is wide.
    let rows: Int
    private let reserved: Int
    private let budget: MemoryBudget

    /// Blocks of the cache make room. Where even the fewest rows find none, the merge goes on all the same: it is what
    /// frees the memory of the layers that take the budget up.
    init(columns: Int, _ core: StorageCore) {
        let rowBytes = columns * 8 * Self.copies
        var rows = max(Self.fewestRows, min(RowGroup.maximumRows, core.budget.limit / Self.share / rowBytes))
        var isReserved = core.cache.reserveInBudget(rows * rowBytes)
        while !isReserved && rows > Self.fewestRows {
            rows = max(Self.fewestRows, rows / 2)
            isReserved = core.cache.reserveInBudget(rows * rowBytes)
        }
        if !isReserved { core.cache.holdInBudget(rows * rowBytes) }
        self.rows = rows
        reserved = rows * rowBytes
        budget = core.budget
    }

    deinit { budget.release(reserved) }
}
