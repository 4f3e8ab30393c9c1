import MartletModel

/// Packing of unsigned numbers into `width` bits each, least significant bit first.
///
/// Invariants of the unsafe parts: `unpack` reads at most `Buffer.padding` bytes past the packed bytes, so these must lie
/// in a `Buffer`; both ends of `pack` are sized by the caller's counts.
enum BitPacker {
    /// The bits that `value` needs; 0 for 0.
    @inline(__always) static func width(of value: UInt64) -> Int { 64 - value.leadingZeroBitCount }

    /// Appends `count` values of `width` bits. `count * width` must be a multiple of 8.
    static func pack<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ values: UnsafePointer<T>, count: Int, width: Int, into target: inout MutableBuffer
    ) {
        guard width > 0 else { return }
        let size = count * width / 8
        target.reserve(size + 8)
        let out = target.base + target.byteCount
        var offset = 0
        var word: UInt64 = 0
        var used = 0
        for index in 0..<count {
            let value = UInt64(truncatingIfNeeded: values[index])
            word |= value << UInt64(used)
            used &+= width
            if used >= 64 {
                out.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self)
                offset &+= 8
                used &-= 64
                word = used == 0 ? 0 : value >> UInt64(width &- used)
            }
        }
        if used > 0 { out.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self) }
        target.byteCount += size
    }

    /// Reads `count` values of `width` bits from `source`, starting `first` values in.
    @inline(__always)
    static func unpack<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ source: UnsafeRawPointer, first: Int, count: Int, width: Int, into target: UnsafeMutablePointer<T>
    ) {
        guard width > 0 else {
            for index in 0..<count { target[index] = 0 }
            return
        }
        let mask = UInt64.max >> UInt64(64 &- width)
        var bit = first &* width
        if width <= 56 {
            for index in 0..<count {
                let word = source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self).littleEndian
                target[index] = T(truncatingIfNeeded: (word &>> UInt64(bit & 7)) & mask)
                bit &+= width
            }
        } else {
            for index in 0..<count {
                let shift = UInt64(bit & 7)
                let low = source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self).littleEndian
                let high = UInt64(source.load(fromByteOffset: (bit &>> 3) &+ 8, as: UInt8.self))
                let word = shift == 0 ? low : (low &>> shift) | (high &<< (64 &- shift))
                target[index] = T(truncatingIfNeeded: word & mask)
                bit &+= width
            }
        }
    }
}
