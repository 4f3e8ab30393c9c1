import MartletModel

/// A block's statistics as they are stored: a count, a byte that says which values follow, the values.
extension FieldSummary {
    private static let hasSum: UInt8 = 1
    private static let hasBounds: UInt8 = 2
    private static let hasEnds: UInt8 = 4

    func encode(_ type: ColumnType, into writer: inout ByteWriter) {
        writer.varint(count)
        var flags: UInt8 = 0
        if sum != nil { flags |= Self.hasSum }
        if min != nil && max != nil { flags |= Self.hasBounds }
        if first != nil && last != nil { flags |= Self.hasEnds }
        if type == .string { flags = 0 }
        writer.u8(flags)
        if flags & Self.hasSum != 0, let sum { Self.encode(sum, into: &writer) }
        if flags & Self.hasBounds != 0, let min, let max {
            Self.encode(min, into: &writer)
            Self.encode(max, into: &writer)
        }
        if flags & Self.hasEnds != 0, let first, let last {
            Self.encode(first, into: &writer)
            Self.encode(last, into: &writer)
        }
    }

    init(_ type: ColumnType, from reader: inout ByteReader) throws(MartletError) {
        let count = try reader.count(upTo: RowGroup.maximumRows)
        self.init(count: count, sum: nil, min: nil, max: nil, first: nil, last: nil)
        let flags = try reader.u8()
        if flags & Self.hasSum != 0 { sum = try Self.decode(type, from: &reader) }
        if flags & Self.hasBounds != 0 {
            min = try Self.decode(type, from: &reader)
            max = try Self.decode(type, from: &reader)
        }
        if flags & Self.hasEnds != 0 {
            first = try Self.decode(type, from: &reader)
            last = try Self.decode(type, from: &reader)
        }
    }

    /// Whole numbers that a float holds are common and take a few bytes as integers, so a float is preceded by
    /// nothing and stored as 8 bytes only where it must: a varint tag 0 says so; other tags are the number, plus one.
    private static func encode(_ value: FieldValue, into writer: inout ByteWriter) {
        switch value {
        case .float64(let number):
            if let whole = Int64(exactly: number), abs(whole) < 1 << 40, !(whole == 0 && number.sign == .minus) {
                writer.varint(UInt64(bitPattern: (whole &<< 1) ^ (whole >> 63)) + 1)
            } else {
                writer.varint(0)
                writer.u64(number.bitPattern)
            }
        case .int64(let number): writer.signed(number)
        case .uint64(let number): writer.varint(number)
        case .bool(let flag): writer.u8(flag ? 1 : 0)
        case .string, .timestamp, .interval: preconditionFailure("statistics of \(value.type.name) are not stored")
        }
    }

    private static func decode(_ type: ColumnType, from reader: inout ByteReader) throws(MartletError) -> FieldValue {
        switch type {
        case .float64:
            let tag = try reader.varint()
            if tag == 0 { return .float64(Double(bitPattern: try reader.u64())) }
            let zigzag = tag - 1
            return .float64(Double(Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)))
        case .int64: return .int64(try reader.signed())
        case .uint64: return .uint64(try reader.varint())
        case .bool: return .bool(try reader.u8() != 0)
        case .string, .timestamp, .interval: throw reader.corrupt("statistics of \(type.name) are not stored")
        }
    }
}
