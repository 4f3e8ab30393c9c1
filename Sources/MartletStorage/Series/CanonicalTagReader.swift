import MartletModel

/// Walks `TagSet.canonicalBytes` without making strings: per tag a LEB128 length and the key, a LEB128 length and the
/// value.
struct CanonicalTagReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// Starts at the first tag. The bytes must outlive the reader and what it returns.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next tag, or `nil` at the end.
    ///
    /// - Throws: `.corrupt` when the bytes are cut off.
    mutating func next() throws(MartletError) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        if offset == bytes.count { return nil }
        let key = try text()
        return (key, try text())
    }

    private mutating func text() throws(MartletError) -> UnsafeRawBufferPointer {
        var length = 0
        var shift = 0
        while true {
            guard offset < bytes.count, shift <= 28 else {
                throw MartletError(.corrupt, "a tag's length is cut off or too large at byte \(offset)")
            }
            let byte = bytes[offset]
            offset += 1
            length |= Int(byte & 0x7f) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard length <= bytes.count - offset else {
            throw MartletError(.corrupt, "a tag of \(length) bytes is cut off at byte \(offset)")
        }
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }
}

extension MutableBuffer {
    /// Appends `number` in LEB128: seven bits a byte, least significant first, the top bit set on all but the last.
    mutating func appendLEB128(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
