import MartletModel

/// The wire types of Thrift's compact protocol.
enum ThriftType: UInt8 {
    case boolTrue = 1
    case boolFalse = 2
    case i8 = 3
    case i16 = 4
    case i32 = 5
    case i64 = 6
    case double = 7
    case binary = 8
    case list = 9
    case set = 10
    case map = 11
    case structure = 12
    case uuid = 13
}

/// A value that Parquet's metadata holds as a Thrift struct (or union, which is a struct with one field).
protocol ThriftEncodable {
    /// Writes the fields in ascending order of their ids.
    func encodeFields(into writer: inout ThriftWriter)
}

/// Writes Thrift's compact protocol, as the Thrift project's `thrift-compact-protocol.md` describes it.
struct ThriftWriter: ~Copyable {
    private(set) var buffer: MutableBuffer
    private var lastField: Int16 = 0

    init(capacity: Int = 256) { buffer = MutableBuffer(capacity: capacity) }

    /// The bytes of one struct, from its first field to its stop byte.
    static func encode(_ value: some ThriftEncodable) -> Buffer {
        var writer = ThriftWriter()
        writer.body(value)
        return writer.finish()
    }

    consuming func finish() -> Buffer { buffer.finish() }

    mutating func i8(_ id: Int16, _ value: Int8) {
        header(id, .i8)
        buffer.append(value)
    }

    mutating func i16(_ id: Int16, _ value: Int16) {
        header(id, .i16)
        zigzag(Int64(value))
    }

    mutating func i32(_ id: Int16, _ value: Int32?) {
        guard let value else { return }
        header(id, .i32)
        zigzag(Int64(value))
    }

    mutating func i64(_ id: Int16, _ value: Int64?) {
        guard let value else { return }
        header(id, .i64)
        zigzag(value)
    }

    mutating func bool(_ id: Int16, _ value: Bool?) {
        guard let value else { return }
        header(id, value ? .boolTrue : .boolFalse)
    }

    mutating func binary(_ id: Int16, _ value: [UInt8]?) {
        guard let value else { return }
        header(id, .binary)
        element(value)
    }

    mutating func string(_ id: Int16, _ value: String?) {
        guard let value else { return }
        header(id, .binary)
        element(Array(value.utf8))
    }

    mutating func structure(_ id: Int16, _ value: (some ThriftEncodable)?) {
        guard let value else { return }
        header(id, .structure)
        body(value)
    }

    mutating func list(_ id: Int16, _ values: [some ThriftEncodable]) {
        listHeader(id, .structure, count: values.count)
        for value in values { body(value) }
    }

    mutating func list(_ id: Int16, i32 values: [Int32]) {
        listHeader(id, .i32, count: values.count)
        for value in values { zigzag(Int64(value)) }
    }

    mutating func list(_ id: Int16, i64 values: [Int64]) {
        listHeader(id, .i64, count: values.count)
        for value in values { zigzag(value) }
    }

    mutating func list(_ id: Int16, bools values: [Bool]) {
        listHeader(id, .boolFalse, count: values.count)
        for value in values { buffer.append(value ? ThriftType.boolTrue.rawValue : ThriftType.boolFalse.rawValue) }
    }

    mutating func list(_ id: Int16, binaries values: [[UInt8]]) {
        listHeader(id, .binary, count: values.count)
        for value in values { element(value) }
    }

    mutating func list(_ id: Int16, strings values: [String]) {
        list(id, binaries: values.map { Array($0.utf8) })
    }

    /// The fields of a struct and the stop byte.
    mutating func body(_ value: some ThriftEncodable) {
        let outer = lastField
        lastField = 0
        value.encodeFields(into: &self)
        buffer.append(UInt8(0))
        lastField = outer
    }

    private mutating func element(_ value: [UInt8]) {
        buffer.appendVarint(UInt64(value.count))
        value.withUnsafeBytes { buffer.append($0) }
    }

    private mutating func header(_ id: Int16, _ type: ThriftType) {
        let delta = id - lastField
        if delta > 0 && delta <= 15 {
            buffer.append(UInt8(delta) << 4 | type.rawValue)
        } else {
            buffer.append(type.rawValue)
            zigzag(Int64(id))
        }
        lastField = id
    }

    private mutating func listHeader(_ id: Int16, _ type: ThriftType, count: Int) {
        header(id, .list)
        if count < 15 {
            buffer.append(UInt8(count) << 4 | type.rawValue)
        } else {
            buffer.append(0xf0 | type.rawValue)
            buffer.appendVarint(UInt64(count))
        }
    }

    private mutating func zigzag(_ value: Int64) { buffer.appendZigzag(value) }
}

extension MutableBuffer {
    /// Appends an unsigned LEB128 number.
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a signed number as zigzag LEB128.
    mutating func appendZigzag(_ value: Int64) {
        appendVarint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }
}
