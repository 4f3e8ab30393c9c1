import MartletModel

extension StorageEngine {
    /// Figures since the engine was opened. O(open namespaces and their segments).
    package var statistics: StorageStatistics {
        var figures = core.statistics
        for store in openStores {
            let state = store.currentState
            figures.hotSegments += state.hot.count
            figures.sealedSegments += state.sealed.count
            figures.layers += state.hot.reduce(0) { $0 + $1.layers.count }
            figures.headBytes += state.hot.reduce(0) { $0 + $1.layers.reduce(0) { $0 + $1.memoryFootprint } }
            figures.series += store.series.count
            figures.bytesStored += state.byteCount
            figures.damagedLayers += store.damage.count
        }
        return figures
    }
}

extension StorageCore {
    /// The running totals, without what is counted per namespace.
    var statistics: StorageStatistics {
        var figures = StorageStatistics()
        figures.commits = counters.commits.load(ordering: .relaxed)
        figures.layersWritten = counters.layers.load(ordering: .relaxed)
        figures.rows = counters.rows.load(ordering: .relaxed)
        figures.rejectedRows = counters.rejectedRows.load(ordering: .relaxed)
        figures.bytesIngested = counters.bytesIngested.load(ordering: .relaxed)
        figures.bytesWritten = counters.bytesWritten.load(ordering: .relaxed)
        figures.syncs = counters.syncs.load(ordering: .relaxed)
        figures.seals = counters.seals.load(ordering: .relaxed)
        figures.merges = counters.merges.load(ordering: .relaxed)
        figures.failures = counters.failures.load(ordering: .relaxed)
        figures.cacheHits = cache.hits
        figures.cacheMisses = cache.misses
        figures.cacheBytes = cache.byteCount
        figures.memoryUsed = budget.used
        figures.memoryLimit = budget.limit
        return figures
    }
}
