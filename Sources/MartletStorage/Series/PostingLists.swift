/// Many append-only lists of ascending series ids in blocks of memory that are never moved.
///
/// A list of one id takes no room here: its head holds the id. A longer one is a chain of chunks, each double the size
/// of the one before up to a limit, so that at most about half of the memory is unused and no list is ever moved.
struct PostingLists {
    /// Where one list begins: held by its owner.
    struct Head: Sendable, BitwiseCopyable {
        /// The number of ids.
        fileprivate(set) var count: UInt32 = 0
        /// The only id, or the newest chunk's index.
        fileprivate var place: UInt32 = 0

        init() {}
    }

    /// Chunks: previous chunk's place or `none`, ids used, then room for ids. The room's size is in the upper half of
    /// the second word. A chunk lies in one block; its place is the block's number and, in the lower half, the word. Only
    /// the first block grows by copying, up to the size of a block.
    private var blocks: [[UInt32]] = []

    private static let none = UInt32.max
    private static let largestChunk = 512
    private static let blockWords = 1 << 16

    /// Bytes of memory held.
    var memoryFootprint: Int {
        blocks.isEmpty ? 0 : (blocks[0].capacity + (blocks.count - 1) * Self.blockWords) * 4
    }

    /// Appends `id`, which must be greater than all ids of the list.
    mutating func append(_ id: UInt32, to head: inout Head) {
        switch head.count {
        case 0: head.place = id
        case 1:
            let first = head.place
            head.place = allocate(previous: Self.none, room: 2)
            push(first, to: head.place)
            push(id, to: head.place)
        default:
            let state = blocks[Int(head.place >> 16)][Int(head.place & 0xffff) + 1]
            let room = Int(state >> 16)
            if Int(state & 0xffff) == room {
                head.place = allocate(previous: head.place, room: min(room * 2, Self.largestChunk))
            }
            push(id, to: head.place)
        }
        head.count += 1
    }

    private mutating func allocate(previous: UInt32, room: Int) -> UInt32 {
        if blocks.isEmpty || blocks[blocks.count - 1].count + room + 2 > Self.blockWords {
            precondition(blocks.count < 1 << 16 - 1, "the tag index is full")
            var block: [UInt32] = []
            if !blocks.isEmpty { block.reserveCapacity(Self.blockWords) }
            blocks.append(block)
        }
        let last = blocks.count - 1
        let place = UInt32(last) << 16 | UInt32(blocks[last].count)
        blocks[last].append(previous)
        blocks[last].append(UInt32(room) << 16)
        blocks[last].append(contentsOf: repeatElement(0, count: room))
        return place
    }

    private mutating func push(_ id: UInt32, to chunk: UInt32) {
        let (block, word) = (Int(chunk >> 16), Int(chunk & 0xffff))
        let used = Int(blocks[block][word + 1] & 0xffff)
        blocks[block][word + 2 + used] = id
        blocks[block][word + 1] += 1
    }

    /// Calls `body` with every id of a list: chunk by chunk, the newest chunk first, ascending within one.
    func forEach(_ head: Head, _ body: (UInt32) -> Void) {
        if head.count == 0 { return }
        if head.count == 1 { return body(head.place) }
        var chunk = head.place
        while chunk != Self.none {
            chunk = blocks[Int(chunk >> 16)].withUnsafeBufferPointer { words in
                let start = Int(chunk & 0xffff) + 2
                for index in start..<start + Int(words[start - 1] & 0xffff) { body(words[index]) }
                return words[start - 2]
            }
        }
    }

    /// The union of lists that are disjoint or not, all below `limit`.
    func bitmap(of heads: some Sequence<Head>, limit: UInt32) -> SeriesBitmap {
        let heads = Array(heads)
        let total = heads.reduce(0) { $0 + Int($1.count) }
        if total * 32 < Int(limit) {
            var ids: [UInt32] = []
            ids.reserveCapacity(total)
            for head in heads { forEach(head) { if $0 < limit { ids.append($0) } } }
            ids.sort()
            var result = SeriesBitmap()
            for id in ids { result.insert(id) }  // lists may share ids
            return result
        }
        var bits = [UInt64](repeating: 0, count: (Int(limit) + 63) / 64)
        return bits.withUnsafeMutableBufferPointer { bits in
            for head in heads {
                forEach(head) { if $0 < limit { bits[Int($0 >> 6)] |= 1 << UInt64($0 & 63) } }
            }
            return SeriesBitmap(words: UnsafeBufferPointer(bits))
        }
    }
}
