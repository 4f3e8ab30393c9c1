import MartletModel

/// Reads what `ByteWriter` wrote, with every bound checked: arbitrary bytes give `.corrupt`, never a crash.
///
/// The caller keeps the bytes alive while the reader and the slices it hands out are in use.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// The next byte to read.
    private(set) var offset = 0
    /// What is being read, for messages.
    private let what: StaticString

    /// A reader of `bytes`, called `what` in errors.
    init(_ bytes: UnsafeRawBufferPointer, _ what: StaticString) {
        self.bytes = bytes
        self.what = what
    }

    /// Bytes not yet read.
    var remaining: Int { bytes.count - offset }

    func corrupt(_ reason: String) -> MartletError {
        MartletError(.corrupt, "\(what): \(reason) at byte \(offset) of \(bytes.count)")
    }

    private mutating func load<T: FixedWidthInteger>(_ type: T.Type) throws(MartletError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw corrupt("a number is cut off") }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        offset += MemoryLayout<T>.size
        return T(littleEndian: value)
    }

    mutating func u8() throws(MartletError) -> UInt8 { try load(UInt8.self) }
    mutating func u16() throws(MartletError) -> UInt16 { try load(UInt16.self) }
    mutating func u32() throws(MartletError) -> UInt32 { try load(UInt32.self) }
    mutating func u64() throws(MartletError) -> UInt64 { try load(UInt64.self) }
    mutating func i64() throws(MartletError) -> Int64 { try load(Int64.self) }

    /// An unsigned LEB128 number.
    mutating func varint() throws(MartletError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard offset < bytes.count else { throw corrupt("a number is cut off") }
            let byte = bytes[offset]
            offset += 1
            if shift == 63 && byte > 1 { throw corrupt("a number exceeds 64 bits") }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
            if shift > 63 { throw corrupt("a number exceeds 64 bits") }
        }
    }

    /// A count or index of at most `limit`.
    mutating func count(upTo limit: Int) throws(MartletError) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw corrupt("a count of \(value) exceeds \(limit)") }
        return Int(value)
    }

    /// The count of items that follow, each of at least one byte: bounded by what is left to read.
    mutating func itemCount() throws(MartletError) -> Int { try count(upTo: remaining) }

    /// A zigzag-coded signed number.
    mutating func signed() throws(MartletError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// `count` raw bytes.
    mutating func raw(_ count: Int) throws(MartletError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw corrupt("\(count) bytes are cut off") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    /// A length and bytes.
    mutating func blob() throws(MartletError) -> UnsafeRawBufferPointer { try raw(try count(upTo: remaining)) }

    /// A length and UTF-8 text.
    mutating func text() throws(MartletError) -> String {
        let bytes = try blob()
        guard let text = String(validating: bytes, as: UTF8.self) else { throw corrupt("text is not UTF-8") }
        return text
    }

    /// - Throws: `.corrupt` when bytes are left over.
    func expectEnd() throws(MartletError) {
        if remaining != 0 { throw corrupt("\(remaining) bytes are left over") }
    }
}
