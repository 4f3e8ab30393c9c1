import MartletModel

/// Everything that a reader needs of a namespace at one moment. Immutable; commits, seals and merges make a new one
/// and publish it in one step, so that no row is seen twice or missed.
final class NamespaceState: Sendable {
    /// The last commit that is part of the state.
    let commit: UInt64
    let catalog: Catalog
    /// In the order of their commits; the last one is active, unless the namespace was opened for reading.
    let hot: [HotSegment]
    let sealed: [SealedSegment]
    /// Erasures that may concern rows of some segment.
    let tombstones: [ResolvedTombstone]
    /// Changes whenever rows may have been erased since the last state.
    let erasureEpoch: UInt64
    /// Series with ids below this existed when the state was made.
    let seriesCount: Int

    init(
        commit: UInt64, catalog: Catalog, hot: [HotSegment], sealed: [SealedSegment], tombstones: [ResolvedTombstone],
        seriesCount: Int, erasureEpoch: UInt64 = 0
    ) {
        self.erasureEpoch = erasureEpoch
        self.commit = commit
        self.catalog = catalog
        self.hot = hot
        self.sealed = sealed
        self.tombstones = tombstones
        self.seriesCount = seriesCount
    }

    static let empty = NamespaceState(
        commit: 0, catalog: Catalog(), hot: [], sealed: [], tombstones: [], seriesCount: 0)
}

/// A tombstone with its series as ids of the namespace's catalog.
struct ResolvedTombstone: Sendable {
    let tombstone: Tombstone
    /// `nil` means all series of the table.
    let series: Set<UInt32>?

    init(_ tombstone: Tombstone, _ catalog: SeriesCatalog) throws(MartletError) {
        self.tombstone = tombstone
        guard let list = tombstone.series else {
            series = nil
            return
        }
        var ids: Set<UInt32> = []
        ids.reserveCapacity(list.count)
        for tags in list {
            let id = try tags.withRawBytes { bytes throws(MartletError) in
                try catalog.intern(table: tombstone.table, bytes)
            }
            ids.insert(id)
        }
        series = ids
    }

    /// Whether rows of `group` may be erased by this.
    func concerns(_ group: RowGroup) -> Bool {
        tombstone.table == group.table && tombstone.commit > group.tombstonesAppliedThrough
            && tombstone.time.overlaps(group.time)
    }
}
