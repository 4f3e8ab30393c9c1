import MartletModel

/// InfluxDB line protocol, so that a result can be written back: columns of role `.tag` become tags, the time column
/// (role `.time`, else the first timestamp column) the timestamp in nanoseconds, all others fields.
///
/// Line protocol has no null, NaN or infinity: such values are left out, and so is a row that has no field left;
/// `omittedValues` and `omittedRows` count them.
package struct LineProtocolFormatter: ResultFormatter {
    private let measurement: String
    private let tagColumns: Set<String>
    private var time: Int?
    private var tags: [(index: Int, key: [UInt8])] = []
    private var fields: [(index: Int, key: [UInt8])] = []
    /// NaN and infinities left out.
    package private(set) var omittedValues = 0
    /// Rows left out because none of their fields had a value.
    package private(set) var omittedRows = 0

    /// - Parameter tagColumns: names of text columns to write as tags whatever their role.
    package init(measurement: String, tagColumns: Set<String> = []) {
        self.measurement = measurement
        self.tagColumns = tagColumns
    }

    package mutating func begin(
        _ schema: [ColumnDescription], into output: inout MutableBuffer
    ) throws(MartletError) {
        time = schema.firstIndex { $0.role == .time } ?? schema.firstIndex { $0.type == .timestamp }
        tags = []
        fields = []
        for (index, column) in schema.enumerated() where index != time {
            let key = try Self.escaped(column.name, what: "column name")
            if column.type == .string && (column.role == .tag || tagColumns.contains(column.name)) {
                tags.append((index, key))
            } else {
                fields.append((index, key))
            }
        }
        tags.sort { $0.key.lexicographicallyPrecedes($1.key) }
        if fields.isEmpty {
            throw MartletError(
                .invalidArgument, "the result has no field column, which line protocol needs",
                hint: "select at least one column that is neither the time nor a tag")
        }
    }

    package mutating func append(_ batch: RecordBatch, into output: inout MutableBuffer) throws(MartletError) {
        let name = try Self.escaped(measurement, what: "measurement", equals: false)
        for row in 0..<batch.rowCount {
            let start = output.byteCount
            name.withUnsafeBytes { output.append($0) }
            for tag in tags where batch.columns[tag.index].isValid(row) {
                let value = batch.columns[tag.index].stringBytes(row)
                if value.isEmpty { continue }
                output.append(ascii: ",")
                tag.key.withUnsafeBytes { output.append($0) }
                output.append(ascii: "=")
                try Self.appendEscaped(value, what: "value of a tag", into: &output)
            }
            var separator: Unicode.Scalar = " "
            for field in fields where batch.columns[field.index].isValid(row) {
                let column = batch.columns[field.index]
                if column.type == .float64 && !column.values.pointer(to: Double.self)[row].isFinite {
                    omittedValues += 1
                    continue
                }
                output.append(ascii: separator)
                separator = ","
                field.key.withUnsafeBytes { output.append($0) }
                output.append(ascii: "=")
                Self.append(column, row, into: &output)
            }
            if separator == " " {
                output.byteCount = start
                omittedRows += 1
                continue
            }
            if let time, batch.columns[time].isValid(row) {
                output.append(ascii: " ")
                output.append(decimal: batch.columns[time].values.pointer(to: Int64.self)[row])
            }
            output.append(ascii: "\n")
        }
    }

    package mutating func finish(into output: inout MutableBuffer) {}

    private static func append(_ column: Column, _ row: Int, into output: inout MutableBuffer) {
        switch column.type {
        case .float64: output.append(decimal: column.values.pointer(to: Double.self)[row])
        case .int64, .timestamp:
            output.append(decimal: column.values.pointer(to: Int64.self)[row])
            output.append(ascii: "i")
        case .uint64:
            output.append(decimal: column.values.pointer(to: UInt64.self)[row])
            output.append(ascii: "u")
        case .bool: output.append(literal: Bitmap.isSet(column.values.baseAddress, row) ? "true" : "false")
        case .string:
            output.append(ascii: "\"")
            for byte in column.stringBytes(row) {
                if byte == 0x22 || byte == 0x5c { output.append(UInt8(0x5c)) }
                output.append(byte)
            }
            output.append(ascii: "\"")
        case .interval:
            output.append(ascii: "\"")
            output.append(column.values.pointer(to: Interval.self)[row])
            output.append(ascii: "\"")
        }
    }

    private static func escaped(_ text: String, what: String, equals: Bool = true) throws(MartletError) -> [UInt8] {
        var output = MutableBuffer(capacity: text.utf8.count + 8)
        try appendEscaped(text.utf8, what: what, equals: equals, into: &output)
        return Array(output.bytes)
    }

    private static func appendEscaped(
        _ bytes: some BidirectionalCollection<UInt8>, what: String, equals: Bool = true,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        for byte in bytes {
            if byte == 0x0a || byte == 0x0d {
                throw unrepresentable(bytes, what: what, because: "holds a line break")
            }
            if byte == 0x2c || byte == 0x20 || (equals && byte == 0x3d) { output.append(UInt8(0x5c)) }
            output.append(byte)
        }
        // The backslash would escape the separator that follows.
        if bytes.last == 0x5c { throw unrepresentable(bytes, what: what, because: "ends in a backslash") }
    }

    private static func unrepresentable(
        _ bytes: some Collection<UInt8>, what: String, because reason: String
    ) -> MartletError {
        MartletError(
            .unsupported,
            "line protocol cannot carry the \(what) '\(String(decoding: bytes, as: UTF8.self))': it \(reason)",
            hint: "choose another output format")
    }
}
