import MartletModel

/// JSON after RFC 8259. Numbers are written in full, also integers beyond 2^53; moments as RFC 3339 text; intervals as
/// text; `NaN` and the infinities, which JSON lacks, as the texts `"NaN"`, `"Infinity"` and `"-Infinity"`.
package struct JSONFormatter: ResultFormatter {
    /// How rows are laid out.
    package enum Shape: Sendable {
        /// `[{"column":value,...},...]` with one row a line.
        case records
        /// `{"column":value,...}` and a line feed for each row.
        case lines
        /// `{"columns":[{"name":...,"type":...}],"rows":[[...],...],"rowCount":n}`: names once, for large results.
        case document
    }

    private let shape: Shape
    private var keys: [[UInt8]] = []
    private var rows: UInt64 = 0

    package init(shape: Shape) { self.shape = shape }

    package mutating func begin(_ schema: [ColumnDescription], into output: inout MutableBuffer) {
        rows = 0
        keys = schema.map { column in
            var buffer = MutableBuffer(capacity: column.name.utf8.count + 3)
            buffer.append(jsonText: column.name)
            buffer.append(ascii: ":")
            return Array(buffer.bytes)
        }
        switch shape {
        case .records: output.append(ascii: "[")
        case .lines: break
        case .document:
            output.append(literal: "{\"columns\":[")
            for (index, column) in schema.enumerated() {
                if index > 0 { output.append(ascii: ",") }
                output.append(literal: "{\"name\":")
                output.append(jsonText: column.name)
                output.append(literal: ",\"type\":")
                output.append(jsonText: column.type.name)
                output.append(ascii: "}")
            }
            output.append(literal: "],\"rows\":[")
        }
    }

    package mutating func append(_ batch: RecordBatch, into output: inout MutableBuffer) {
        for row in 0..<batch.rowCount {
            if rows > 0 && shape != .lines { output.append(ascii: ",") }
            if rows > 0 && shape == .records { output.append(ascii: "\n") }
            rows += 1
            output.append(ascii: shape == .document ? "[" : "{")
            for (index, column) in batch.columns.enumerated() {
                if index > 0 { output.append(ascii: ",") }
                if shape != .document { keys[index].withUnsafeBytes { output.append($0) } }
                Self.append(column, row, into: &output)
            }
            output.append(ascii: shape == .document ? "]" : "}")
            if shape == .lines { output.append(ascii: "\n") }
        }
    }

    package mutating func finish(into output: inout MutableBuffer) {
        switch shape {
        case .records: output.append(literal: "]\n")
        case .lines: break
        case .document:
            output.append(literal: "],\"rowCount\":")
            output.append(decimal: rows)
            output.append(literal: "}\n")
        }
    }

    private static func append(_ column: Column, _ row: Int, into output: inout MutableBuffer) {
        guard column.isValid(row) else { return output.append(literal: "null") }
        switch column.type {
        case .float64:
            let number = column.values.pointer(to: Double.self)[row]
            if !number.isFinite { output.append(ascii: "\"") }
            output.append(decimal: number)
            if !number.isFinite { output.append(ascii: "\"") }
        case .int64: output.append(decimal: column.values.pointer(to: Int64.self)[row])
        case .uint64: output.append(decimal: column.values.pointer(to: UInt64.self)[row])
        case .bool: output.append(literal: Bitmap.isSet(column.values.baseAddress, row) ? "true" : "false")
        case .string: output.append(jsonText: column.stringBytes(row))
        case .timestamp:
            output.append(ascii: "\"")
            output.append(Timestamp(nanoseconds: column.values.pointer(to: Int64.self)[row]), style: .rfc3339)
            output.append(ascii: "\"")
        case .interval:
            output.append(ascii: "\"")
            output.append(column.values.pointer(to: Interval.self)[row])
            output.append(ascii: "\"")
        }
    }
}

extension MutableBuffer {
    /// Appends a JSON string of UTF-8 bytes, quotes included.
    package mutating func append(jsonText bytes: UnsafeRawBufferPointer) {
        append(ascii: "\"")
        var start = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte >= 0x20 && byte != 0x22 && byte != 0x5c { continue }
            append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            switch byte {
            case 0x22: append(literal: "\\\"")
            case 0x5c: append(literal: "\\\\")
            case 0x0a: append(literal: "\\n")
            case 0x0d: append(literal: "\\r")
            case 0x09: append(literal: "\\t")
            default:
                append(literal: "\\u00")
                for nibble in [byte >> 4, byte & 15] { append(nibble < 10 ? 48 + nibble : 87 + nibble) }
            }
        }
        append(UnsafeRawBufferPointer(rebasing: bytes[start..<bytes.count]))
        append(ascii: "\"")
    }

    /// Appends a JSON string, quotes included.
    package mutating func append(jsonText text: String) {
        var text = text
        text.withUTF8 { append(jsonText: UnsafeRawBufferPointer($0)) }
    }
}
