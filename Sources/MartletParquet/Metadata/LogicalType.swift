import MartletModel

/// The unit of a stored time.
enum ParquetTimeUnit: Sendable, Equatable {
    case milliseconds
    case microseconds
    case nanoseconds

    /// Nanoseconds in one unit.
    var nanoseconds: Int64 {
        switch self {
        case .milliseconds: 1_000_000
        case .microseconds: 1_000
        case .nanoseconds: 1
        }
    }

    fileprivate var fieldID: Int16 {
        switch self {
        case .milliseconds: 1
        case .microseconds: 2
        case .nanoseconds: 3
        }
    }
}

/// What a stored value means: Parquet's `LogicalType` union.
enum LogicalType: Sendable, Equatable {
    case string
    case enumeration
    case json
    case date
    case decimal(scale: Int32, precision: Int32)
    case timestamp(unit: ParquetTimeUnit, utc: Bool)
    case integer(bits: Int, signed: Bool)
    /// A column that holds nulls only.
    case unknown
    /// A meaning that has no column type here, by its name in the format.
    case unsupported(String)
}

/// A struct without fields: the member of a union that carries no more than its choice.
struct EmptyStruct: ThriftEncodable {
    func encodeFields(into writer: inout ThriftWriter) {}
}

/// The union that names a time's unit.
private struct TimeUnitUnion: ThriftEncodable {
    let unit: ParquetTimeUnit
    func encodeFields(into writer: inout ThriftWriter) { writer.structure(unit.fieldID, EmptyStruct()) }
}

private struct TimestampStruct: ThriftEncodable {
    let unit: ParquetTimeUnit
    let utc: Bool
    func encodeFields(into writer: inout ThriftWriter) {
        writer.bool(1, utc)
        writer.structure(2, TimeUnitUnion(unit: unit))
    }
}

private struct IntegerStruct: ThriftEncodable {
    let bits: Int
    let signed: Bool
    func encodeFields(into writer: inout ThriftWriter) {
        writer.i8(1, Int8(bits))
        writer.bool(2, signed)
    }
}

private struct DecimalStruct: ThriftEncodable {
    let scale: Int32
    let precision: Int32
    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, scale)
        writer.i32(2, precision)
    }
}

extension LogicalType: ThriftEncodable {
    func encodeFields(into writer: inout ThriftWriter) {
        switch self {
        case .string: writer.structure(1, EmptyStruct())
        case .enumeration: writer.structure(4, EmptyStruct())
        case .decimal(let scale, let precision):
            writer.structure(5, DecimalStruct(scale: scale, precision: precision))
        case .date: writer.structure(6, EmptyStruct())
        case .timestamp(let unit, let utc): writer.structure(8, TimestampStruct(unit: unit, utc: utc))
        case .integer(let bits, let signed): writer.structure(10, IntegerStruct(bits: bits, signed: signed))
        case .unknown: writer.structure(11, EmptyStruct())
        case .json: writer.structure(12, EmptyStruct())
        case .unsupported: preconditionFailure("the writer makes no columns of this type")
        }
    }
}

extension LogicalType: ThriftDecodable {
    init(from reader: inout ThriftReader) throws(MartletError) {
        var result = LogicalType.unsupported("an unnamed type")
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 8:
                let time: TimestampFields = try reader.structure(field)
                result = .timestamp(unit: time.unit, utc: time.utc)
                return
            case 10:
                let integer: IntegerFields = try reader.structure(field)
                result = .integer(bits: integer.bits, signed: integer.signed)
                return
            case 5:
                let decimal: DecimalFields = try reader.structure(field)
                result = .decimal(scale: decimal.scale, precision: decimal.precision)
                return
            case 1: result = .string
            case 2: result = .unsupported("MAP")
            case 3: result = .unsupported("LIST")
            case 4: result = .enumeration
            case 6: result = .date
            case 7: result = .unsupported("TIME")
            case 11: result = .unknown
            case 12: result = .json
            case 13: result = .unsupported("BSON")
            case 14: result = .unsupported("UUID")
            case 15: result = .unsupported("FLOAT16")
            case 16: result = .unsupported("VARIANT")
            case 17: result = .unsupported("GEOMETRY")
            case 18: result = .unsupported("GEOGRAPHY")
            default: result = .unsupported("logical type number \(field.id)")
            }
            try reader.skip(field)
        }
        self = result
    }
}

private struct TimestampFields: ThriftDecodable {
    var unit = ParquetTimeUnit.microseconds
    var utc = true

    init(from reader: inout ThriftReader) throws(MartletError) {
        var unit: ParquetTimeUnit?
        var utc = true
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: utc = try reader.bool(field)
            case 2:
                let choice: UnionChoice = try reader.structure(field)
                unit =
                    switch choice.id {
                    case 1: .milliseconds
                    case 2: .microseconds
                    case 3: .nanoseconds
                    default: nil
                    }
            default: try reader.skip(field)
            }
        }
        guard let unit else { throw MartletError(.corrupt, "a timestamp column names no known unit") }
        self.unit = unit
        self.utc = utc
    }
}

/// Which member of a union is set, where its content does not matter.
struct UnionChoice: ThriftDecodable {
    var id: Int16 = 0
    init(from reader: inout ThriftReader) throws(MartletError) {
        var id: Int16 = 0
        try reader.structure { (reader, field) throws(MartletError) in
            id = field.id
            try reader.skip(field)
        }
        self.id = id
    }
}

private struct IntegerFields: ThriftDecodable {
    var bits = 64
    var signed = true
    init(from reader: inout ThriftReader) throws(MartletError) {
        var bits = 64
        var signed = true
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: bits = Int(try reader.i32(field))
            case 2: signed = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        self.bits = bits
        self.signed = signed
    }
}

private struct DecimalFields: ThriftDecodable {
    var scale: Int32 = 0
    var precision: Int32 = 0
    init(from reader: inout ThriftReader) throws(MartletError) {
        var scale: Int32 = 0
        var precision: Int32 = 0
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: scale = try reader.i32(field)
            case 2: precision = try reader.i32(field)
            default: try reader.skip(field)
            }
        }
        self.scale = scale
        self.precision = precision
    }
}
