import MartletModel

/// When an append is acknowledged.
package enum Durability: Sendable, Hashable {
    /// After its layer was synced: nothing acknowledged is lost by a power cut.
    case commit
    /// At once; layers are synced at least this often. A power cut loses what came since; a crash of the process alone
    /// loses nothing.
    case interval(milliseconds: Int)
    /// At once; the operating system decides when bytes reach the disk.
    case none
}

/// Settings of a `StorageEngine`.
package struct StorageOptions: Sendable {
    /// When an append is acknowledged.
    package var durability = Durability.commit
    /// The bound on memory of heads, series, indexes, caches, merges and queries, in bytes. Where series take half of it,
    /// rows of new ones are rejected.
    package var memoryLimit = 256 << 20
    /// Whether the directory is opened for reading only, beside another process that writes.
    package var readOnly = false
    /// The most series in one namespace; rows of further series are rejected.
    package var seriesLimit = 1_000_000
    /// A hot segment is sealed when it has this many bytes.
    package var hotSegmentBytes = 16 << 20
    /// A hot segment is sealed when it has this many layers.
    package var hotSegmentLayers = 2048
    /// Sealed segments of this many bytes or more are not merged into larger ones.
    package var largestSegmentBytes = 512 << 20
    /// Whether sealing and merging happen by themselves. `compact()` works either way.
    package var mergesInBackground = true
    /// Seconds between runs of retention policies, or `nil` to leave them to `runRetention` alone.
    package var retentionInterval: Int? = 300
    /// Bytes a second that a run of retention reads at most, or `nil` for as fast as it goes.
    package var retentionBytesPerSecond: Int?
    /// Writes rows out where policies export them before they go; without one such rows stay.
    package var archive: (any RetentionArchive)?
    /// The share of memory that the cache of decoded blocks may take, in bytes; `nil` means three eighths of the
    /// limit.
    package var cacheBytes: Int?

    package init() {}
}
