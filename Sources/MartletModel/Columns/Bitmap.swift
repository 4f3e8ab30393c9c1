/// Reading and writing of Arrow-style bitmaps: bit `i` is bit `i % 8` of byte `i / 8`, least significant first.
public enum Bitmap {
    /// The number of bytes that hold `count` bits.
    @inlinable public static func byteCount(forBits count: Int) -> Int { (count + 7) >> 3 }

    /// Whether bit `index` is set.
    @inlinable public static func isSet(_ bits: UnsafeRawPointer, _ index: Int) -> Bool {
        bits.load(fromByteOffset: index >> 3, as: UInt8.self) & (1 << UInt8(truncatingIfNeeded: index & 7)) != 0
    }

    /// Sets bit `index`.
    @inlinable public static func set(_ bits: UnsafeMutableRawPointer, _ index: Int) {
        let byte = bits.load(fromByteOffset: index >> 3, as: UInt8.self)
        bits.storeBytes(
            of: byte | (1 << UInt8(truncatingIfNeeded: index & 7)), toByteOffset: index >> 3, as: UInt8.self)
    }

    /// Clears bit `index`.
    @inlinable public static func clear(_ bits: UnsafeMutableRawPointer, _ index: Int) {
        let byte = bits.load(fromByteOffset: index >> 3, as: UInt8.self)
        bits.storeBytes(
            of: byte & ~(1 << UInt8(truncatingIfNeeded: index & 7)), toByteOffset: index >> 3, as: UInt8.self)
    }

    /// The number of set bits among the first `count`. O(count / 64).
    public static func countSet(_ bits: UnsafeRawPointer, count: Int) -> Int {
        var total = 0
        let words = count >> 6
        for word in 0..<words {
            total += bits.loadUnaligned(fromByteOffset: word << 3, as: UInt64.self).nonzeroBitCount
        }
        var index = words << 6
        while index < count {
            if isSet(bits, index) { total += 1 }
            index += 1
        }
        return total
    }
}

/// Builds a bitmap bit by bit.
public struct BitmapBuilder: ~Copyable {
    private var buffer: MutableBuffer
    /// Bits appended so far.
    public private(set) var count = 0
    /// Bits appended as `false` so far.
    public private(set) var clearCount = 0

    /// Makes room for `capacity` bits.
    public init(capacity: Int = 0) { buffer = MutableBuffer(capacity: Bitmap.byteCount(forBits: capacity)) }

    /// Appends one bit. Amortised O(1).
    public mutating func append(_ bit: Bool) {
        if count & 7 == 0 { buffer.append(UInt8(0)) }
        if bit { Bitmap.set(buffer.base, count) } else { clearCount += 1 }
        count += 1
    }

    /// Appends `count` equal bits.
    public mutating func append(repeating bit: Bool, count repeats: Int) {
        for _ in 0..<repeats { append(bit) }
    }

    /// The finished bitmap.
    public consuming func finish() -> Buffer { buffer.finish() }
}
