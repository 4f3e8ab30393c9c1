import MartletModel

/// Strings by number: each distinct one is kept once, until too many turn out to be new.
///
/// Invariants of the unsafe parts: `offsets` holds `count + 1` ascending offsets into `bytes`; `slots` holds entry
/// numbers below `count` or `free`, and at least half of them are free. Less than 4 GiB are kept, because a row group is
/// written out long before and one batch adds at most 2 GiB.
struct StringStore: ~Copyable {
    private var offsets = MutableBuffer(capacity: 0)
    private var bytes = MutableBuffer(capacity: 0)
    private var hashes = MutableBuffer(capacity: 0)
    private var slots: [UInt32]
    private(set) var count = 0
    /// Whether equal strings still get equal numbers.
    private(set) var isDistinct = true

    private static let free = UInt32.max
    private static let initialSlots = 1024

    init() {
        slots = [UInt32](repeating: Self.free, count: Self.initialSlots)
        offsets.append(UInt32(0))
    }

    var byteCount: Int { offsets.byteCount + bytes.byteCount + hashes.byteCount + slots.count * 4 }
    /// Bytes of all strings.
    var textByteCount: Int { bytes.byteCount }

    mutating func reset(keepingCapacity: Bool) {
        offsets.clear(keepingCapacity: keepingCapacity)
        offsets.append(UInt32(0))
        bytes.clear(keepingCapacity: keepingCapacity)
        hashes.clear(keepingCapacity: keepingCapacity)
        if count > 0 || !isDistinct { slots = [UInt32](repeating: Self.free, count: Self.initialSlots) }
        count = 0
        isDistinct = true
    }

    /// Gives up looking for equal strings, which saves time and memory where nearly all are new.
    mutating func stopDeduplicating() {
        isDistinct = false
        slots = []
        hashes = MutableBuffer(capacity: 0)
    }

    /// The number of a string. Amortised O(length).
    mutating func insert(_ text: UnsafeRawBufferPointer) -> UInt32 {
        guard isDistinct else { return add(text) }
        let hash = XXHash64.hash(text)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != Self.free {
            let entry = Int(slots[slot])
            if self.hash(entry) == hash, Self.isEqual(self[entry], text) { return UInt32(entry) }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(count)
        hashes.append(hash)
        let index = add(text)
        if count * 2 > slots.count { grow() }
        return index
    }

    /// The bytes of string `index`; valid until the next insertion.
    subscript(index: Int) -> UnsafeRawBufferPointer {
        let offsets = offsets.base.assumingMemoryBound(to: UInt32.self)
        let start = Int(offsets[index])
        return UnsafeRawBufferPointer(start: bytes.base + start, count: Int(offsets[index + 1]) - start)
    }

    /// The length of string `index`.
    @inline(__always) func length(_ index: Int) -> Int {
        let offsets = offsets.base.assumingMemoryBound(to: UInt32.self)
        return Int(offsets[index + 1] - offsets[index])
    }

    /// XXH64 of string `index`.
    func hash(_ index: Int) -> UInt64 {
        isDistinct ? hashes.base.assumingMemoryBound(to: UInt64.self)[index] : XXHash64.hash(self[index])
    }

    private mutating func add(_ text: UnsafeRawBufferPointer) -> UInt32 {
        bytes.append(text)
        offsets.append(UInt32(bytes.byteCount))
        count += 1
        return UInt32(count - 1)
    }

    private mutating func grow() {
        slots = [UInt32](repeating: Self.free, count: slots.count * 2)
        let mask = slots.count - 1
        for entry in 0..<count {
            var slot = Int(truncatingIfNeeded: hash(entry)) & mask
            while slots[slot] != Self.free { slot = (slot + 1) & mask }
            slots[slot] = UInt32(entry)
        }
    }

    /// Whether two byte strings are equal.
    static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        left.count == right.count && commonPrefix(left, right) == left.count
    }

    /// Whether `left` comes before `right` by unsigned bytes.
    static func isLess(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let common = commonPrefix(left, right)
        if common == right.count { return false }
        if common == left.count { return true }
        return left[common] < right[common]
    }

    /// The number of bytes at the start that are the same.
    static func commonPrefix(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let limit = min(left.count, right.count)
        guard limit > 0, let left = left.baseAddress, let right = right.baseAddress else { return 0 }
        var index = 0
        while index &+ 8 <= limit {
            let difference =
                left.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
                ^ right.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
            if difference != 0 { return index &+ difference.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < limit,
            left.load(fromByteOffset: index, as: UInt8.self) == right.load(fromByteOffset: index, as: UInt8.self)
        {
            index &+= 1
        }
        return index
    }
}
