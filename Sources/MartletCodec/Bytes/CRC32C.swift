import CMartletKernels
import MartletModel

/// The CRC-32C of RFC 3720 (Castagnoli polynomial, reflected), as segments and the wire protocol use it.
package enum CRC32C {
    /// The checksum of `bytes`; `seed` is the checksum of what came before them, `0` at the start. O(n).
    ///
    /// `checksum(b, seed: checksum(a))` is the checksum of `a` followed by `b`.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return seed }
        #if arch(x86_64)
            if martlet_has_sse42() != 0 { return martlet_crc32c(seed, base, bytes.count) }
        #endif
        return portable(bytes, seed: seed)
    }

    /// The same by table look-up, eight bytes a step (slicing-by-8, Kounavis and Berry, 2008): the twin of the C kernel.
    static func portable(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        var crc = ~seed
        var index = 0
        tables.withUnsafeBufferPointer { table in
            while index + 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
                let mixed = word ^ UInt64(crc)
                var next: UInt32 = 0
                for lane in 0..<8 {
                    let byte = Int(truncatingIfNeeded: (mixed >> UInt64(8 * lane)) & 0xff)
                    next ^= table[(7 - lane) * 256 + byte]
                }
                crc = next
                index += 8
            }
            while index < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[index])) & 0xff)]
                index += 1
            }
        }
        return ~crc
    }

    /// Eight tables of 256 entries; table `k` advances a byte by `k` more zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
            tables[byte] = crc
        }
        for entry in 256..<(8 * 256) {
            let previous = tables[entry - 256]
            tables[entry] = (previous >> 8) ^ tables[Int(previous & 0xff)]
        }
        return tables
    }()
}
