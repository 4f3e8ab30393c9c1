import MartletModel

/// One layer of a hot segment as the head keeps it. Immutable.
final class Layer: Sendable {
    /// Where the layer begins in its segment.
    let offset: Int64
    let header: LayerHeader
    let groups: [RowGroup]
    /// Bytes of memory that the layer holds against the budget: its indexes, and where they fit its blocks.
    let memoryFootprint: Int
    private let budget: MemoryBudget

    /// - Parameters:
    ///   - reserved: bytes that the caller reserved from `budget` for the blocks; given back when the layer goes.
    ///   - budget: the head's.
    init(offset: Int64, header: LayerHeader, groups: [RowGroup], reserved: Int, budget: MemoryBudget) {
        self.offset = offset
        self.header = header
        self.groups = groups
        self.budget = budget
        let indexes = Self.indexBytes(groups)
        budget.hold(indexes)
        memoryFootprint = reserved + indexes
    }

    deinit { budget.release(memoryFootprint) }

    /// Bytes that the indexes of row groups take.
    static func indexBytes(_ groups: [RowGroup]) -> Int { groups.reduce(0) { $0 + $1.memoryFootprint } }
}

/// A hot segment as a snapshot sees it: its layers so far.
struct HotSegment: Sendable {
    let number: UInt64
    let file: SegmentFile
    var layers: [Layer]
    /// Bytes that count; what follows in the file is not part of the segment.
    var length: Int64
    /// Whether the segment takes no more layers.
    var isFrozen: Bool
}
