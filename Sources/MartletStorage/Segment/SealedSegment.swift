import MartletCodec
import MartletModel

/// A sealed segment of a namespace. Its indexes are read when they are needed and kept in the cache. Immutable in what it
/// holds; thread-safe.
final class SealedSegment: Sendable {
    private struct Loaded {
        var footer: SegmentFooter?
        /// Whether the catalog has met the segment's series.
        var isListed = false
    }

    let info: Manifest.Sealed
    let file: SegmentFile
    private let catalog: SeriesCatalog
    private let cache: BlockCache
    /// Held while something is read, so that it is read once.
    private let loaded = Guarded(Loaded())

    init(info: Manifest.Sealed, file: SegmentFile, catalog: SeriesCatalog, cache: BlockCache) {
        self.info = info
        self.file = file
        self.catalog = catalog
        self.cache = cache
    }

    /// Row groups in the cache hold the file: without this it would stay open until others take their place.
    deinit { cache.forget(file.identity) }

    static func fileName(_ number: UInt64) -> String { "\(number).sealed" }

    func footer() throws(MartletError) -> SegmentFooter {
        try loaded.withLock { (loaded) throws(MartletError) in try footer(&loaded) }
    }

    /// The row groups of a table, in canonical order.
    func groups(of table: UInt32) throws(MartletError) -> [RowGroup] {
        try loaded.withLock { (loaded) throws(MartletError) in
            let footer = try footer(&loaded)
            guard let entry = footer.tables.first(where: { $0.definition.id == table }) else { return [] }
            if let groups = cache.findGroups(file.identity, entry.index.offset) { return groups }
            let groups = try readGroups(entry, footer, try series(&loaded, footer))
            cache.insert(groups, file.identity, entry.index.offset)
            return groups
        }
    }

    /// Makes all series of the segment known to the catalog.
    func loadSeries() throws(MartletError) {
        try loaded.withLock { (loaded) throws(MartletError) in
            if !loaded.isListed { _ = try series(&loaded, try footer(&loaded)) }
        }
    }

    /// The namespace's ids of the segment's series, by local number.
    private func series(_ loaded: inout Loaded, _ footer: SegmentFooter) throws(MartletError) -> [UInt32] {
        if let known = cache.findSeries(file.identity, footer.series.offset) { return known }
        let ids = try readSeries(footer)
        loaded.isListed = true
        cache.insert(series: ids, file.identity, footer.series.offset)
        return ids
    }

    private func footer(_ loaded: inout Loaded) throws(MartletError) -> SegmentFooter {
        if let footer = loaded.footer { return footer }
        let footer = try SegmentFooter.read(file)
        loaded.footer = footer
        return footer
    }

    private func readSeries(_ footer: SegmentFooter) throws(MartletError) -> [UInt32] {
        let bytes = try file.read(footer.series)
        defer { withExtendedLifetime(bytes) {} }
        let section = try SeriesSectionReader(bytes.bytes)
        var ids: [UInt32] = []
        ids.reserveCapacity(section.count)
        try section.forEach { (_, table, tags) throws(MartletError) in
            ids.append(try catalog.intern(table: table, tags))
        }
        return ids
    }

    private func readGroups(
        _ table: SegmentFooter.Table, _ footer: SegmentFooter, _ series: [UInt32]
    ) throws(MartletError) -> [RowGroup] {
        let packed = try file.read(table.index)
        defer { withExtendedLifetime(packed) {} }
        let bytes = try Compression.decompressed(packed.bytes, method: .zstd, count: table.indexLength)
        defer { withExtendedLifetime(bytes) {} }
        var reader = ByteReader(bytes.bytes, "segment index")
        var groups: [RowGroup] = []
        for _ in 0..<table.groupCount {
            groups.append(
                try RowGroupDescriptor.decode(
                    from: &reader, table: table.definition.id, series: series, base: 0,
                    end: Int64(clamping: info.byteCount), source: .file(file), precedence: footer.lastCommit,
                    tombstonesAppliedThrough: footer.tombstonesAppliedThrough))
        }
        try reader.expectEnd()
        return groups
    }
}
