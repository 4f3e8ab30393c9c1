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
        let series = SeriesCatalog(core.cache, limit: core.seriesBudget)
        guard files.exists(directory + "/" + Manifest.fileName) else { return try begin(series) }
        var manifest = try Manifest.read(directory, files)
        // The manifest that is read may not be the one on the disk, if the writer before failed to sync its renaming;
        // nothing may be built upon it, or removed because of it, before it is there.
        try files.syncDirectory(directory)
        try removeStrangers(manifest)
        var recovered = try RecoveredState(manifest, directory: directory, series: series, core: core)
        for (index, hot) in manifest.hot.enumerated() {
            try recovered.replay(hot, isLast: index == manifest.hot.count - 1)
        }
        let state = try recovered.state(manifest)
        manifest.catalog = state.catalog
        guard let last = recovered.last, last.number == manifest.hot.last?.number,
            manifest.hot.last?.length == nil
        else { return try goOn(manifest, recovered, state, series) }
        let log = HotLog(
            number: last.number, salt: last.salt, file: last.segment, length: last.length,
            layerCount: last.layers.count, knownTables: last.knownTables)
        log.note(indexBytes: last.layers.reduce(0) { $0 + Layer.indexBytes($1.groups) })
        try settle(last)
        // Local numbers that a damaged layer took with it stay taken.
        for id in last.series { log.adopt(id) }
        return OpenedNamespace(
            writer: NamespaceWriter(
                core: core, directory: directory, series: series, manifest: manifest, log: log, state: state),
            series: series, damage: recovered.damage)
    }

    /// Brings the active segment on the disk to what was read of it, before anything is appended behind it.
    private func settle(_ last: HotRecovery) throws(MartletError) {
        let file = last.segment.file
        // What was being written when the process ended was never acknowledged.
        let isCut = try file.size() > last.length
        if isCut { try file.truncate(to: last.length) }
        // The writer before may have ended after a sync that failed. Its last layers are then in the page cache, marked
        // clean, and not on the disk, and no sync would bring them there: they are written once more.
        var offset = last.durableLength
        while offset < last.length {
            let count = Int(min(last.length - offset, 1 << 20))
            let bytes = try file.readExactly(count, at: offset)
            try file.write(bytes.bytes, at: offset)
            withExtendedLifetime(bytes) {}
            offset += Int64(count)
        }
        if isCut || last.durableLength < last.length { try file.sync() }
    }

    /// Begins a new log where the active one is lost. The lost one stays in the manifest until it is repaired.
    private func goOn(
        _ former: Manifest, _ recovered: RecoveredState, _ state: NamespaceState, _ series: SeriesCatalog
    ) throws(MartletError) -> OpenedNamespace {
        var manifest = former
        let number = manifest.nextSegment
        let salt = UInt64(bitPattern: core.clock.now().nanoseconds) &* 0x9e37_79b9_7f4a_7c15 ^ number
        let log = try HotLog.create(number, salt: salt, in: directory, core.files, core.cache)
        if let last = manifest.hot.indices.last, manifest.hot[last].length == nil {
            manifest.hot[last].length = 0
        }
        manifest.hot.append(Manifest.Hot(number: number, length: nil))
        manifest.nextSegment += 1
        manifest.edit += 1
        _ = try manifest.write(directory, core.files)
        var hot = state.hot
        for index in hot.indices { hot[index].isFrozen = true }
        hot.append(HotSegment(number: number, file: log.file, layers: [], length: log.length, isFrozen: false))
        let state = NamespaceState(
            commit: state.commit, catalog: state.catalog, hot: hot, sealed: state.sealed,
            tombstones: state.tombstones, seriesCount: state.seriesCount)
        return OpenedNamespace(
            writer: NamespaceWriter(
                core: core, directory: directory, series: series, manifest: manifest, log: log, state: state),
            series: series, damage: recovered.damage)
    }

    /// Makes a new namespace.
    private func begin(_ series: SeriesCatalog) throws(MartletError) -> OpenedNamespace {
        try removeLeftovers()
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

    /// Removes what a crash while the namespace was made or dropped left behind.
    ///
    /// - Throws: `.corrupt` where segments hold data and nothing says that they were dropped.
    private func removeLeftovers() throws(MartletError) {
        let files = core.files
        let marker = directory + "/" + DirectoryLayout.droppedMarker
        if !files.exists(marker) {
            for name in try files.list(directory) {
                let path = directory + "/" + name
                let isSealed = name.hasSuffix(".sealed")
                guard isSealed || name.hasSuffix(".hot") else { continue }
                let size = try files.open(path, .read).size()
                if isSealed || size > Int64(FileHeader.byteCount) {
                    throw MartletError(
                        .corrupt, "there are segments and no manifest", at: .file(path: directory, offset: nil),
                        hint: "`martlet check --repair` makes a manifest from the segments")
                }
            }
        }
        try removeStrangers(Manifest())
        if files.exists(marker) {
            try files.syncDirectory(directory)
            try files.remove(marker)
        }
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
            commit = max(commit, info.lastCommit)
            do throws(MartletError) {
                let file = SegmentFile(path: path, file: try core.files.open(path, .read), cache: core.cache)
                sealed.append(SealedSegment(info: info, file: file, catalog: series, cache: core.cache))
            } catch {
                try noteLost(path, byteCount: Int64(clamping: info.byteCount), info.time, error)
            }
        }
    }

    /// Adds the tags of series to their tables: a damaged layer may have taken the definition with it, and a series
    /// must not be shown without some of its tags.
    private mutating func learnTags(of ids: [UInt32]) throws(MartletError) {
        let ids = ids.filter { $0 < series.count }
        let tables = try series.tables(of: ids)
        var keys: [UInt32: Set<String>] = [:]
        try series.forEach(ids) { (index, bytes) throws(MartletError) in
            keys[tables[index], default: []].formUnion(try TagSet(canonicalBytes: bytes).tags.map(\.key))
        }
        for (id, keys) in keys {
            guard var table = catalog[id] else { continue }
            let missing = keys.subtracting(table.tags)
            if missing.isEmpty { continue }
            table.tags += missing.sorted()
            catalog.define(table)
        }
    }

    /// Notes a file that can't be used, so that the others serve; throws on what says nothing of the file.
    private mutating func noteLost(
        _ path: String, byteCount: Int64, _ time: TimeRange?, _ error: MartletError
    ) throws(MartletError) {
        guard error.code == .notFound || error.code == .corrupt else { throw error }
        damage.append(
            DamagedLayer(path: path, offset: 0, byteCount: byteCount, time: time, reason: error.message))
    }

    mutating func replay(_ segment: Manifest.Hot, isLast: Bool) throws(MartletError) {
        let path = directory + "/" + HotLog.fileName(segment.number)
        let mode: FileMode = isLast && !core.options.readOnly ? .readWrite : .read
        let file: SegmentFile
        var recovery: HotRecovery
        do throws(MartletError) {
            file = SegmentFile(path: path, file: try core.files.open(path, mode), cache: core.cache)
            recovery = HotRecovery(
                segment: file, number: segment.number, limit: segment.length.map { Int64(clamping: $0) },
                catalog: series, budget: core.headBudget)
            try recovery.readOn()
        } catch {
            return try noteLost(path, byteCount: Int64(clamping: segment.length ?? 0), nil, error)
        }
        for change in recovery.changes { catalog.apply(change) }
        if !recovery.damage.isEmpty { try learnTags(of: recovery.series) }
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
