import MartletModel

/// The hash of the query layer: 64 x 64 -> 128-bit multiply and fold, as in wyhash (Wang Yi, 2019).
///
/// Not keyed: tables that use it are bounded by the query's memory limit, and probing is linear, so hostile keys cost
/// time within the query's own time limit and nothing else.
enum HashMixing {
    static let seed: UInt64 = 0xa076_1d64_78bd_642f
    static let other: UInt64 = 0xe703_7ed1_a0b4_28db
    /// What a NULL hashes to.
    static let null: UInt64 = 0x8ebc_6af0_9c88_c6e3

    @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    static func hash(_ value: UInt64) -> UInt64 { mix(value ^ seed, other) }

    /// The hash of one more value after `hash`.
    @inline(__always)
    static func combine(_ hash: UInt64, _ next: UInt64) -> UInt64 { mix(hash ^ 0x5895_38a1_4bd3_9c1d, next ^ other) }

    @inline(__always)
    static func hash(_ value: Double) -> UInt64 { hash(canonicalBits(value)) }

    /// Equal floats have equal bits here: one zero and one NaN.
    @inline(__always)
    static func canonicalBits(_ value: Double) -> UInt64 {
        if value == 0 { return 0 }
        return value.isNaN ? Double.nan.bitPattern : value.bitPattern
    }

    @inline(__always)
    static func hash(_ value: Interval) -> UInt64 {
        let total = IntervalMath.comparable(value)
        return combine(hash(UInt64(truncatingIfNeeded: total)), UInt64(truncatingIfNeeded: total >> 64))
    }

    /// Unsafe: reads only bytes `0 ..< bytes.count`.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = seed ^ UInt64(truncatingIfNeeded: bytes.count)
        guard let base = bytes.baseAddress else { return mix(state, other) }
        var offset = 0
        let count = bytes.count
        while offset + 16 <= count {
            let a = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let b = base.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            state = mix(a ^ other, b ^ state)
            offset += 16
        }
        var a: UInt64 = 0
        var b: UInt64 = 0
        let rest = count - offset
        if rest >= 8 {
            a = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            b = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else if rest >= 4 {
            a = UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            b = UInt64(base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        } else {
            for index in 0..<rest { a = (a << 8) | UInt64(base.load(fromByteOffset: offset + index, as: UInt8.self)) }
        }
        return mix(a ^ other, b ^ mix(state, UInt64(truncatingIfNeeded: rest) ^ seed))
    }
}
