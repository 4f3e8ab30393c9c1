/// Packing of numbers into `width` bits each: the portable twin of the kernels in C, and the format's definition.
///
/// Two layouts (format-spec/blocks.md):
/// - **interleaved**, for a full vector of 1,024 numbers: lane `i % lanes` holds number `i` in row `i / lanes`, and the
///   rows of one lane are packed least significant bit first into that lane's words, which lie `lanes` words apart.
///   32 lanes of 32-bit words for widths up to 32, else 16 lanes of 64-bit words. All lanes shift alike, so that
///   compilers and SIMD units take eight at a time.
/// - **sequential**, for shorter vectors: number after number, least significant bit first.
///
/// Invariants of the unsafe code: an interleaved vector of width `w` is `128 * w` bytes and readers check that before
/// they call; a sequential one is `byteCount(n, w)` bytes and never read beyond.
enum BitPacking {
    static let vectorLength = 1024

    /// The bytes of `count` numbers in the layout that this count gets.
    @inline(__always) static func byteCount(_ count: Int, width: Int) -> Int {
        count == vectorLength ? 128 * width : (count * width + 7) >> 3
    }

    @inline(__always) static func bitLength(_ value: UInt64) -> Int { 64 - value.leadingZeroBitCount }

    @inline(__always) static func mask(_ width: Int) -> UInt64 { width >= 64 ? .max : (1 &<< UInt64(width)) &- 1 }

    // MARK: Packing

    /// Packs the low `width` bits of 1,024 numbers; `output` holds `128 * width` bytes, all zero.
    static func packVector(_ input: UnsafePointer<UInt64>, width: Int, into output: UnsafeMutableRawPointer) {
        if width == 0 { return }
        if width <= 32 {
            let words = output.assumingMemoryBound(to: UInt32.self)
            let mask = UInt32(truncatingIfNeeded: mask(width))
            for row in 0..<32 {
                let bit = row &* width
                let shift = UInt32(truncatingIfNeeded: bit & 31)
                let target = words + (bit >> 5) &* 32
                let source = input + row &* 32
                for lane in 0..<32 {
                    target[lane] |= (UInt32(truncatingIfNeeded: source[lane]) & mask) &<< shift
                }
                if Int(shift) &+ width > 32 {
                    for lane in 0..<32 {
                        target[lane &+ 32] = (UInt32(truncatingIfNeeded: source[lane]) & mask) &>> (32 &- shift)
                    }
                }
            }
        } else {
            let words = output.assumingMemoryBound(to: UInt64.self)
            let mask = mask(width)
            for row in 0..<64 {
                let bit = row &* width
                let shift = UInt64(truncatingIfNeeded: bit & 63)
                let target = words + (bit >> 6) &* 16
                let source = input + row &* 16
                for lane in 0..<16 { target[lane] |= (source[lane] & mask) &<< shift }
                if Int(shift) &+ width > 64 {
                    for lane in 0..<16 { target[lane &+ 16] = (source[lane] & mask) &>> (64 &- shift) }
                }
            }
        }
    }

    /// Packs the low `width` bits of `count` numbers one after the other; `output` holds `byteCount` bytes, all zero.
    static func packSequence(
        _ input: UnsafePointer<UInt64>, count: Int, width: Int, into output: UnsafeMutableRawPointer
    ) {
        if width == 0 { return }
        let size = (count &* width &+ 7) >> 3
        let mask = mask(width)
        var index = 0
        if width <= 56 {
            // Whole words while eight bytes are left; bits beyond the number are zero and OR nothing in.
            while index < count && (index &* width) >> 3 &+ 8 <= size {
                let bit = index &* width
                let place = output + bit >> 3
                let word = place.loadUnaligned(as: UInt64.self)
                place.storeBytes(
                    of: word | (input[index] & mask) &<< UInt64(truncatingIfNeeded: bit & 7), as: UInt64.self)
                index &+= 1
            }
        }
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        var bit = index * width
        while index < count {
            var value = input[index] & mask
            var left = width
            while left > 0 {
                let shift = bit & 7
                let room = min(8 - shift, left)
                bytes[bit >> 3] |= UInt8(truncatingIfNeeded: value &<< UInt64(shift))
                value &>>= UInt64(room)
                bit += room
                left -= room
            }
            index += 1
        }
    }

    // MARK: Unpacking

    /// Unpacks 1,024 numbers of at most 32 bits.
    static func unpackVector32(
        _ input: UnsafeRawPointer, width: Int, into output: UnsafeMutablePointer<UInt32>
    ) {
        if width == 0 {
            output.update(repeating: 0, count: vectorLength)
            return
        }
        let mask = UInt32(truncatingIfNeeded: mask(width))
        for row in 0..<32 {
            let bit = row &* width
            let shift = UInt32(truncatingIfNeeded: bit & 31)
            let low = input + (bit >> 5) &* 128
            let target = output + row &* 32
            if Int(shift) &+ width <= 32 {
                for lane in 0..<32 {
                    let word = low.loadUnaligned(fromByteOffset: lane &* 4, as: UInt32.self)
                    target[lane] = (word &>> shift) & mask
                }
            } else {
                let up = 32 &- shift
                for lane in 0..<32 {
                    let word = low.loadUnaligned(fromByteOffset: lane &* 4, as: UInt32.self)
                    let next = low.loadUnaligned(fromByteOffset: lane &* 4 &+ 128, as: UInt32.self)
                    target[lane] = ((word &>> shift) | (next &<< up)) & mask
                }
            }
        }
    }

    /// Unpacks 1,024 numbers of 33 to 64 bits.
    static func unpackVector64(
        _ input: UnsafeRawPointer, width: Int, into output: UnsafeMutablePointer<UInt64>
    ) {
        let mask = mask(width)
        for row in 0..<64 {
            let bit = row &* width
            let shift = UInt64(truncatingIfNeeded: bit & 63)
            let low = input + (bit >> 6) &* 128
            let target = output + row &* 16
            if Int(shift) &+ width <= 64 {
                for lane in 0..<16 {
                    let word = low.loadUnaligned(fromByteOffset: lane &* 8, as: UInt64.self)
                    target[lane] = (word &>> shift) & mask
                }
            } else {
                let up = 64 &- shift
                for lane in 0..<16 {
                    let word = low.loadUnaligned(fromByteOffset: lane &* 8, as: UInt64.self)
                    let next = low.loadUnaligned(fromByteOffset: lane &* 8 &+ 128, as: UInt64.self)
                    target[lane] = ((word &>> shift) | (next &<< up)) & mask
                }
            }
        }
    }

    /// Unpacks `count` numbers that were packed sequentially into exactly `byteCount` bytes at `input`.
    static func unpackSequence(
        _ input: UnsafeRawPointer, count: Int, width: Int, into output: UnsafeMutablePointer<UInt64>
    ) {
        if width == 0 {
            output.update(repeating: 0, count: count)
            return
        }
        let size = (count &* width &+ 7) >> 3
        let mask = mask(width)
        var bit = 0
        var index = 0
        if width <= 56 {
            while index < count && (bit >> 3) &+ 8 <= size {
                let word = input.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self)
                output[index] = (word &>> UInt64(truncatingIfNeeded: bit & 7)) & mask
                bit &+= width
                index &+= 1
            }
        }
        while index < count {
            output[index] = bits(input, at: bit, width: width)
            bit &+= width
            index &+= 1
        }
    }

    /// The `width` bits from bit `start` on, read byte by byte.
    static func bits(_ input: UnsafeRawPointer, at start: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        var done = 0
        var bit = start
        while done < width {
            let shift = bit & 7
            let taken = min(8 - shift, width - done)
            let byte = UInt64(input.load(fromByteOffset: bit >> 3, as: UInt8.self))
            value |= ((byte &>> UInt64(shift)) & mask(taken)) &<< UInt64(done)
            done += taken
            bit += taken
        }
        return value
    }
}
