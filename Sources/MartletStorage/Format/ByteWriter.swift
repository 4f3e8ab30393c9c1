import MartletModel

/// Writes the primitive values that all of the storage formats are made of; format-spec/segment.md names them.
struct ByteWriter: ~Copyable {
    var buffer: MutableBuffer

    /// A writer with room for `capacity` bytes.
    init(capacity: Int = 256) { buffer = MutableBuffer(capacity: capacity) }

    /// Bytes written so far.
    var count: Int { buffer.byteCount }
    /// What was written. The pointer is valid until the next write.
    var bytes: UnsafeRawBufferPointer { buffer.bytes }

    mutating func u8(_ value: UInt8) { buffer.append(value) }
    mutating func u16(_ value: UInt16) { buffer.append(value.littleEndian) }
    mutating func u32(_ value: UInt32) { buffer.append(value.littleEndian) }
    mutating func u64(_ value: UInt64) { buffer.append(value.littleEndian) }
    mutating func i64(_ value: Int64) { buffer.append(value.littleEndian) }

    /// An unsigned LEB128 number.
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(truncatingIfNeeded: rest))
    }

    /// A count or length as an unsigned LEB128 number.
    mutating func varint(_ value: Int) { varint(UInt64(value)) }

    /// A signed number, zigzag-coded into an unsigned LEB128 number.
    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: (value &<< 1) ^ (value >> 63))) }

    /// Raw bytes without a length.
    mutating func raw(_ bytes: UnsafeRawBufferPointer) { buffer.append(bytes) }

    /// A length and bytes.
    mutating func blob(_ bytes: UnsafeRawBufferPointer) {
        varint(bytes.count)
        buffer.append(bytes)
    }

    /// A length and UTF-8 text.
    mutating func text(_ text: String) {
        var copy = text
        copy.withUTF8 { blob(UnsafeRawBufferPointer($0)) }
    }

    /// Overwrites four bytes that were written before.
    mutating func patch(u32 value: UInt32, at offset: Int) {
        precondition(
            offset >= 0 && offset + 4 <= buffer.byteCount, "a patch at \(offset) lies outside what was written")
        buffer.base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Hands the bytes over. Constant time.
    consuming func finish() -> Buffer { buffer.finish() }
}
