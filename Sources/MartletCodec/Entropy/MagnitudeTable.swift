/// What a decoder needs to turn symbols into magnitudes: for each symbol its least magnitude, shifted left by 8, and the
/// number of raw bits that follow.
struct MagnitudeTable {
    let entries: [UInt64]
    /// The most raw bits of a symbol.
    let longest: UInt32
    /// The bits of the largest magnitude.
    let longestMagnitude: Int
    /// Symbols below this are their own magnitudes, without raw bits.
    let plain: Int

    var hasRawBits: Bool { longest > 0 }

    init(_ alphabet: Alphabet) {
        let code = alphabet.code
        entries = alphabet.codes.map { code.base($0) &<< 8 | UInt64(code.rawLength($0)) }
        let last = alphabet.codes.last ?? 0
        longest = UInt32(code.rawLength(last))
        longestMagnitude = BitPacking.bitLength(code.base(last) | BitPacking.mask(code.rawLength(last)))
        var plain = 0
        while plain < min(255, entries.count) && entries[plain] == UInt64(plain) << 8 { plain += 1 }
        self.plain = plain
    }
}
