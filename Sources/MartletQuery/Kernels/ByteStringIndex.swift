import MartletModel

/// A set of byte strings, numbered in the order in which they first came: interning for dictionaries, DISTINCT and
/// joins on text. Open addressing with linear probing over 32-bit fingerprints; O(length) a look-up.
///
/// Unsafe: entry `i` is bytes `starts[i] ..< starts[i + 1]` of `bytes`, which only grows.
struct ByteStringIndex: ~Copyable {
    private var bytes = MutableBuffer(capacity: 256)
    private var starts: [Int] = [0]
    private var slots: [UInt64]
    private var mask: Int

    /// The number of strings.
    var count: Int { starts.count - 1 }
    /// Bytes held.
    var memoryFootprint: Int { bytes.capacity + starts.count * 8 + slots.count * 8 }

    init() {
        slots = [UInt64](repeating: 0, count: 32)
        mask = 31
    }

    /// The number of `key`, which is added if it is new.
    mutating func intern(_ key: UnsafeRawBufferPointer) -> UInt32 {
        let hash = HashMixing.hash(key)
        var slot = Int(truncatingIfNeeded: hash) & mask
        let fingerprint = hash >> 32
        while slots[slot] != 0 {
            let found = slots[slot]
            if found >> 32 == fingerprint {
                let entry = Int(truncatingIfNeeded: found & 0xffff_ffff) - 1
                if Self.equal(entryBytes(entry), key) { return UInt32(entry) }
            }
            slot = (slot + 1) & mask
        }
        let number = UInt32(count)
        slots[slot] = (fingerprint << 32) | UInt64(number + 1)
        store(key)
        return number
    }

    /// The number of `key`, or `nil` when it is not in the set.
    func find(_ key: UnsafeRawBufferPointer) -> UInt32? {
        let hash = HashMixing.hash(key)
        var slot = Int(truncatingIfNeeded: hash) & mask
        let fingerprint = hash >> 32
        while slots[slot] != 0 {
            let found = slots[slot]
            if found >> 32 == fingerprint {
                let entry = Int(truncatingIfNeeded: found & 0xffff_ffff) - 1
                if Self.equal(entryBytes(entry), key) { return UInt32(entry) }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Adds `key` under the next number even if it is in the set; look-ups find the first.
    mutating func appendKeepingPlace(_ key: UnsafeRawBufferPointer) {
        let before = count
        if intern(key) < UInt32(before) { store(key) }
    }

    /// The bytes of string `entry`, until the next mutation.
    func entryBytes(_ entry: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.base + starts[entry], count: starts[entry + 1] - starts[entry])
    }

    private mutating func store(_ key: UnsafeRawBufferPointer) {
        bytes.append(key)
        starts.append(bytes.byteCount)
        if count * 4 > slots.count * 3 { rehash() }
    }

    private mutating func rehash() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        mask = slots.count - 1
        for found in old where found != 0 {
            let entry = Int(truncatingIfNeeded: found & 0xffff_ffff) - 1
            var slot = Int(truncatingIfNeeded: HashMixing.hash(entryBytes(entry))) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = found
        }
    }

    /// All strings as a dictionary. Text over 2 GiB does not fit and is a defect of the caller's limits.
    consuming func finish() -> StringDictionary {
        precondition(bytes.byteCount <= Int(Int32.max), "a dictionary holds at most 2 GiB of text")
        let count = starts.count - 1
        var offsets = MutableBuffer(capacity: starts.count * 4)
        for start in starts { offsets.append(Int32(start)) }
        return StringDictionary(
            offsets: offsets.finish(), bytes: Buffer(copying: bytes.bytes), count: count)
    }

    @inline(__always)
    static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        a.count == b.count && TextKernels.compare(a, b) == 0
    }
}
