import MartletModel

/// The part of a namespace that changes files: one commit at a time. Not thread-safe; the store's lock guards it.
final class NamespaceWriter {
    private let core: StorageCore
    private let directory: String
    private let series: SeriesCatalog
    private(set) var manifest: Manifest
    private(set) var log: HotLog
    private(set) var state: NamespaceState
    /// The last commit number given out.
    private(set) var commit: UInt64
    /// Set while a manifest was begun and not known to be written: the one on disk may be that or `manifest`, and only
    /// when `manifest` or a later one is there may anything be acknowledged that the other would not know of.
    private var manifestIsUncertain = false
    /// Series whose tags the catalog may not know yet: met since, or by, a commit that was not written.
    private var unlisted: Set<UInt32> = []
    /// The lock on the directory, held as long as the writer lives.
    private var isClosed = false
    private var knowsAllSeries = false

    init(
        core: StorageCore, directory: String, series: SeriesCatalog, manifest: Manifest, log: HotLog,
        state: NamespaceState
    ) {
        self.core = core
        self.directory = directory
        self.series = series
        self.manifest = manifest
        self.log = log
        self.state = state
        self.commit = state.commit
    }

    // MARK: - Commits

    /// Writes a group of appends as one layer.
    ///
    /// - Parameter expiry: what tables keep nothing of.
    /// - Returns: one outcome per append; throws when nothing was committed.
    func commit(
        _ group: [PendingAppend], expiry: [String: TableExpiry]
    ) throws(MartletError) -> [AppendOutcome] {
        try ensureUsableLog()
        let sealedSeries = state.sealed.reduce(0) { $0 + Int(clamping: $1.info.seriesCount) }
        var catalog = state.catalog
        var outcomes: [AppendOutcome] = []
        var stages: [UInt32: TableStage] = [:]
        let first = commit + 1
        var bytesIngested = 0
        for (index, pending) in group.enumerated() {
            var outcome = AppendOutcome(accepted: 0, rejected: [], commit: first + UInt64(index), isDurable: false)
            for (number, batch) in pending.batches.enumerated() {
                var stage = stage(for: batch, catalog, &stages)
                let refused = try add(
                    batch, to: &stage, sealedSeries: sealedSeries, limit: core.options.seriesLimit,
                    expiry: expiry.isEmpty ? nil : expiry[batch.table])
                outcome.accepted += batch.rowCount - refused.count
                outcome.rejected += refused.map { RejectedRow(batch: number, row: $0.row, error: $0.error) }
                if stage.rowCount == 0 { continue }
                bytesIngested += batch.memoryFootprint
                stages[stage.definition.id] = stage
                catalog.define(stage.definition)
            }
            outcomes.append(outcome)
        }
        let rowCount = stages.values.reduce(0) { $0 + $1.rowCount }
        let rejected = outcomes.reduce(0) { $0 + $1.rejected.count }
        StorageCounters.add(core.counters.rejectedRows, rejected)
        if rowCount > 0 {
            let last = first + UInt64(group.count) - 1
            try write(
                stages.values.sorted { $0.definition.id < $1.definition.id }, first...last, catalog: catalog,
                changes: [], tombstones: [])
            if !unlisted.isEmpty { for stage in stages.values { unlisted.subtract(stage.series) } }
            StorageCounters.add(core.counters.rows, rowCount)
            StorageCounters.add(core.counters.bytesIngested, bytesIngested)
        }
        let isDurable = core.options.durability == .commit
        for index in outcomes.indices { outcomes[index].isDurable = isDurable }
        return outcomes
    }

    /// The stage of a batch's table: the one begun, or a new one.
    private func stage(
        for batch: AppendBatch, _ catalog: Catalog, _ stages: inout [UInt32: TableStage]
    ) -> TableStage {
        let definition =
            catalog[batch.table]
            ?? TableDefinition(id: catalog.nextTableID, name: batch.table, tags: [], fields: [], nextFieldID: 0)
        return stages.removeValue(forKey: definition.id)
            ?? TableStage(definition: definition, isChanged: catalog[definition.id] == nil)
    }

    /// Takes a batch's rows over; gives those that the catalog refuses.
    private func add(
        _ batch: AppendBatch, to stage: inout TableStage, sealedSeries: Int, limit: Int, expiry: TableExpiry? = nil
    ) throws(MartletError) -> [TableStage.Refusal] {
        let series = series
        let table = stage.definition.id
        return try stage.add(batch, expiry: expiry) { tags throws(MartletError) in
            if !knowsAllSeries && series.count + sealedSeries >= limit { learnSealedSeries() }
            let (id, isNew) = try series.intern(table: table, tags, limit: limit)
            if isNew { unlisted.insert(id) }
            return (id, !unlisted.isEmpty && unlisted.contains(id))
        }
    }

    /// Writes rows, if any, and an erasure as one commit: readers see both or neither, and so does a recovery. The
    /// rows are the engine's own: they do not count against the limit on series, and none may be refused.
    func commit(_ batches: [AppendBatch], erasing: (_ commit: UInt64) -> Tombstone) throws(MartletError) {
        try ensureUsableLog()
        var catalog = state.catalog
        var stages: [UInt32: TableStage] = [:]
        for batch in batches {
            var stage = stage(for: batch, catalog, &stages)
            if let refused = try add(batch, to: &stage, sealedSeries: 0, limit: .max).first { throw refused.error }
            catalog.define(stage.definition)
            stages[stage.definition.id] = stage
        }
        let next = commit + 1
        try write(Array(stages.values), next...next, catalog: catalog, changes: [], tombstones: [erasing(next)])
        if !unlisted.isEmpty { for stage in stages.values { unlisted.subtract(stage.series) } }
    }

    /// After an opening, the series of sealed segments are unknown until a query needs them. They must be known where
    /// the limit on series might be reached. A damaged segment is passed over: its series count when it is repaired.
    private func learnSealedSeries() {
        for segment in state.sealed { _ = Result { () throws(MartletError) in try segment.loadSeries() } }
        knowsAllSeries = true
    }

    /// Writes changes of the catalog and erasures as a layer of their own.
    func commit(changes: [CatalogChange], tombstones: [Tombstone]) throws(MartletError) {
        try ensureUsableLog()
        var catalog = state.catalog
        for change in changes { catalog.apply(change) }
        try write([], (commit + 1)...(commit + 1), catalog: catalog, changes: changes, tombstones: tombstones)
    }

    private func write(
        _ stages: [TableStage], _ commits: ClosedRange<UInt64>, catalog: Catalog, changes: [CatalogChange],
        tombstones: [Tombstone]
    ) throws(MartletError) {
        do throws(MartletError) {
            try writeLayer(stages, commits, catalog: catalog, changes: changes, tombstones: tombstones)
        } catch {
            // Whatever failed, the log's numbering of series may be ahead of its bytes now.
            log.abandon()
            StorageCounters.add(core.counters.failures, 1)
            throw MartletError(
                error.code, "the commit was not written: \(error.message)", at: error.location,
                hint: error.hint ?? "nothing of it was kept; free space or check the device, and send it again")
        }
    }

    private func writeLayer(
        _ stages: [TableStage], _ commits: ClosedRange<UInt64>, catalog: Catalog, changes: [CatalogChange],
        tombstones: [Tombstone]
    ) throws(MartletError) {
        var changes = changes
        var newSeries: [UInt32] = []
        var named = NewSeries()
        let firstLocal = Int(log.localCount)
        var estimate = 4096
        for stage in stages {
            if stage.isChanged || !log.knownTables.contains(stage.definition.id) {
                changes.append(.define(stage.definition))
            }
            for id in stage.series where log.local(id) == nil {
                log.number(id)
                newSeries.append(id)
            }
            try series.forEach(Array(newSeries[named.count...])) { (_, tags) throws(MartletError) in
                named.append(table: stage.definition.id, tags)
            }
            estimate += stage.rowCount * (stage.definition.fields.count + 1) * 2
        }
        var builder = LayerBuilder(capacity: estimate)
        for stage in stages { try builder.add(stage, ranks: try series.ranks(of: stage.series)) }
        let log = log
        let layer = builder.finish(
            salt: log.salt, durableLength: log.syncedLength, commits: commits, changes: changes, firstLocal: firstLocal,
            newSeries: named, tombstones: tombstones, localSeries: { log.local($0)! })
        let resolved = try tombstones.map { (tombstone) throws(MartletError) in
            try ResolvedTombstone(tombstone, series)
        }

        let offset = log.length
        try log.append(layer.bytes)
        if core.options.durability == .commit {
            do throws(MartletError) {
                try log.sync()
            } catch {
                log.retract(layer.bytes.byteCount)
                throw error
            }
            StorageCounters.add(core.counters.syncs, 1)
        }
        for change in changes {
            if case .define(let table) = change { log.knownTables.insert(table.id) }
        }
        commit = commits.upperBound
        StorageCounters.add(core.counters.bytesWritten, layer.bytes.byteCount)
        StorageCounters.add(core.counters.layers, 1)
        StorageCounters.add(core.counters.commits, commits.count)
        publish(layer, at: offset, catalog, resolved)
    }

    private func publish(
        _ built: BuiltLayer, at offset: Int64, _ catalog: Catalog, _ tombstones: [ResolvedTombstone]
    ) {
        let size = built.bytes.byteCount
        let reserved = core.headBudget.tryReserve(size) ? size : 0
        let source = reserved > 0 ? BlockSource.memory(built.bytes, offset: offset) : .file(log.file)
        let groups = built.groups.map {
            $0.placed(
                at: offset, source: source, precedence: built.header.lastCommit,
                tombstonesAppliedThrough: built.header.lastCommit)
        }
        let layer = Layer(
            offset: offset, header: built.header, groups: groups, reserved: reserved, budget: core.headBudget)
        log.note(indexBytes: layer.memoryFootprint - reserved)
        var hot = state.hot
        hot[hot.count - 1].layers.append(layer)
        hot[hot.count - 1].length = log.length
        state = NamespaceState(
            commit: commit, catalog: catalog, hot: hot, sealed: state.sealed,
            tombstones: state.tombstones + tombstones, seriesCount: series.count,
            erasureEpoch: state.erasureEpoch + (tombstones.isEmpty ? 0 : 1))
    }

    /// Makes everything that was written durable.
    func sync() throws(MartletError) {
        if log.isAbandoned || log.syncedLength == log.length { return }
        try log.sync()
        StorageCounters.add(core.counters.syncs, 1)
    }

    // MARK: - Segments

    /// The share of memory, as a divisor, that the indexes of one hot segment may take: series of few rows each have
    /// large ones.
    private static let indexShare = 8

    /// Whether the active segment is due for sealing.
    var isLogFull: Bool {
        log.length >= Int64(core.options.hotSegmentBytes) || log.layerCount >= core.options.hotSegmentLayers
            || log.indexBytes >= core.options.memoryLimit / Self.indexShare
    }

    /// Has an intact log with room, and a manifest that is known to be on the disk. What a failed commit left behind the
    /// last acknowledged one counts no longer.
    func ensureUsableLog() throws(MartletError) {
        if isClosed { throw MartletError(.closed, "the namespace is closed") }
        if log.isAbandoned || isLogFull {
            try rotate()
        } else if manifestIsUncertain {
            try replaceManifest(manifest)
        }
    }

    /// Freezes the active segment and begins a new one.
    func rotate() throws(MartletError) {
        if !log.isAbandoned { try sync() }
        let number = manifest.nextSegment
        manifest.nextSegment += 1
        let salt = UInt64(bitPattern: core.clock.now().nanoseconds) &* 0x9e37_79b9_7f4a_7c15 ^ number
        let next = try HotLog.create(number, salt: salt, in: directory, core.files, core.cache)
        var edited = manifest
        edited.hot[edited.hot.count - 1].length = UInt64(log.length)
        edited.hot.append(Manifest.Hot(number: number, length: nil))
        try replaceManifest(edited)
        var hot = state.hot
        hot[hot.count - 1].isFrozen = true
        hot.append(HotSegment(number: number, file: next.file, layers: [], length: next.length, isFrozen: false))
        log = next
        state = NamespaceState(
            commit: state.commit, catalog: state.catalog, hot: hot, sealed: state.sealed,
            tombstones: state.tombstones, seriesCount: state.seriesCount, erasureEpoch: state.erasureEpoch)
    }

    /// Freezes the active segment if it has any layer.
    func rotateIfNeeded() throws(MartletError) {
        if isClosed { throw MartletError(.closed, "the namespace is closed") }
        if log.layerCount > 0 || log.isAbandoned { try rotate() }
    }

    /// A number for a segment to be written.
    func takeSegmentNumber() -> UInt64 {
        defer { manifest.nextSegment += 1 }
        return manifest.nextSegment
    }

    /// Puts a merged segment in the place of its sources, in the manifest and in the state.
    ///
    /// - Returns: the files that no longer count.
    func replace(_ sources: MergeSources, with result: SealedSegment?) throws(MartletError) -> [String] {
        if isClosed { throw MartletError(.closed, "the namespace is closed") }
        let hotNumbers = Set(sources.hot.map(\.number))
        let sealedNumbers = Set(sources.sealed.map(\.info.number))
        let hot = state.hot.filter { !hotNumbers.contains($0.number) }
        var sealed = state.sealed.filter { !sealedNumbers.contains($0.info.number) }
        if let result {
            let place = sealed.firstIndex { $0.info.lastCommit > result.info.lastCommit } ?? sealed.count
            sealed.insert(result, at: place)
        }
        // An erasure is kept as long as a segment may hold rows that it concerns.
        let tombstones = state.tombstones.filter { entry in
            let tombstone = entry.tombstone
            return sealed.contains {
                $0.info.tombstonesAppliedThrough < tombstone.commit && $0.info.time.overlaps(tombstone.time)
            }
                || hot.contains { segment in
                    segment.layers.contains { layer in layer.groups.contains { entry.concerns($0) } }
                }
        }
        var edited = manifest
        edited.hot.removeAll { hotNumbers.contains($0.number) }
        edited.sealed = sealed.map(\.info)
        edited.tombstones = tombstones.map(\.tombstone)
        for segment in sources.hot {
            edited.lastCommit = max(edited.lastCommit, segment.layers.last?.header.lastCommit ?? 0)
        }
        try replaceManifest(edited)
        state = NamespaceState(
            commit: state.commit, catalog: state.catalog, hot: hot, sealed: sealed, tombstones: tombstones,
            seriesCount: series.count, erasureEpoch: state.erasureEpoch)
        return sources.hot.map(\.file.path) + sources.sealed.map(\.file.path)
    }

    /// Writes an edited manifest and makes it the current one.
    private func replaceManifest(_ edited: Manifest) throws(MartletError) {
        var edited = edited
        edited.edit += 1
        edited.nextSegment = max(edited.nextSegment, manifest.nextSegment)
        edited.catalog = state.catalog
        manifestIsUncertain = true
        let size = try edited.write(directory, core.files)
        manifestIsUncertain = false
        StorageCounters.add(core.counters.bytesWritten, size)
        manifest = edited
    }

    /// Syncs what is not durable yet and refuses further commits.
    func close() throws(MartletError) {
        if isClosed { return }
        try sync()
        isClosed = true
    }
}

extension AppendBatch {
    /// Bytes of the columns, for the figure of bytes ingested.
    var memoryFootprint: Int {
        rowCount * 12 + fields.reduce(0) { $0 + $1.1.memoryFootprint }
    }
}
