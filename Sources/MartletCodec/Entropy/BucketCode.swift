/// Codes for magnitudes: small numbers have a code each; larger ones share a code with those of the same bit length and
/// the same `precision` bits below the highest, and keep their other bits raw.
///
/// With precision m, numbers below 2^(m+1) are their own code; a number of L bits has the code
/// 2^(m+1) + (L - m - 2) * 2^m + its m bits below the highest, and L - 1 - m raw bits.
struct BucketCode {
    static let highestPrecision = 5
    /// One more than the largest code of the highest precision.
    static let codeLimit = 64 + 58 * 32
    /// The most bits of a magnitude: a table entry holds the least magnitude of a code beside the number of raw bits in 64
    /// bits, and a reader gets 57 bits at any bit offset at once.
    static let longestMagnitude = 56

    let precision: Int

    @inline(__always) func code(_ value: UInt64) -> Int {
        let direct = UInt64(2) &<< UInt64(precision)
        if value < direct { return Int(value) }
        let raw = BitPacking.bitLength(value) &- 1 &- precision
        // The leading 1 and the precision bits are value >> raw, in 2^m ..< 2^(m+1); raw starts at 1.
        return raw &<< precision &+ Int(truncatingIfNeeded: value &>> UInt64(raw))
    }

    @inline(__always) func rawLength(_ code: Int) -> Int { max(0, (code &>> precision) &- 1) }

    @inline(__always) func base(_ code: Int) -> UInt64 {
        let raw = rawLength(code)
        return UInt64(code &- raw &<< precision) &<< UInt64(raw)
    }

    /// Whether the magnitudes of a code are of at most `longestMagnitude` bits.
    func isSupported(_ code: Int) -> Bool { rawLength(code) + precision + 1 <= Self.longestMagnitude }
}
