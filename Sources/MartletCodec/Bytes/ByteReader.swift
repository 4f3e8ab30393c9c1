import MartletModel

/// A bounded cursor over encoded bytes: every read is checked against the end, and a short read throws `.corrupt`.
///
/// Invariant of the unsafe part: `position <= end`, and both lie in the memory that the caller of the decoder keeps
/// alive for the whole call. A reader never outlives that call.
struct ByteReader {
    private(set) var position: UnsafeRawPointer
    let end: UnsafeRawPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; any non-null address serves, as nothing is read through it.
        let base = bytes.baseAddress ?? Buffer.empty.baseAddress
        position = base
        end = base + bytes.count
    }

    var remaining: Int { end - position }

    /// The bytes that were not read yet.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: position, count: remaining) }

    mutating func byte() throws(MartletError) -> UInt8 {
        guard position < end else { throw Self.short("a byte") }
        defer { position += 1 }
        return position.load(as: UInt8.self)
    }

    /// An unsigned LEB128 number of at most ten bytes.
    mutating func varint() throws(MartletError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = UInt64(try byte())
            if shift == 63 && next > 1 { throw corrupt("a variable-length number exceeds 64 bits") }
            result |= (next & 0x7f) &<< shift
            if next < 0x80 { return result }
            shift += 7
            if shift > 63 { throw corrupt("a variable-length number exceeds ten bytes") }
        }
    }

    /// A number that must not exceed `limit`.
    mutating func count(upTo limit: Int, _ what: StaticString) throws(MartletError) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw corrupt("\(what) is \(value), above its limit of \(limit)") }
        return Int(value)
    }

    /// A signed number, zig-zag coded.
    mutating func signedVarint() throws(MartletError) -> Int64 { ZigZag.decode(try varint()) }

    mutating func take(_ count: Int) throws(MartletError) -> UnsafeRawBufferPointer {
        guard count >= 0 && count <= remaining else { throw Self.short("\(count) bytes") }
        defer { position += count }
        return UnsafeRawBufferPointer(start: position, count: count)
    }

    /// A section that carries its length in front.
    mutating func section() throws(MartletError) -> UnsafeRawBufferPointer {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw Self.short("a section of \(length) bytes") }
        return try take(Int(length))
    }

    /// An integer stream: one of constant kind as it is, any other with its length in front. No length is 0.
    mutating func stream() throws(MartletError) -> UnsafeRawBufferPointer {
        let start = position
        guard try byte() == IntegerStream.Kind.constant.rawValue else {
            position = start
            return try section()
        }
        _ = try varint()
        return UnsafeRawBufferPointer(start: start, count: position - start)
    }

    private static func short(_ what: String) -> MartletError { corrupt("the block ends inside \(what)") }
}

/// The error that every decoder of this module throws for bytes that are not a block.
@inline(never)
func corrupt(_ message: String) -> MartletError {
    MartletError(.corrupt, "encoded column block: \(message)", hint: "the block's bytes are damaged; restore or repair")
}

/// The mapping of signed to unsigned numbers that keeps small magnitudes small: 0, -1, 1, -2, 2, ...
enum ZigZag {
    @inline(__always) static func encode(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value &<< 1) ^ (value &>> 63))
    }

    @inline(__always) static func decode(_ value: UInt64) -> Int64 {
        Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
    }
}

extension MutableBuffer {
    /// Appends an unsigned LEB128 number.
    mutating func append(varint value: UInt64) {
        var value = value
        while value >= 0x80 {
            append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Appends a signed number, zig-zag coded.
    mutating func append(signedVarint value: Int64) { append(varint: ZigZag.encode(value)) }

    /// Appends a section with its length in front.
    mutating func append(section: borrowing MutableBuffer) {
        append(varint: UInt64(section.byteCount))
        append(section.bytes)
    }

    /// Appends an integer stream that others follow; see `ByteReader.stream()`.
    mutating func append(stream: borrowing MutableBuffer) {
        if stream.bytes.first != IntegerStream.Kind.constant.rawValue { append(varint: UInt64(stream.byteCount)) }
        append(stream.bytes)
    }
}
