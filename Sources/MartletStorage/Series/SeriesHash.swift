/// A 64-bit hash of bytes, of the wyhash family (Wang Yi, "wyhash", final version 4): two 64x64 -> 128-bit multiplies
/// per 16 bytes for short keys, three independent lanes for long ones. Not stored anywhere: the function may change.
enum SeriesHash {
    private static let secret: (UInt64, UInt64, UInt64, UInt64) = (
        0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3
    )

    /// The hash of `bytes`. O(count).
    @inline(__always) static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        let count = bytes.count
        guard let base = bytes.baseAddress, count > 0 else { return mix(seed ^ secret.0, secret.1) }
        var state = seed ^ mix(seed ^ secret.0, secret.1)
        var left: UInt64
        var right: UInt64
        if count <= 16 {
            if count >= 4 {
                let step = (count >> 3) << 2
                left = word32(base) << 32 | word32(base + step)
                right = word32(base + count - 4) << 32 | word32(base + count - 4 - step)
            } else {
                left =
                    UInt64(base.load(as: UInt8.self)) << 16
                    | UInt64((base + (count >> 1)).load(as: UInt8.self)) << 8
                    | UInt64((base + count - 1).load(as: UInt8.self))
                right = 0
            }
        } else {
            var rest = count
            var cursor = base
            if rest > 48 {
                var second = state
                var third = state
                repeat {
                    state = mix(word64(cursor) ^ secret.1, word64(cursor + 8) ^ state)
                    second = mix(word64(cursor + 16) ^ secret.2, word64(cursor + 24) ^ second)
                    third = mix(word64(cursor + 32) ^ secret.3, word64(cursor + 40) ^ third)
                    cursor += 48
                    rest -= 48
                } while rest > 48
                state ^= second ^ third
            }
            while rest > 16 {
                state = mix(word64(cursor) ^ secret.1, word64(cursor + 8) ^ state)
                cursor += 16
                rest -= 16
            }
            left = word64(cursor + rest - 16)
            right = word64(cursor + rest - 8)
        }
        let (high, low) = (left ^ secret.1).multipliedFullWidth(by: right ^ state)
        return mix(low ^ secret.0 ^ UInt64(count), high ^ secret.1)
    }

    @inline(__always) private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (high, low) = left.multipliedFullWidth(by: right)
        return high ^ low
    }

    @inline(__always) private static func word32(_ pointer: UnsafeRawPointer) -> UInt64 {
        UInt64(pointer.loadUnaligned(as: UInt32.self))
    }

    @inline(__always) private static func word64(_ pointer: UnsafeRawPointer) -> UInt64 {
        pointer.loadUnaligned(as: UInt64.self)
    }
}
