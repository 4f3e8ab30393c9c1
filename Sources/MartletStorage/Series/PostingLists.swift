/// Many append-only lists of ascending series ids in one block of memory.
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

    /// Chunks: previous chunk's index or `none`, ids used, then room for ids. The room's size is in the upper half of
    /// the second word.
    private var words: [UInt32] = []

    private static let none = UInt32.max
    private static let largestChunk = 512

    /// Bytes of memory held.
    var memoryFootprint: Int { words.capacity * 4 }

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
            let room = Int(words[Int(head.place) + 1] >> 16)
            if Int(words[Int(head.place) + 1] & 0xffff) == room {
                head.place = allocate(previous: head.place, room: min(room * 2, Self.largestChunk))
            }
            push(id, to: head.place)
        }
        head.count += 1
    }

    private mutating func allocate(previous: UInt32, room: Int) -> UInt32 {
        precondition(words.count < Int(UInt32.max) - 2 * Self.largestChunk, "the tag index is full")
        let index = UInt32(words.count)
        words.append(previous)
        words.append(UInt32(room) << 16)
        words.append(contentsOf: repeatElement(0, count: room))
        return index
    }

    private mutating func push(_ id: UInt32, to chunk: UInt32) {
        let used = Int(words[Int(chunk) + 1] & 0xffff)
        words[Int(chunk) + 2 + used] = id
        words[Int(chunk) + 1] += 1
    }

    /// Calls `body` with every id of a list: chunk by chunk, the newest chunk first, ascending within one.
    func forEach(_ head: Head, _ body: (UInt32) -> Void) {
        if head.count == 0 { return }
        if head.count == 1 { return body(head.place) }
        words.withUnsafeBufferPointer { words in
            var chunk = head.place
            while chunk != Self.none {
                let start = Int(chunk) + 2
                for index in start..<start + Int(words[start - 1] & 0xffff) { body(words[index]) }
                chunk = words[start - 2]
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
