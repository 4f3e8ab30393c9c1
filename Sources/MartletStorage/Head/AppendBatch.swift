import MartletModel

/// A `TableBatch` whose form was checked, with its columns found by role and its tags as one series column.
struct AppendBatch: Sendable {
    let table: String
    let rowCount: Int
    let times: Column
    /// Dictionary-encoded; the entries are canonical tag bytes.
    let series: Column
    let fields: [(ColumnDescription, Column)]

    /// - Throws: `.invalidArgument` for a batch that is not of the form that `TableBatch` describes.
    init(_ source: TableBatch) throws(MartletError) {
        table = source.table
        rowCount = source.batch.rowCount
        func invalid(_ reason: String) -> MartletError {
            MartletError(.invalidArgument, "a batch for table '\(source.table)' \(reason)")
        }
        if table.isEmpty { throw MartletError(.invalidArgument, "a batch for a table without a name") }
        guard rowCount < Int(Int32.max) else { throw invalid("has \(rowCount) rows; append fewer at once") }
        var times: Column?
        var series: Column?
        var tags: [(String, Column)] = []
        var fields: [(ColumnDescription, Column)] = []
        var names: Set<String> = []
        for (description, column) in zip(source.batch.schema, source.batch.columns) {
            switch description.role {
            case .time:
                guard times == nil, column.type == .timestamp, column.nullCount == 0 else {
                    throw invalid("needs one time column of type TIMESTAMP without nulls")
                }
                times = column
            case .series:
                guard series == nil, column.isDictionaryEncoded, column.nullCount == 0 else {
                    throw invalid("needs one dictionary-encoded series column without nulls")
                }
                series = column
            case .tag:
                guard column.type == .string, !description.name.isEmpty, names.insert(description.name).inserted else {
                    throw invalid("has a tag column '\(description.name)' that is unnamed, given twice or not text")
                }
                tags.append((description.name, column))
            case .field, .value:
                guard column.type.isFieldType, !description.name.isEmpty, names.insert(description.name).inserted,
                    description.name != TableSchema.timeColumn
                else {
                    throw invalid(
                        "has a field column '\(description.name)' that is unnamed, given twice, called like the time"
                            + " column or of type \(column.type.name)")
                }
                fields.append((description, column))
            }
        }
        guard let times else { throw invalid("has no time column") }
        if series != nil && !tags.isEmpty { throw invalid("has a series column and tag columns") }
        if let series {
            let codes = series.values.pointer(to: UInt32.self)
            let limit = series.dictionary!.count
            for row in 0..<rowCount where codes[row] >= limit {
                throw invalid("has the series index \(codes[row]) of \(limit) in row \(row)")
            }
        }
        self.times = times
        self.fields = fields
        if let series {
            self.series = series
        } else {
            self.series = try Self.seriesColumn(tags, rowCount)
        }
    }

    /// One series column in place of a column per tag. An empty value means that the row lacks the tag.
    private static func seriesColumn(_ tags: [(String, Column)], _ rowCount: Int) throws(MartletError) -> Column {
        let tags = tags.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        let keys = tags.map { prefixed(Array($0.0.utf8)) }
        var known: [[UInt8]: UInt32] = [:]
        var bytes = MutableBuffer(capacity: 1024)
        var offsets = MutableBuffer(capacity: 1024)
        offsets.append(Int32(0))
        var codes = MutableBuffer(capacity: rowCount * 4)
        var canonical: [UInt8] = []
        for row in 0..<rowCount {
            canonical.removeAll(keepingCapacity: true)
            for (index, (_, column)) in tags.enumerated() where column.isValid(row) {
                let value = column.stringBytes(row)
                if value.isEmpty { continue }
                canonical.append(contentsOf: keys[index])
                canonical.append(contentsOf: prefixed(Array(value)))
            }
            if let code = known[canonical] {
                codes.append(code)
                continue
            }
            let code = UInt32(known.count)
            known[canonical] = code
            codes.append(code)
            canonical.withUnsafeBytes { bytes.append($0) }
            offsets.append(Int32(bytes.byteCount))
        }
        let dictionary = StringDictionary(offsets: offsets.finish(), bytes: bytes.finish(), count: known.count)
        return Column(type: .string, count: rowCount, values: codes.finish(), dictionary: dictionary)
    }

    private static func prefixed(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var length = text.count
        while length >= 0x80 {
            result.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        result.append(UInt8(length))
        return result + text
    }
}
