import MartletModel

extension SchemaElement {
    /// The schema element of a column to write.
    ///
    /// - Throws: `.unsupported` for types and roles that have no counterpart in Parquet.
    static func column(
        _ description: ColumnDescription, timestampUnit: ParquetTimestampUnit
    ) throws(MartletError) -> SchemaElement {
        var element = SchemaElement(name: description.name)
        element.repetition = description.role == .time ? .required : .optional
        if description.role == .series {
            throw MartletError(
                .unsupported, "column '\(description.name)' holds whole tag sets, which Parquet has no type for",
                hint: "export the tags as columns of their own")
        }
        switch description.type {
        case .timestamp:
            element.type = .int64
            switch timestampUnit {
            case .microseconds:
                element.convertedType = .timestampMicros
                element.logicalType = .timestamp(unit: .microseconds, utc: true)
            case .nanoseconds: element.logicalType = .timestamp(unit: .nanoseconds, utc: true)
            }
        case .int64: element.type = .int64
        case .uint64:
            element.type = .int64
            element.convertedType = .uint64
            element.logicalType = .integer(bits: 64, signed: false)
        case .float64: element.type = .double
        case .bool: element.type = .boolean
        case .string:
            element.type = .byteArray
            element.convertedType = .utf8
            element.logicalType = .string
        case .interval:
            throw MartletError(
                .unsupported, "column '\(description.name)' is an INTERVAL, which Parquet keeps to milliseconds only",
                hint: "convert it to a number, for instance its seconds, first")
        }
        return element
    }
}

/// The note about roles and types that a file carries, so that an import gives back the columns as they were.
///
/// It is text, one line a column: role, type and name, separated by one space; the name comes last and is escaped so that
/// it holds no line break.
enum SchemaNote {
    static let key = "martlet.schema"

    static func name(_ role: ColumnRole) -> String {
        switch role {
        case .time: "time"
        case .tag: "tag"
        case .field: "field"
        case .series: "series"
        case .value: "value"
        }
    }

    static func encode(_ schema: [ColumnDescription]) -> String {
        var lines: [String] = []
        for column in schema {
            var line = "\(name(column.role)) \(column.type.name) "
            for scalar in column.name.unicodeScalars {
                switch scalar {
                case "\\": line += "\\\\"
                case "\n": line += "\\n"
                default: line.unicodeScalars.append(scalar)
                }
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    /// The roles by column name; what is not understood is left out, since the note is a hint.
    static func roles(_ text: String) -> [String: ColumnRole] {
        var result: [String: ColumnRole] = [:]
        // Bytes, not characters: a name may begin with a combining mark.
        for line in Array(text.utf8).split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let name = unescape(parts[2]) else { continue }
            for role in [ColumnRole.time, .tag, .field, .value] where parts[0].elementsEqual(Self.name(role).utf8) {
                result[name] = role
            }
        }
        return result
    }

    private static func unescape(_ text: ArraySlice<UInt8>) -> String? {
        var result: [UInt8] = []
        var escaped = false
        for byte in text {
            if escaped {
                result.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else {
                result.append(byte)
            }
        }
        return String(validating: result, as: UTF8.self)
    }
}
