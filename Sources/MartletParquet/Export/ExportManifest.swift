import MartletModel

/// What an export wrote: the list by which it can be checked. `format-spec/parquet-export.md` describes its JSON.
package struct ExportManifest: Sendable, Equatable {
    /// One file of the export.
    package struct Entry: Sendable, Equatable {
        /// The namespace that the rows come from.
        package var namespace: String
        /// The table that the rows come from.
        package var table: String
        /// The path below the export's directory, with `/` between parts.
        package var path: String
        /// Rows in the file.
        package var rowCount: Int64
        /// Bytes of the file.
        package var byteCount: Int64
        /// The CRC32C of the file's bytes.
        package var crc32c: UInt32
        /// From the first to the last time in the file, as written; `nil` where there are no times.
        package var timeRange: TimeRange?
    }

    /// What was exported of one table.
    package struct Table: Sendable, Equatable {
        /// The table's namespace.
        package var namespace: String
        /// The table's name.
        package var table: String
        /// The columns of its files.
        package var columns: [ColumnDescription]
        /// The keys of the folders, from the outermost.
        package var partitionKeys: [String]
    }

    /// When the export was begun.
    package var created: Timestamp
    /// The format of the files.
    package var fileFormat: String
    /// The tables, in the order in which they were exported.
    package var tables: [Table] = []
    /// The files, in the order in which they were finished.
    package var files: [Entry] = []
    /// Timestamps that lost what is finer than a microsecond.
    package var truncatedTimestamps = 0
    /// Values and rows that the files' format has no form for.
    package var omittedValues = 0
    package var omittedRows = 0

    /// A manifest without tables.
    package init(created: Timestamp, fileFormat: String) {
        self.created = created
        self.fileFormat = fileFormat
    }

    /// Rows in all files.
    package var rowCount: Int64 { files.reduce(0) { $0 + $1.rowCount } }
    /// Bytes of all files.
    package var byteCount: Int64 { files.reduce(0) { $0 + $1.byteCount } }

    /// The manifest as JSON text.
    package var json: String {
        var text = "{\n  \"format\": \"martlet-export\",\n  \"version\": 1,\n"
        text += "  \"created\": \(Self.quoted(CivilTime.timestamp(created.nanoseconds))),\n"
        text += "  \"file_format\": \(Self.quoted(fileFormat)),\n"
        text += "  \"rows\": \(rowCount),\n  \"bytes\": \(byteCount),\n"
        text += "  \"truncated_timestamps\": \(truncatedTimestamps),\n"
        if omittedValues + omittedRows > 0 {
            text += "  \"omitted_values\": \(omittedValues),\n  \"omitted_rows\": \(omittedRows),\n"
        }
        text += "  \"tables\": " + Self.list(tables.map(Self.json)) + ",\n"
        text += "  \"files\": " + Self.list(files.map(Self.json)) + "\n}\n"
        return text
    }

    private static func list(_ elements: [String]) -> String {
        elements.isEmpty ? "[]" : "[\n" + elements.map { "    " + $0 }.joined(separator: ",\n") + "\n  ]"
    }

    private static func json(_ table: Table) -> String {
        let columns = table.columns.map { column in
            "{\"name\": \(quoted(column.name)), \"type\": \(quoted(column.type.name)), "
                + "\"role\": \(quoted(SchemaNote.name(column.role)))}"
        }
        return "{\"namespace\": \(quoted(table.namespace)), \"table\": \(quoted(table.table)), "
            + "\"partition_keys\": [\(table.partitionKeys.map(quoted).joined(separator: ", "))], "
            + "\"columns\": [\(columns.joined(separator: ", "))]}"
    }

    private static func json(_ file: Entry) -> String {
        let digits = String(file.crc32c, radix: 16)
        var text = "{\"path\": \(quoted(file.path)), \"namespace\": \(quoted(file.namespace)), "
        text += "\"table\": \(quoted(file.table)), \"rows\": \(file.rowCount), \"bytes\": \(file.byteCount), "
        text += "\"crc32c\": \"\(String(repeating: "0", count: 8 - digits.count) + digits)\""
        if let range = file.timeRange {
            text += ", \"min_time\": \(quoted(CivilTime.timestamp(range.lowerBound)))"
            text += ", \"max_time\": \(quoted(CivilTime.timestamp(range.upperBound)))"
        }
        return text + "}"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
