import MartletModel

/// What a parser remembers of a run of bytes: a series as written, a series in canonical form, a table or a field.
struct CacheEntry {
    /// The bytes, in the arena, followed by `TextScan.padding` readable ones.
    let bytes: UnsafeRawPointer
    let length: Int
    let hash: UInt64
    /// What the bytes are unique within: 0, or a table's number.
    let owner: UInt32
    /// Canonical series: its index in the table's dictionary, valid while `batch` is the current one. Fields: the
    /// column.
    var index: UInt32 = 0
    var batch: UInt32 = 0
    /// Series and tables: the table.
    var table: UnsafeMutablePointer<TableState>?
    /// Series as written: its canonical entry.
    var series: UnsafeMutablePointer<CacheEntry>?
    /// Series as written: the one that followed it last time.
    var next: UnsafeMutablePointer<CacheEntry>?
}

typealias EntryPointer = UnsafeMutablePointer<CacheEntry>

/// Memory that is given out piece by piece and taken back all at once.
///
/// Invariant: a piece stays valid and in place until `removeAll` or the end of the arena.
struct Arena: ~Copyable {
    private var chunks: [UnsafeMutableRawPointer] = []
    private var position = 0
    private var capacity = 0
    /// Bytes held.
    private(set) var byteCount = 0

    private static let chunkSize = 64 << 10

    init() {}

    deinit { for chunk in chunks { chunk.deallocate() } }

    /// `count` bytes, aligned to 16.
    mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        let size = (count + 15) & ~15
        if position + size > capacity {
            // Chunks grow with the arena, so that a parser of few series stays small.
            capacity = max(size, min(max(Self.chunkSize, byteCount), 4 << 20))
            chunks.append(.allocate(byteCount: capacity, alignment: 16))
            byteCount += capacity
            position = 0
        }
        defer { position += size }
        return chunks.last! + position
    }

    mutating func removeAll() {
        for chunk in chunks { chunk.deallocate() }
        chunks.removeAll()
        (position, capacity, byteCount) = (0, 0, 0)
    }
}

/// A hash table from bytes to entries: open addressing with linear probing, at most half full.
///
/// Invariants: `slots` has `mask + 1` elements, a power of two; entries and their bytes live in the arena that the
/// caller passes, and `removeAll` is called before that arena is emptied.
struct ByteTable: ~Copyable {
    private var slots: UnsafeMutablePointer<EntryPointer?>
    private var mask: Int
    private(set) var count = 0

    init() {
        mask = 63
        slots = .allocate(capacity: 64)
        slots.initialize(repeating: nil, count: 64)
    }

    deinit { slots.deallocate() }

    /// Bytes held beside the arena.
    var byteCount: Int { (mask + 1) * MemoryLayout<EntryPointer?>.stride }

    func find(_ bytes: UnsafeRawPointer, _ length: Int, hash: UInt64, owner: UInt32) -> EntryPointer? {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while let entry = slots[slot] {
            if entry.pointee.hash == hash && entry.pointee.length == length && entry.pointee.owner == owner
                && RawBytes.equal(entry.pointee.bytes, bytes, length)
            {
                return entry
            }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    /// Adds bytes that are not in the table, copying them.
    mutating func insert(
        _ bytes: UnsafeRawPointer, _ length: Int, hash: UInt64, owner: UInt32, into arena: inout Arena
    ) -> EntryPointer {
        if (count + 1) * 2 > mask + 1 { grow() }
        let memory = arena.allocate(MemoryLayout<CacheEntry>.stride + length + TextScan.padding)
        let copy = memory + MemoryLayout<CacheEntry>.stride
        copy.copyMemory(from: bytes, byteCount: length)
        (copy + length).initializeMemory(as: UInt8.self, repeating: 0, count: TextScan.padding)
        let entry = memory.initializeMemory(
            as: CacheEntry.self, to: CacheEntry(bytes: UnsafeRawPointer(copy), length: length, hash: hash, owner: owner)
        )
        place(entry)
        count += 1
        return entry
    }

    mutating func removeAll() {
        slots.deallocate()
        mask = 63
        slots = .allocate(capacity: 64)
        slots.initialize(repeating: nil, count: 64)
        count = 0
    }

    private func place(_ entry: EntryPointer) {
        var slot = Int(truncatingIfNeeded: entry.pointee.hash) & mask
        while slots[slot] != nil { slot = (slot &+ 1) & mask }
        slots[slot] = entry
    }

    private mutating func grow() {
        let old = slots
        let oldCount = mask + 1
        mask = oldCount * 4 - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: nil, count: mask + 1)
        for index in 0..<oldCount {
            if let entry = old[index] { place(entry) }
        }
        old.deallocate()
    }
}

/// Comparing and hashing of bytes.
enum RawBytes {
    @inline(__always) static func equal(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        memcmp(left, right, count) == 0
    }

    /// A hash of `length` bytes followed by at least eight readable ones: 128-bit products folded together (after
    /// Wang Yi's wyhash). `seed` is secret, so that nobody can prepare bytes that collide.
    static func hash(_ bytes: UnsafeRawPointer, _ length: Int, seed: UInt64) -> UInt64 {
        var state = seed ^ 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index + 16 <= length {
            state = fold(
                TextScan.word(bytes + index) ^ 0xA076_1D64_78BD_642F, TextScan.word(bytes + index + 8) ^ state)
            index += 16
        }
        if index + 8 <= length {
            state = fold(TextScan.word(bytes + index) ^ 0xE703_7ED1_A0B4_28DB, state ^ 0x8EBC_6AF0_9C88_C6E3)
            index += 8
        }
        let rest = TextScan.word(bytes + index) & ((1 &<< UInt64((length - index) &* 8)) &- 1)
        return fold(rest ^ 0x5899_65CC_7537_4CC3, state ^ UInt64(truncatingIfNeeded: length) ^ seed)
    }

    @inline(__always) private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (high, low) = left.multipliedFullWidth(by: right)
        return high ^ low
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
