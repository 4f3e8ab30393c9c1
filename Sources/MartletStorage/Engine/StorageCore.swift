import Dispatch
import MartletModel
import Synchronization

/// What all namespaces of an engine share.
final class StorageCore: Sendable {
    let options: StorageOptions
    let files: any FileSystem
    let clock: any Clock
    let budget: MemoryBudget
    /// Half of the budget: what layers may take of it. Those beyond are read from their files.
    let headBudget: MemoryBudget
    /// As much as half of the budget: what the series of all namespaces may take before new ones are refused. It counts
    /// beside the budget, in which series are noted whatever the limit, since nothing can be read without them.
    let seriesBudget: MemoryBudget
    let cache: BlockCache
    let counters = StorageCounters()
    /// Deferred syncs run here.
    let timers = DispatchQueue(label: "martlet.timers", qos: .utility)
    /// Seals and merges run here, one at a time in the whole engine, so that they never take more than one core.
    let background = DispatchQueue(label: "martlet.background", qos: .utility)
    /// Scheduled runs of retention, which may take their time: seals and merges do not wait for them.
    let retention = DispatchQueue(label: "martlet.retention", qos: .utility)

    init(options: StorageOptions, files: any FileSystem, clock: any Clock) {
        self.options = options
        self.files = files
        self.clock = clock
        budget = MemoryBudget(limit: options.memoryLimit)
        headBudget = MemoryBudget(limit: max(1, options.memoryLimit / 2), parent: budget)
        seriesBudget = MemoryBudget(limit: max(1, options.memoryLimit / 2))
        cache = BlockCache(limit: options.cacheBytes ?? options.memoryLimit * 3 / 8, budget: budget)
    }
}

/// Running totals of an engine. Lock-free.
final class StorageCounters: Sendable {
    let commits = Atomic<Int>(0)
    let layers = Atomic<Int>(0)
    let rows = Atomic<Int>(0)
    let rejectedRows = Atomic<Int>(0)
    let bytesIngested = Atomic<Int>(0)
    let bytesWritten = Atomic<Int>(0)
    let syncs = Atomic<Int>(0)
    let seals = Atomic<Int>(0)
    let merges = Atomic<Int>(0)
    let failures = Atomic<Int>(0)

    static func add(_ counter: borrowing Atomic<Int>, _ number: Int) {
        counter.wrappingAdd(number, ordering: .relaxed)
    }
}

/// Figures of an engine since it was opened.
package struct StorageStatistics: Sendable, Hashable {
    /// Appends, deletions and changes of the catalog that were committed.
    package var commits = 0
    /// Layers written: each serves one or more commits.
    package var layersWritten = 0
    /// Rows accepted.
    package var rows = 0
    /// Rows refused.
    package var rejectedRows = 0
    /// Bytes of the accepted rows as columns in memory: times, values and series indices.
    package var bytesIngested = 0
    /// Bytes written to disk for any reason: layers, segments, manifests.
    package var bytesWritten = 0
    /// Calls of fdatasync for layers.
    package var syncs = 0
    /// Hot segments that were sealed.
    package var seals = 0
    /// Merges of sealed segments.
    package var merges = 0
    /// Writes and syncs that failed.
    package var failures = 0
    /// Blocks found in the cache.
    package var cacheHits = 0
    /// Blocks read from files.
    package var cacheMisses = 0
    /// Bytes in the cache.
    package var cacheBytes = 0
    /// Bytes of layers that are held in memory.
    package var headBytes = 0
    /// Layers in hot segments.
    package var layers = 0
    /// Stretches of bytes that opening found damaged.
    package var damagedLayers = 0
    /// Hot segments.
    package var hotSegments = 0
    /// Sealed segments.
    package var sealedSegments = 0
    /// Series met, over all open namespaces.
    package var series = 0
    /// Bytes of files that the manifests of open namespaces name.
    package var bytesStored: Int64 = 0
    /// Memory reserved of the budget, and its limit.
    package var memoryUsed = 0
    package var memoryLimit = 0

    package init() {}
}
