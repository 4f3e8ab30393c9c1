import MartletModel

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Decodes `Decodable` values from rows of a query's result: each stored property is read from the column of its name.
///
/// - A column that is missing or null decodes as `nil` where the property is optional.
/// - Integers decode into any integer type that holds them and into floating point; `Timestamp` and `Date` decode from
///   a `TIMESTAMP` (a `Date` keeps microseconds).
/// - A type with a single value, such as `Double`, decodes from a result of one column.
public struct RowDecoder: Sendable {
    /// A decoder.
    public init() {}

    /// Decodes all rows of `batch`. O(rows x properties).
    ///
    /// - Throws: `.typeConflict`, naming the column, when a value does not fit the property it is for.
    public func decode<Row: Decodable>(_ type: Row.Type, from batch: RecordBatch) throws(MartletError) -> [Row] {
        var indices: [String: Int] = [:]
        for (index, column) in batch.schema.enumerated() where indices[column.name] == nil {
            indices[column.name] = index
        }
        // These two would otherwise ask for their own stored properties.
        let isMoment = type == Timestamp.self || type == Date.self
        var rows: [Row] = []
        rows.reserveCapacity(batch.rowCount)
        for row in 0..<batch.rowCount {
            do {
                let decoder = SingleRowDecoder(batch: batch, indices: indices, row: row)
                rows.append(isMoment ? try decoder.singleValueContainer().decode(type) : try Row(from: decoder))
            } catch let error as MartletError {
                throw error
            } catch let DecodingError.keyNotFound(key, _) {
                throw MartletError(
                    .typeConflict, "the result has no column '\(key.stringValue)', which \(Row.self) needs",
                    hint: "select it, or make the property optional")
            } catch {
                throw MartletError(.typeConflict, "row \(row) does not decode as \(Row.self): \(error)")
            }
        }
        return rows
    }
}

private struct SingleRowDecoder: Decoder {
    let batch: RecordBatch
    let indices: [String: Int]
    let row: Int
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RowContainer(decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw MartletError(.typeConflict, "a row decodes by column names, not as a list")
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        guard batch.columns.count == 1 else {
            throw MartletError(
                .typeConflict, "a single value cannot be decoded from \(batch.columns.count) columns",
                hint: "select one column, or decode a struct")
        }
        return ValueDecoder(value: batch.columns[0].value(at: row), column: batch.schema[0].name)
    }
}

private struct RowContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: SingleRowDecoder
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { decoder.batch.schema.compactMap { Key(stringValue: $0.name) } }

    func contains(_ key: Key) -> Bool { decoder.indices[key.stringValue] != nil }

    private func value(_ key: Key) throws -> ValueDecoder {
        guard let index = decoder.indices[key.stringValue] else {
            throw DecodingError.keyNotFound(key, .init(codingPath: [], debugDescription: "no such column"))
        }
        return ValueDecoder(value: decoder.batch.columns[index].value(at: decoder.row), column: key.stringValue)
    }

    func decodeNil(forKey key: Key) throws -> Bool { try value(key).decodeNil() }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try value(key).decode(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { throw nestingError(key.stringValue) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw nestingError(key.stringValue)
    }
    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { try value(key) }
}

private func nestingError(_ column: String) -> MartletError {
    MartletError(.typeConflict, "column '\(column)' holds single values, nothing nested")
}

private struct ValueDecoder: Decoder, SingleValueDecodingContainer {
    let value: FieldValue?
    let column: String
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        throw nestingError(column)
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw nestingError(column) }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { value == nil }

    private func mismatch<T>(_ type: T.Type) -> MartletError {
        let found = value.map { "a \($0.type.name)" } ?? "NULL"
        return MartletError(
            .typeConflict, "column '\(column)' holds \(found) where \(T.self) is wanted",
            hint: value == nil ? "make the property optional" : "cast it in the query")
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let flag) = value else { throw mismatch(type) }
        return flag
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string(let text) = value else { throw mismatch(type) }
        return text
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch value {
        case .float64(let number): return number
        case .int64(let number): return Double(number)
        case .uint64(let number): return Double(number)
        default: throw mismatch(type)
        }
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

    private func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        switch value {
        case .int64(let number):
            if let exact = T(exactly: number) { return exact }
        case .uint64(let number):
            if let exact = T(exactly: number) { return exact }
        default: throw mismatch(type)
        }
        throw MartletError(.outOfRange, "column '\(column)' holds a value too large for \(T.self)")
    }

    func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if type == Timestamp.self {
            guard case .timestamp(let time) = value, let result = time as? T else { throw mismatch(type) }
            return result
        }
        if type == Date.self {
            guard case .timestamp(let time) = value else { throw mismatch(type) }
            let microseconds = time.nanoseconds / 1_000
            guard let result = Date(timeIntervalSince1970: Double(microseconds) / 1e6) as? T else {
                throw mismatch(type)
            }
            return result
        }
        return try T(from: self)
    }
}
