/// XXH64 with seed 0 (Collet's `xxhash_spec.md`): the hash of Parquet's bloom filters, and of this module's tables.
enum XXHash64 {
    private static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
    private static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
    private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
    private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
    private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

    /// The hash of `bytes`. O(n).
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let base = bytes.baseAddress else { return avalanche(prime5) }
        var index = 0
        var hash: UInt64
        if bytes.count >= 32 {
            var lanes = (prime1 &+ prime2, prime2, UInt64(0), 0 &- prime1)
            while index &+ 32 <= bytes.count {
                lanes.0 = round(lanes.0, load64(base, index))
                lanes.1 = round(lanes.1, load64(base, index &+ 8))
                lanes.2 = round(lanes.2, load64(base, index &+ 16))
                lanes.3 = round(lanes.3, load64(base, index &+ 24))
                index &+= 32
            }
            hash = rotate(lanes.0, 1) &+ rotate(lanes.1, 7) &+ rotate(lanes.2, 12) &+ rotate(lanes.3, 18)
            hash = merge(hash, lanes.0)
            hash = merge(hash, lanes.1)
            hash = merge(hash, lanes.2)
            hash = merge(hash, lanes.3)
        } else {
            hash = prime5
        }
        hash = hash &+ UInt64(bytes.count)
        while index &+ 8 <= bytes.count {
            hash ^= round(0, load64(base, index))
            hash = rotate(hash, 27) &* prime1 &+ prime4
            index &+= 8
        }
        if index &+ 4 <= bytes.count {
            let word = base.loadUnaligned(fromByteOffset: index, as: UInt32.self).littleEndian
            hash ^= UInt64(word) &* prime1
            hash = rotate(hash, 23) &* prime2 &+ prime3
            index &+= 4
        }
        while index < bytes.count {
            hash ^= UInt64(base.load(fromByteOffset: index, as: UInt8.self)) &* prime5
            hash = rotate(hash, 11) &* prime1
            index &+= 1
        }
        return avalanche(hash)
    }

    /// The hash of the eight little-endian bytes of `word`. O(1).
    @inline(__always) static func hash(_ word: UInt64) -> UInt64 {
        var hash = prime5 &+ 8
        hash ^= round(0, word)
        hash = rotate(hash, 27) &* prime1 &+ prime4
        return avalanche(hash)
    }

    @inline(__always) private static func load64(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        base.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
    }

    @inline(__always) private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        (value << count) | (value >> (64 &- count))
    }

    @inline(__always) private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* prime2, 31) &* prime1
    }

    @inline(__always) private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
        (hash ^ round(0, lane)) &* prime1 &+ prime4
    }

    @inline(__always) private static func avalanche(_ value: UInt64) -> UInt64 {
        var hash = value
        hash ^= hash >> 33
        hash = hash &* prime2
        hash ^= hash >> 29
        hash = hash &* prime3
        return hash ^ (hash >> 32)
    }
}
