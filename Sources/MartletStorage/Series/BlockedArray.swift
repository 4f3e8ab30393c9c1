/// An array that grows by blocks which are never moved.
///
/// What grows with the series of a namespace grows by a block at a time: a table that doubled would hold both copies for
/// a moment, which no limit on memory foresees. Only the first block doubles, up to its size, so that a small array stays
/// small. Access costs two bounds checks.
struct BlockedArray<Element> {
    private static var shift: Int { 12 }
    /// The elements of a block.
    static var blockCapacity: Int { 1 << shift }

    private var blocks: [[Element]] = []
    private(set) var count = 0

    /// Bytes of memory held.
    var memoryFootprint: Int {
        guard let first = blocks.first else { return 0 }
        let further = (blocks.count - 1) * Self.blockCapacity
        return (first.capacity + further) * MemoryLayout<Element>.stride
            + blocks.capacity * MemoryLayout<[Element]>.stride
    }

    subscript(index: Int) -> Element {
        get { blocks[index >> Self.shift][index & (Self.blockCapacity - 1)] }
        _modify { yield &blocks[index >> Self.shift][index & (Self.blockCapacity - 1)] }
    }

    /// O(1), amortised within the first block.
    mutating func append(_ element: Element) {
        let block = count >> Self.shift
        if block == blocks.count {
            var added: [Element] = []
            if block > 0 { added.reserveCapacity(Self.blockCapacity) }
            blocks.append(added)
        }
        blocks[block].append(element)
        count += 1
    }
}

extension BlockedArray: Sendable where Element: Sendable {}
