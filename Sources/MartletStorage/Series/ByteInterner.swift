import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An append-only table from (scope, bytes) to dense ids, `0 ..< count` in the order of insertion.
///
/// Look-ups allocate nothing and touch the stored bytes only where 32 bits of the hash agree: slots of 8 bytes hold
/// the upper half of the hash and id + 1, probed linearly, at most three quarters full. Not thread-safe.
///
/// Invariants of the unsafe parts of this file:
/// - `slots` holds `slotMask + 1` (a power of two) words; 0 marks a free slot, and at least a quarter are free, so
///   that every probe ends;
/// - each of the `count` records' pointers leads to `length` readable bytes in one of `chunks`, which are never moved or
///   freed before `deinit`;
/// - all of it has one owner and is changed by mutating methods only, which is what makes the type `Sendable`.
package struct ByteInterner: ~Copyable, @unchecked Sendable {
    private struct Record: BitwiseCopyable {
        let bytes: UnsafeRawPointer
        let length: UInt32
        let scope: UInt32
    }

    /// The number of entries.
    package var count: Int { records.count }
    private var slots: UnsafeMutablePointer<UInt64>
    private var slotMask: Int
    private var records = BlockedArray<Record>()
    private var chunks: [UnsafeMutableRawPointer] = []
    private var chunkFree = 0
    private var chunkCursor: UnsafeMutableRawPointer?
    private var nextChunkSize = 1 << 12
    private var arenaBytes = 0
    private let seed: UInt64

    private static let largestChunk = 1 << 20

    /// An empty table. The seed keeps strangers from choosing keys that collide.
    package init(seed: UInt64 = .random(in: .min ... .max)) {
        self.seed = seed
        slotMask = 15
        slots = .allocate(capacity: 16)
        slots.initialize(repeating: 0, count: 16)
    }

    deinit {
        slots.deallocate()
        for chunk in chunks { chunk.deallocate() }
    }

    /// Bytes of memory held.
    package var memoryFootprint: Int {
        (slotMask + 1) * MemoryLayout<UInt64>.stride + records.memoryFootprint + arenaBytes
    }

    /// Bytes of memory that adding so many entries may take at once beside what is held: the slots are doubled by copying.
    package func growth(adding entries: Int) -> Int {
        (count + entries) * 4 > (slotMask + 1) * 3 ? 2 * (slotMask + 1) * MemoryLayout<UInt64>.stride : 0
    }

    /// The bytes of entry `id`. The pointer is valid as long as the table.
    package func bytes(of id: UInt32) -> UnsafeRawBufferPointer {
        precondition(id < count, "entry \(id) of \(count)")
        let record = records[Int(id)]
        return UnsafeRawBufferPointer(start: record.bytes, count: Int(record.length))
    }

    /// The scope of entry `id`.
    package func scope(of id: UInt32) -> UInt32 {
        precondition(id < count, "entry \(id) of \(count)")
        return records[Int(id)].scope
    }

    /// The id of an entry, or `nil`. O(length).
    package func find(scope: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32? {
        let hash = SeriesHash.hash(bytes, seed: seed ^ UInt64(scope) &* 0x9e37_79b9_7f4a_7c15)
        let found = slots[probe(hash, scope, bytes)]
        return found == 0 ? nil : UInt32(truncatingIfNeeded: found) &- 1
    }

    /// The id of an entry, which is added if it is new. Amortised O(length).
    package mutating func insert(scope: UInt32, _ bytes: UnsafeRawBufferPointer) -> (id: UInt32, isNew: Bool) {
        let hash = SeriesHash.hash(bytes, seed: seed ^ UInt64(scope) &* 0x9e37_79b9_7f4a_7c15)
        let slot = probe(hash, scope, bytes)
        if slots[slot] != 0 { return (UInt32(truncatingIfNeeded: slots[slot]) &- 1, false) }
        precondition(count < Int(UInt32.max) - 1, "a table of series holds at most 2^32 - 2 entries")
        let id = UInt32(count)
        records.append(Record(bytes: store(bytes), length: UInt32(bytes.count), scope: scope))
        slots[slot] = hash & ~0xffff_ffff | UInt64(id + 1)
        if count * 4 > (slotMask + 1) * 3 { growSlots() }
        return (id, true)
    }

    /// The slot of the entry, or the free slot where it belongs.
    @inline(__always) private func probe(_ hash: UInt64, _ scope: UInt32, _ bytes: UnsafeRawBufferPointer) -> Int {
        var index = Int(truncatingIfNeeded: hash >> 32) & slotMask
        while true {
            let slot = slots[index]
            if slot == 0 { return index }
            if slot >> 32 == hash >> 32 {
                let record = records[Int(UInt32(truncatingIfNeeded: slot) &- 1)]
                if record.scope == scope && Int(record.length) == bytes.count
                    && (bytes.count == 0 || memcmp(record.bytes, bytes.baseAddress!, bytes.count) == 0)
                {
                    return index
                }
            }
            index = (index &+ 1) & slotMask
        }
    }

    private mutating func growSlots() {
        let newMask = (slotMask + 1) * 2 - 1
        let newSlots = UnsafeMutablePointer<UInt64>.allocate(capacity: newMask + 1)
        newSlots.initialize(repeating: 0, count: newMask + 1)
        for old in 0...slotMask where slots[old] != 0 {
            var index = Int(truncatingIfNeeded: slots[old] >> 32) & newMask
            while newSlots[index] != 0 { index = (index + 1) & newMask }
            newSlots[index] = slots[old]
        }
        slots.deallocate()
        slots = newSlots
        slotMask = newMask
    }

    private mutating func store(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawPointer {
        if bytes.count > chunkFree || chunkCursor == nil {
            let size = max(nextChunkSize, bytes.count)
            nextChunkSize = min(nextChunkSize * 2, Self.largestChunk)
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
            chunks.append(chunk)
            arenaBytes += size
            chunkCursor = chunk
            chunkFree = size
        }
        let target = chunkCursor!
        if let source = bytes.baseAddress { target.copyMemory(from: source, byteCount: bytes.count) }
        chunkCursor = target + bytes.count
        chunkFree -= bytes.count
        return UnsafeRawPointer(target)
    }
}
