/// The CRC-32 of IEEE 802.3 (polynomial 0x04c11db7, reflected), as gzip computes it: what Parquet puts in page headers.
enum CRC32 {
    /// Eight tables: `table[k * 256 + b]` is the CRC of byte `b` followed by `k` zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 != 0 ? (crc >> 1) ^ 0xedb8_8320 : crc >> 1 }
            tables[byte] = crc
        }
        for step in 1..<8 {
            for byte in 0..<256 {
                let previous = tables[(step - 1) * 256 + byte]
                tables[step * 256 + byte] = (previous >> 8) ^ tables[Int(previous & 0xff)]
            }
        }
        return tables
    }()

    /// The checksum of `bytes`; `seed` is the checksum of what came before them. O(n), eight bytes a step
    /// (slicing-by-8, Kounavis and Berry, 2008).
    static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress else { return seed }
        return tables.withUnsafeBufferPointer { buffer in
            let table = buffer.baseAddress!
            var crc = ~seed
            var index = 0
            while index &+ 8 <= bytes.count {
                let word =
                    base.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian ^ UInt64(crc)
                var next = table[7 &* 256 &+ Int(word & 0xff)]
                next ^= table[6 &* 256 &+ Int((word >> 8) & 0xff)]
                next ^= table[5 &* 256 &+ Int((word >> 16) & 0xff)]
                next ^= table[4 &* 256 &+ Int((word >> 24) & 0xff)]
                next ^= table[3 &* 256 &+ Int((word >> 32) & 0xff)]
                next ^= table[2 &* 256 &+ Int((word >> 40) & 0xff)]
                next ^= table[256 &+ Int((word >> 48) & 0xff)]
                next ^= table[Int(word >> 56)]
                crc = next
                index &+= 8
            }
            while index < bytes.count {
                let byte = base.load(fromByteOffset: index, as: UInt8.self)
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(byte)) & 0xff)]
                index &+= 1
            }
            return ~crc
        }
    }
}
