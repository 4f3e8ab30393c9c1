import MartletModel

/// Writes numbers of any number of bits, least significant first.
struct BitWriter: ~Copyable {
    private(set) var buffer: MutableBuffer
    private var pending: UInt64 = 0
    private var count = 0

    init(capacity: Int) { buffer = MutableBuffer(capacity: capacity) }

    /// Appends the low `width` bits, at most 56, of a number that has no others set.
    @inline(__always) mutating func append(_ value: UInt64, width: Int) {
        pending |= value &<< UInt64(count)
        count &+= width
        if count >= 8 {
            buffer.reserve(8)
            (buffer.base + buffer.byteCount).storeBytes(of: pending.littleEndian, as: UInt64.self)
            buffer.byteCount &+= count >> 3
            // At most 7 + 56 bits are pending, so the shift is at most 56.
            pending &>>= UInt64(count & ~7)
            count &= 7
        }
    }

    /// Appends a positive number: its bit length less one in unary, then its lower bits (Elias' gamma code).
    mutating func append(gamma value: UInt64) {
        let length = BitPacking.bitLength(value)
        append(1 << UInt64(length - 1), width: length)
        append(value & BitPacking.mask(length - 1), width: length - 1)
    }

    /// Fills the last byte with zeros.
    mutating func align() {
        if count > 0 {
            buffer.append(UInt8(truncatingIfNeeded: pending))
            pending = 0
            count = 0
        }
    }
}

/// Reads what a `BitWriter` wrote; bits beyond the end throw.
struct BitReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Bytes used up so far, the current one included.
    var byteCount: Int { (position + 7) >> 3 }

    mutating func read(_ width: Int) throws(MartletError) -> UInt64 {
        guard width > 0 else { return 0 }
        guard let base = bytes.baseAddress, position + width <= bytes.count * 8 else {
            throw corrupt("a bit string ends too soon")
        }
        defer { position += width }
        return BitPacking.bits(base, at: position, width: width)
    }

    mutating func gamma() throws(MartletError) -> UInt64 {
        var zeros = 0
        while try read(1) == 0 {
            zeros += 1
            guard zeros < 32 else { throw corrupt("a gamma code of more than 32 bits") }
        }
        return 1 << UInt64(zeros) | (try read(zeros))
    }
}
