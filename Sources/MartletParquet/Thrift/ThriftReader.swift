import MartletModel

/// A value read from a Thrift struct.
protocol ThriftDecodable {
    init(from reader: inout ThriftReader) throws(MartletError)
}

/// The header of a field: its id and wire type.
struct ThriftField {
    let id: Int16
    let type: ThriftType
}

/// Reads Thrift's compact protocol from untrusted bytes.
///
/// Invariants: `position <= bytes.count`; nothing is read outside `bytes`; a list's claimed count is never larger than
/// the bytes that are left, so allocations are bounded by the input; structs nest at most `depthLimit` deep.
struct ThriftReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0
    private var depth = 0
    private static let depthLimit = 32

    /// `bytes` must outlive the reader.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func corrupt(_ what: String) -> MartletError {
        MartletError(.corrupt, "Parquet metadata is damaged: \(what) at byte \(position) of \(bytes.count)")
    }

    /// Calls `body` for each field of the struct that starts here, past its stop byte. `body` reads or skips the field.
    mutating func structure(
        _ body: (inout ThriftReader, ThriftField) throws(MartletError) -> Void
    ) throws(MartletError) {
        depth += 1
        guard depth <= Self.depthLimit else { throw corrupt("structs nested deeper than \(Self.depthLimit)") }
        var last: Int16 = 0
        while true {
            let head = try byte()
            if head == 0 { break }
            guard let type = ThriftType(rawValue: head & 0x0f) else { throw corrupt("unknown field type") }
            let delta = Int16(head >> 4)
            if delta == 0 {
                guard let id = Int16(exactly: try zigzag()) else { throw corrupt("field id out of range") }
                last = id
            } else {
                let (id, overflow) = last.addingReportingOverflow(delta)
                guard !overflow else { throw corrupt("field id out of range") }
                last = id
            }
            try body(&self, ThriftField(id: last, type: type))
        }
        depth -= 1
    }

    func bool(_ field: ThriftField) throws(MartletError) -> Bool {
        switch field.type {
        case .boolTrue: return true
        case .boolFalse: return false
        default: throw corrupt("field \(field.id) is not a bool")
        }
    }

    mutating func i32(_ field: ThriftField) throws(MartletError) -> Int32 {
        guard let value = Int32(exactly: try i64(field)) else { throw corrupt("field \(field.id) is out of range") }
        return value
    }

    mutating func i64(_ field: ThriftField) throws(MartletError) -> Int64 {
        switch field.type {
        case .i8: return Int64(Int8(bitPattern: try byte()))
        case .i16, .i32, .i64: return try zigzag()
        default: throw corrupt("field \(field.id) is not an integer")
        }
    }

    mutating func binary(_ field: ThriftField) throws(MartletError) -> [UInt8] {
        guard field.type == .binary else { throw corrupt("field \(field.id) is not a byte string") }
        return try binaryElement()
    }

    mutating func string(_ field: ThriftField) throws(MartletError) -> String {
        try text(binary(field))
    }

    mutating func structure<T: ThriftDecodable>(_ field: ThriftField) throws(MartletError) -> T {
        guard field.type == .structure else { throw corrupt("field \(field.id) is not a struct") }
        return try T(from: &self)
    }

    mutating func list<T: ThriftDecodable>(_ field: ThriftField) throws(MartletError) -> [T] {
        let count = try listCount(field) { $0 == .structure }
        var result: [T] = []
        result.reserveCapacity(min(count, 1024))
        for _ in 0..<count { result.append(try T(from: &self)) }
        return result
    }

    mutating func integers(_ field: ThriftField) throws(MartletError) -> [Int64] {
        let count = try listCount(field) { $0 == .i16 || $0 == .i32 || $0 == .i64 }
        var result: [Int64] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(try zigzag()) }
        return result
    }

    mutating func bools(_ field: ThriftField) throws(MartletError) -> [Bool] {
        let count = try listCount(field) { $0 == .boolTrue || $0 == .boolFalse }
        var result: [Bool] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(try byte() == ThriftType.boolTrue.rawValue) }
        return result
    }

    mutating func binaries(_ field: ThriftField) throws(MartletError) -> [[UInt8]] {
        let count = try listCount(field) { $0 == .binary }
        var result: [[UInt8]] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(try binaryElement()) }
        return result
    }

    mutating func strings(_ field: ThriftField) throws(MartletError) -> [String] {
        var result: [String] = []
        for bytes in try binaries(field) { result.append(try text(bytes)) }
        return result
    }

    /// Passes over a field that the caller does not know.
    mutating func skip(_ field: ThriftField) throws(MartletError) { try skip(field.type, inContainer: false) }

    private mutating func skip(_ type: ThriftType, inContainer: Bool) throws(MartletError) {
        switch type {
        case .boolTrue, .boolFalse: if inContainer { position += 1 }
        case .i8: position += 1
        case .i16, .i32, .i64: _ = try varint()
        case .double: position += 8
        case .uuid: position += 16
        case .binary:
            let count = try varint()
            guard count <= UInt64(bytes.count - position) else { throw corrupt("byte string past the end") }
            position += Int(count)
        case .structure: try structure { (reader, field) throws(MartletError) in try reader.skip(field) }
        case .list, .set:
            depth += 1
            guard depth <= Self.depthLimit else { throw corrupt("lists nested deeper than \(Self.depthLimit)") }
            let (element, count) = try listHeader()
            for _ in 0..<count { try skip(element, inContainer: true) }
            depth -= 1
        case .map:
            depth += 1
            guard depth <= Self.depthLimit else { throw corrupt("maps nested deeper than \(Self.depthLimit)") }
            let count = try varint()
            if count > 0 {
                guard count <= UInt64(bytes.count - position) else { throw corrupt("map past the end") }
                let types = try byte()
                guard let key = ThriftType(rawValue: types >> 4), let value = ThriftType(rawValue: types & 0x0f) else {
                    throw corrupt("unknown element type")
                }
                for _ in 0..<count {
                    try skip(key, inContainer: true)
                    try skip(value, inContainer: true)
                }
            }
            depth -= 1
        }
        guard position <= bytes.count else {
            position = bytes.count
            throw corrupt("a value ends past the end")
        }
    }

    private mutating func listCount(
        _ field: ThriftField, accepts: (ThriftType) -> Bool
    ) throws(MartletError) -> Int {
        guard field.type == .list || field.type == .set else { throw corrupt("field \(field.id) is not a list") }
        let (type, count) = try listHeader()
        guard count == 0 || accepts(type) else { throw corrupt("field \(field.id) is a list of another type") }
        return count
    }

    private mutating func listHeader() throws(MartletError) -> (ThriftType, Int) {
        let head = try byte()
        let long = head >> 4 == 15
        let count = long ? try varint() : UInt64(head >> 4)
        guard count <= UInt64(bytes.count - position) else { throw corrupt("list of \(count) elements past the end") }
        guard let type = ThriftType(rawValue: head & 0x0f) else {
            if count == 0 { return (.i8, 0) }
            throw corrupt("unknown element type")
        }
        return (type, Int(count))
    }

    private mutating func binaryElement() throws(MartletError) -> [UInt8] {
        let count = try varint()
        guard count <= UInt64(bytes.count - position) else { throw corrupt("byte string past the end") }
        let start = position
        position += Int(count)
        return Array(bytes[start..<position])
    }

    private func text(_ bytes: [UInt8]) throws(MartletError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw corrupt("a name is not UTF-8") }
        return text
    }

    private mutating func byte() throws(MartletError) -> UInt8 {
        guard position < bytes.count else { throw corrupt("the metadata ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func varint() throws(MartletError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw corrupt("a number of more than 64 bits") }
            result |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return result }
            shift += 7
        }
    }

    private mutating func zigzag() throws(MartletError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
}
