import MartletModel

/// CSV after RFC 4180 with `\n` line ends, so that Unix tools read it: a header line, fields quoted where needed, null
/// as an empty field, the empty text as `""`, moments in RFC 3339.
package struct CSVFormatter: ResultFormatter {
    /// Whether a header line is written.
    package var hasHeader: Bool

    package init(hasHeader: Bool = true) { self.hasHeader = hasHeader }

    package mutating func begin(_ schema: [ColumnDescription], into output: inout MutableBuffer) {
        guard hasHeader, !schema.isEmpty else { return }
        for (index, column) in schema.enumerated() {
            if index > 0 { output.append(ascii: ",") }
            var name = column.name
            name.withUTF8 { Self.appendText(UnsafeRawBufferPointer($0), into: &output) }
        }
        output.append(ascii: "\n")
    }

    package mutating func append(_ batch: RecordBatch, into output: inout MutableBuffer) {
        for row in 0..<batch.rowCount {
            for (index, column) in batch.columns.enumerated() {
                if index > 0 { output.append(ascii: ",") }
                guard column.isValid(row) else { continue }
                switch column.type {
                case .timestamp:
                    output.append(
                        Timestamp(nanoseconds: column.values.pointer(to: Int64.self)[row]), style: .rfc3339)
                case .float64: output.append(decimal: column.values.pointer(to: Double.self)[row])
                case .int64: output.append(decimal: column.values.pointer(to: Int64.self)[row])
                case .uint64: output.append(decimal: column.values.pointer(to: UInt64.self)[row])
                case .bool:
                    output.append(literal: Bitmap.isSet(column.values.baseAddress, row) ? "true" : "false")
                case .string: Self.appendText(column.stringBytes(row), into: &output)
                case .interval: output.append(column.values.pointer(to: Interval.self)[row])
                }
            }
            if !batch.columns.isEmpty { output.append(ascii: "\n") }
        }
    }

    package mutating func finish(into output: inout MutableBuffer) {}

    private static func appendText(_ bytes: UnsafeRawBufferPointer, into output: inout MutableBuffer) {
        let needsQuotes =
            bytes.isEmpty || bytes.contains { $0 == 0x22 || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d }
            || bytes.first == 0x20 || bytes.last == 0x20
        guard needsQuotes else { return output.append(bytes) }
        output.append(ascii: "\"")
        for byte in bytes {
            if byte == 0x22 { output.append(byte) }
            output.append(byte)
        }
        output.append(ascii: "\"")
    }
}
