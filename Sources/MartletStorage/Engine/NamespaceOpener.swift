import MartletModel

/// A namespace's parts as opening leaves them.
struct OpenedNamespace {
    var writer: NamespaceWriter
    var series: SeriesCatalog
    var damage: [DamagedLayer]
}

/// Opens a namespace's directory: reads the manifest, replays the unsealed tail, and begins or goes on with a log.
struct NamespaceOpener {
    let core: StorageCore
    let directory: String

    func openForWriting() throws(MartletError) -> OpenedNamespace {
        let files = core.files
        try files.createDirectory(directory)
        let series = SeriesCatalog()
        guard files.exists(directory + "/" + Manifest.fileName) else { return try begin(series) }
        var manifest = try Manifest.read(directory, files)
        try removeStrangers(manifest)
        var recovered = try RecoveredState(manifest, directory: directory, series: series, core: core)
        for (index, hot) in manifest.hot.enumerated() {
            try recovered.replay(hot, isLast: index == manifest.hot.count - 1)
        }
        let state = try recovered.state(manifest)
        guard let last = recovered.last, manifest.hot.last?.length == nil else {
            throw MartletError(
                .corrupt, "the manifest names no active segment",
                at: .file(path: directory + "/" + Manifest.fileName, offset: nil))
        }
        manifest.catalog = state.catalog
        let log = HotLog(
            number: last.number, salt: last.salt, file: last.segment, length: last.length,
            layerCount: last.layers.count, knownTables: last.knownTables)
        if try last.segment.file.size() > last.length {
            // What was being written when the process ended was never acknowledged.
            try last.segment.file.truncate(to: last.length)
            try last.segment.file.sync()
        }
        // Local numbers that a damaged layer took with it stay taken.
        for id in last.series { log.adopt(id) }
        return OpenedNamespace(
            writer: NamespaceWriter(
                core: core, directory: directory, series: series, manifest: manifest, log: log, state: state),
            series: series, damage: recovered.damage)
    }

    /// Makes a new namespace.
    private func begin(_ series: SeriesCatalog) throws(MartletError) -> OpenedNamespace {
        // Without a manifest no segment counts; a crash while the namespace was made may have left one.
        try removeStrangers(Manifest())
        var manifest = Manifest()
        let salt = UInt64(bitPattern: core.clock.now().nanoseconds) &* 0x9e37_79b9_7f4a_7c15
        let log = try HotLog.create(1, salt: salt, in: directory, core.files, core.cache)
        manifest.nextSegment = 2
        manifest.edit = 1
        manifest.hot = [Manifest.Hot(number: 1, length: nil)]
        _ = try manifest.write(directory, core.files)
        let state = NamespaceState(
            commit: 0, catalog: Catalog(),
            hot: [HotSegment(number: 1, file: log.file, layers: [], length: log.length, isFrozen: false)], sealed: [],
            tombstones: [], seriesCount: 0)
        return OpenedNamespace(
            writer: NamespaceWriter(
                core: core, directory: directory, series: series, manifest: manifest, log: log, state: state),
            series: series, damage: [])
    }

    /// Removes segment files that the manifest does not name: leftovers of a seal or merge that did not finish.
    private func removeStrangers(_ manifest: Manifest) throws(MartletError) {
        var known: Set<String> = [Manifest.fileName]
        for segment in manifest.hot { known.insert(HotLog.fileName(segment.number)) }
        for segment in manifest.sealed { known.insert(SealedSegment.fileName(segment.number)) }
        for name in try core.files.list(directory) where !known.contains(name) {
            let isSegment = name.hasSuffix(".hot") || name.hasSuffix(".sealed")
            if isSegment || name == Manifest.temporaryName { try core.files.remove(directory + "/" + name) }
        }
    }
}

/// The state that a manifest and the hot segments make, while they are read.
struct RecoveredState {
    private let directory: String
    private let series: SeriesCatalog
    private let core: StorageCore
    private var catalog: Catalog
    private var hot: [HotSegment] = []
    private var sealed: [SealedSegment] = []
    private var tombstones: [ResolvedTombstone] = []
    private var commit: UInt64
    private(set) var damage: [DamagedLayer] = []
    /// The last hot segment that was read.
    private(set) var last: HotRecovery?

    init(
        _ manifest: Manifest, directory: String, series: SeriesCatalog, core: StorageCore
    ) throws(MartletError) {
        self.directory = directory
        self.series = series
        self.core = core
        catalog = manifest.catalog
        commit = manifest.lastCommit
        for tombstone in manifest.tombstones { tombstones.append(try ResolvedTombstone(tombstone, series)) }
        for info in manifest.sealed {
            let path = directory + "/" + SealedSegment.fileName(info.number)
            let file = SegmentFile(path: path, file: try core.files.open(path, .read), cache: core.cache)
            sealed.append(SealedSegment(info: info, file: file, catalog: series))
            commit = max(commit, info.lastCommit)
        }
    }

    mutating func replay(_ segment: Manifest.Hot, isLast: Bool) throws(MartletError) {
        let path = directory + "/" + HotLog.fileName(segment.number)
        let mode: FileMode = isLast && !core.options.readOnly ? .readWrite : .read
        let file = SegmentFile(path: path, file: try core.files.open(path, mode), cache: core.cache)
        var recovery = HotRecovery(
            segment: file, number: segment.number, limit: segment.length.map { Int64(clamping: $0) },
            catalog: series, budget: core.budget)
        try recovery.readOn()
        for change in recovery.changes { catalog.apply(change) }
        let known = Set(tombstones.map(\.tombstone.commit))
        for tombstone in recovery.tombstones where !known.contains(tombstone.commit) {
            tombstones.append(try ResolvedTombstone(tombstone, series))
        }
        damage += recovery.damage
        commit = max(commit, recovery.lastCommit)
        hot.append(
            HotSegment(
                number: segment.number, file: file, layers: recovery.layers, length: recovery.length,
                isFrozen: segment.length != nil))
        last = recovery
    }

    func state(_ manifest: Manifest) throws(MartletError) -> NamespaceState {
        NamespaceState(
            commit: commit, catalog: catalog, hot: hot, sealed: sealed, tombstones: tombstones,
            seriesCount: series.count)
    }
}
