import MartletModel

/// One layer of a hot segment as the head keeps it. Immutable.
final class Layer: Sendable {
    /// Where the layer begins in its segment.
    let offset: Int64
    let header: LayerHeader
    let groups: [RowGroup]
    /// Bytes of memory reserved for it.
    private let reserved: Int
    private let budget: MemoryBudget

    /// - Parameter reserved: bytes that the caller reserved from `budget`; given back when the layer goes.
    init(offset: Int64, header: LayerHeader, groups: [RowGroup], reserved: Int, budget: MemoryBudget) {
        self.offset = offset
        self.header = header
        self.groups = groups
        self.reserved = reserved
        self.budget = budget
    }

    deinit { if reserved > 0 { budget.release(reserved) } }

    /// Bytes of memory that the layer holds against the budget.
    var memoryFootprint: Int { reserved }
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
