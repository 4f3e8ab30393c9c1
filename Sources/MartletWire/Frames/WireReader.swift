import MartletModel

/// Reads a body from front to back; every read checks the end.
///
/// Invariant: `offset <= bytes.count`; the memory under `bytes` outlives the reader.
package struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    package private(set) var offset = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package var remaining: Int { bytes.count - offset }

    package mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, _ what: StaticString
    ) throws(MartletError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw Self.short(what) }
        defer { offset += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// The next `count` bytes, in place.
    package mutating func take(_ count: Int, _ what: StaticString) throws(MartletError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw Self.short(what) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    /// A `UInt32` length and that much UTF-8.
    package mutating func string(_ what: StaticString) throws(MartletError) -> String {
        let length = Int(try integer(UInt32.self, what))
        return try text(length, what)
    }

    /// `length` bytes of UTF-8.
    package mutating func text(_ length: Int, _ what: StaticString) throws(MartletError) -> String {
        let bytes = try take(length, what)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MartletError(.protocolViolation, "a frame's \(what) is not UTF-8")
        }
        return text
    }

    /// Skips to the next multiple of eight from the start of the body.
    package mutating func align(_ what: StaticString) throws(MartletError) { _ = try take(-offset & 7, what) }

    /// - Throws: `.protocolViolation` when bytes are left.
    package func finish(_ what: StaticString) throws(MartletError) {
        guard remaining == 0 else {
            throw MartletError(.protocolViolation, "\(remaining) bytes are left after a frame's \(what)")
        }
    }

    private static func short(_ what: StaticString) -> MartletError {
        MartletError(.protocolViolation, "a frame ends inside its \(what)")
    }
}

/// The writing counterparts of `WireReader`.
extension MutableBuffer {
    mutating func append(littleEndian value: some FixedWidthInteger & BitwiseCopyable) { append(value.littleEndian) }

    /// A `UInt32` length and the text as UTF-8.
    mutating func append(wireString text: String) {
        var text = text
        text.withUTF8 {
            append(littleEndian: UInt32($0.count))
            append(UnsafeRawBufferPointer($0))
        }
    }

    /// The text as UTF-8, without its length.
    mutating func append(wireText text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends zeros up to the next multiple of eight from `start`.
    mutating func align(from start: Int) { appendZeros(-(byteCount - start) & 7) }
}
