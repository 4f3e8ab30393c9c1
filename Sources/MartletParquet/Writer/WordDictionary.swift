/// Distinct 64-bit words in the order in which they were first seen: open addressing with linear probing.
struct WordDictionary {
    private(set) var entries: [UInt64] = []
    private var slots: [UInt32]
    private var mask: Int

    private static let free = UInt32.max

    /// A dictionary with room for `capacity` words before it grows.
    init(capacity: Int) {
        var size = 64
        while size < capacity * 2 { size *= 2 }
        slots = [UInt32](repeating: Self.free, count: size)
        mask = size - 1
    }

    /// The dictionary of `values`, or `nil` when it would take more than `byteLimit` bytes; fills `indices`, which has
    /// room for as many.
    static func build(
        _ values: UnsafeBufferPointer<UInt64>, byteLimit: Int, indices: UnsafeMutablePointer<UInt32>
    ) -> WordDictionary? {
        var dictionary = WordDictionary(capacity: 1024)
        for (position, value) in values.enumerated() {
            indices[position] = dictionary.insert(value)
            if dictionary.count &* 8 > byteLimit { return nil }
        }
        return dictionary
    }

    var count: Int { entries.count }

    /// The index of `word`, which is added when it is new. Amortised O(1).
    mutating func insert(_ word: UInt64) -> UInt32 {
        var slot = Int(truncatingIfNeeded: Self.mix(word)) & mask
        while slots[slot] != Self.free {
            if entries[Int(slots[slot])] == word { return slots[slot] }
            slot = (slot + 1) & mask
        }
        let index = UInt32(entries.count)
        entries.append(word)
        slots[slot] = index
        if entries.count * 2 > slots.count { grow() }
        return index
    }

    private mutating func grow() {
        slots = [UInt32](repeating: Self.free, count: slots.count * 2)
        mask = slots.count - 1
        for (index, word) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: Self.mix(word)) & mask
            while slots[slot] != Self.free { slot = (slot + 1) & mask }
            slots[slot] = UInt32(index)
        }
    }

    /// Fibonacci hashing with the high bits folded down (Knuth, volume 3, 6.4).
    @inline(__always) private static func mix(_ word: UInt64) -> UInt64 {
        let product = word &* 0x9e37_79b9_7f4a_7c15
        return product ^ (product >> 32)
    }
}
