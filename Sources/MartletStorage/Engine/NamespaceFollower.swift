import MartletModel

/// A namespace that another process writes: each snapshot looks at the manifest and reads on in the hot segments.
///
/// Files that the writer removes stay readable while a snapshot holds them open. Between reading the manifest and
/// opening a file that it names the writer may have replaced both; then the manifest is read again.
final class NamespaceFollower: NamespaceEngine {
    private struct State {
        var manifest: Manifest?
        var hot: [HotRecovery] = []
        var sealed: [UInt64: SealedSegment] = [:]
        var current = NamespaceState.empty
    }

    /// How often a manifest is read anew when files that it names are gone.
    private static let attempts = 100

    let name: String
    let series: SeriesCatalog
    private let core: StorageCore
    private let directory: String
    private let state = Guarded(State())
    private let latestRows = LatestRows()

    var clock: any Clock { core.clock }
    var memory: MemoryBudget { core.budget }
    var currentState: NamespaceState { state.withLock { $0.current } }

    /// Opens a namespace that exists.
    init(_ name: String, at directory: String, core: StorageCore) throws(MartletError) {
        self.name = name
        self.core = core
        series = SeriesCatalog(core.cache, limit: core.seriesBudget)
        self.directory = directory
        _ = try snapshot()
    }

    func snapshot() throws(MartletError) -> any ReadSnapshot {
        let current = try state.withLock { (state) throws(MartletError) in
            var attempt = 1
            while true {
                do throws(MartletError) {
                    try follow(&state)
                    return state.current
                } catch {
                    guard error.code == .notFound, attempt < Self.attempts else { throw error }
                    attempt += 1
                }
            }
        }
        return NamespaceSnapshot(current, series: series, core: core, latestRows: latestRows)
    }

    private func follow(_ state: inout State) throws(MartletError) {
        let manifest = try Manifest.read(directory, core.files)
        var isChanged = false
        if manifest.edit != state.manifest?.edit {
            try adopt(manifest, &state)
            isChanged = true
        }
        for index in state.hot.indices {
            let former = state.hot[index].length
            try state.hot[index].readOn()
            if state.hot[index].length != former { isChanged = true }
        }
        if isChanged { state.current = try makeState(manifest, state) }
    }

    /// Opens what the manifest names anew and lets go of what it names no longer.
    private func adopt(_ manifest: Manifest, _ state: inout State) throws(MartletError) {
        var sealed: [UInt64: SealedSegment] = [:]
        for info in manifest.sealed {
            if let known = state.sealed[info.number] {
                sealed[info.number] = known
                continue
            }
            let path = directory + "/" + SealedSegment.fileName(info.number)
            let file = SegmentFile(path: path, file: try core.files.open(path, .read), cache: core.cache)
            sealed[info.number] = SealedSegment(info: info, file: file, catalog: series, cache: core.cache)
        }
        var hot: [HotRecovery] = []
        for segment in manifest.hot {
            let limit = segment.length.map { Int64(clamping: $0) }
            // Bytes that were read beyond the length were written but never acknowledged: they are read anew without.
            if var known = state.hot.first(where: { $0.number == segment.number }),
                limit.map({ known.length <= $0 }) ?? true
            {
                known.limit = limit
                hot.append(known)
                continue
            }
            let path = directory + "/" + HotLog.fileName(segment.number)
            let file = SegmentFile(path: path, file: try core.files.open(path, .read), cache: core.cache)
            hot.append(
                HotRecovery(
                    segment: file, number: segment.number, limit: limit, catalog: series, budget: core.headBudget))
        }
        state.sealed = sealed
        state.hot = hot
        state.manifest = manifest
    }

    private func makeState(_ manifest: Manifest, _ state: State) throws(MartletError) -> NamespaceState {
        var catalog = manifest.catalog
        var tombstones: [ResolvedTombstone] = []
        var commit = manifest.lastCommit
        for tombstone in manifest.tombstones { tombstones.append(try ResolvedTombstone(tombstone, series)) }
        let known = Set(manifest.tombstones.map(\.commit))
        for segment in state.hot {
            for change in segment.changes { catalog.apply(change) }
            for tombstone in segment.tombstones where !known.contains(tombstone.commit) {
                tombstones.append(try ResolvedTombstone(tombstone, series))
            }
            commit = max(commit, segment.lastCommit)
        }
        let hot = state.hot.map { segment in
            HotSegment(
                number: segment.number, file: segment.segment, layers: segment.layers, length: segment.length,
                isFrozen: segment.limit != nil)
        }
        return NamespaceState(
            commit: commit, catalog: catalog, hot: hot,
            sealed: manifest.sealed.compactMap { state.sealed[$0.number] }, tombstones: tombstones,
            seriesCount: series.count,
            // An erasure may have come and been carried out between two looks at the manifest.
            erasureEpoch: manifest.edit << 32 | UInt64(tombstones.count))
    }

    /// The state that the directory's files show now.
    func backupSource() throws(MartletError) -> BackupSource {
        _ = try snapshot()
        return try state.withLock { (state) throws(MartletError) in
            guard let manifest = state.manifest else { throw MartletError(.internal, "a follower without a manifest") }
            return BackupSource(name: name, manifest: manifest.closed(state.current), state: state.current)
        }
    }

    // MARK: - What only a writer does

    private func refusal() -> MartletError {
        MartletError(
            .readOnly, "the database was opened for reading only", at: .file(path: directory, offset: nil),
            hint: "write through the process that has it open for writing")
    }

    func append(_ batches: [TableBatch]) throws(MartletError) -> AppendOutcome { throw refusal() }

    func append(
        _ batches: [TableBatch], completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) {
        completion(.failure(refusal()))
    }

    func delete(from table: String, time: TimeRange, series: TagPredicate) throws(MartletError) -> Int {
        throw refusal()
    }

    func createTable(_ schema: TableSchema) throws(MartletError) { throw refusal() }
    func dropTable(_ name: String) throws(MartletError) { throw refusal() }
    func addField(_ field: ColumnDescription, to table: String) throws(MartletError) { throw refusal() }
    func changeType(of field: String, in table: String, to type: ColumnType) throws(MartletError) { throw refusal() }
    func dropField(_ field: String, from table: String) throws(MartletError) { throw refusal() }
    func compact() throws(MartletError) -> CompactionReport { throw refusal() }
}
