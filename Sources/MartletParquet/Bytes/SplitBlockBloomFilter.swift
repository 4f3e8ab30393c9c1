import MartletModel

/// Parquet's split-block bloom filter (Putze, Sanders and Singler, 2007): blocks of 256 bits, of which each value sets
/// one bit in each of the eight 32-bit words.
struct SplitBlockBloomFilter {
    private var words: [UInt32]

    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    /// A filter for `distinctCount` values with about `falsePositiveRate` false positives, of at most `byteLimit` bytes.
    init(distinctCount: Int, falsePositiveRate: Double, byteLimit: Int) {
        let bits = Self.bits(distinctCount: distinctCount, falsePositiveRate: falsePositiveRate)
        var bytes = 32
        while bytes * 8 < bits && bytes * 2 <= byteLimit { bytes *= 2 }
        words = [UInt32](repeating: 0, count: bytes / 4)
    }

    /// A filter read from a file.
    ///
    /// - Throws: `.corrupt` when the bytes are not whole blocks.
    init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard bytes.count >= 32, bytes.count % 32 == 0 else {
            throw MartletError(.corrupt, "a bloom filter of \(bytes.count) bytes is not made of 32-byte blocks")
        }
        words = (0..<bytes.count / 4).map {
            bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self).littleEndian
        }
    }

    /// Bits for the wanted rate: `-8 n / ln(1 - p^(1/8))`, as the format's page on bloom filters derives.
    private static func bits(distinctCount: Int, falsePositiveRate: Double) -> Int {
        // The function is only wanted to a few per cent, so tabulated bits per value do, without a logarithm.
        let perValue: Double =
            switch falsePositiveRate {
            case ..<0.0005: 20
            case ..<0.005: 15.5
            case ..<0.02: 9.7
            default: 6
            }
        return Int(Double(max(distinctCount, 1)) * perValue)
    }

    /// The filter's bytes as they lie in a file.
    var byteCount: Int { words.count * 4 }

    /// Adds a value by its hash. O(1).
    mutating func insert(_ hash: UInt64) {
        let block = self.block(hash)
        let key = UInt32(truncatingIfNeeded: hash)
        for lane in 0..<8 { words[block + lane] |= 1 << ((key &* Self.salts[lane]) >> 27) }
    }

    /// Whether a value with this hash may have been added; never false for one that was. O(1).
    func mayContain(_ hash: UInt64) -> Bool {
        let block = self.block(hash)
        let key = UInt32(truncatingIfNeeded: hash)
        for lane in 0..<8 where words[block + lane] & (1 << ((key &* Self.salts[lane]) >> 27)) == 0 { return false }
        return true
    }

    /// Appends the filter's bytes.
    func encode(into buffer: inout MutableBuffer) {
        for word in words { buffer.append(word.littleEndian) }
    }

    private func block(_ hash: UInt64) -> Int {
        Int(((hash >> 32) &* UInt64(words.count / 8)) >> 32) * 8
    }
}
