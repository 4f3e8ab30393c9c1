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

    private static func name(_ role: ColumnRole) -> String {
        switch role {
        case .time: "time"
        case .tag: "tag"
        case .field: "field"
        case .series: "series"
        case .value: "value"
        }
    }

    static func encode(_ schema: [ColumnDescription]) -> String {
        schema.map { column in
            let escaped = column.name.flatMap { character -> String in
                switch character {
                case "\\": "\\\\"
                case "\n": "\\n"
                case "\r": "\\r"
                case "\r\n": "\\r\\n"
                default: String(character)
                }
            }
            return "\(name(column.role)) \(column.type.name) \(String(escaped))"
        }.joined(separator: "\n")
    }

    /// The roles by column name; what is not understood is left out, since the note is a hint.
    static func roles(_ text: String) -> [String: ColumnRole] {
        var result: [String: ColumnRole] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3 else { continue }
            let role: ColumnRole? =
                switch parts[0] {
                case "time": .time
                case "tag": .tag
                case "field": .field
                case "value": .value
                default: nil
                }
            if let role { result[unescape(parts[2])] = role }
        }
        return result
    }

    private static func unescape(_ text: Substring) -> String {
        var result = ""
        var escaped = false
        for character in text {
            if escaped {
                switch character {
                case "n": result.append("\n")
                case "r": result.append("\r")
                default: result.append(character)
                }
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
