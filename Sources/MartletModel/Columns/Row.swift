/// One row to append, for programs that measure a value now and then. A program with many rows at hand builds a
/// `RecordBatch`, which costs no dictionary a row.
public struct Row: Sendable {
    /// The table (measurement).
    public var table: String
    /// The tags that name the series.
    public var tags: [String: String]
    /// The measured values; at least one.
    public var fields: [String: FieldValue]
    /// The moment, or `nil` for the database's clock at the append.
    public var time: Timestamp?

    /// A row of `table`.
    public init(
        _ table: String, tags: [String: String] = [:], fields: [String: FieldValue], time: Timestamp? = nil
    ) {
        self.table = table
        self.tags = tags
        self.fields = fields
        self.time = time
    }
}

extension FieldValue: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringLiteral
{
    /// A `float64`.
    public init(floatLiteral value: Double) { self = .float64(value) }
    /// An `int64`.
    public init(integerLiteral value: Int64) { self = .int64(value) }
    /// A `bool`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A `string`.
    public init(stringLiteral value: String) { self = .string(value) }
}

/// Turns rows into one batch per table, in the order of their first row.
package struct RowCollector {
    private struct Field {
        var name: String
        var type: ColumnType
        var values: [FieldValue?]

        /// An integer widens to a float, whichever of the two came first.
        mutating func append(_ value: FieldValue, table: String) throws(MartletError) {
            switch (type, value) {
            case (.float64, .int64), (.float64, .uint64): break
            case (.int64, .float64), (.uint64, .float64): type = .float64
            case _ where value.type == type: break
            default:
                throw MartletError(
                    .typeConflict, "a \(value.type.name) where other rows of this append have a \(type.name)",
                    at: .column(table: table, column: name))
            }
            values.append(value)
        }
    }

    private struct Table {
        var name: String
        var times: [Int64] = []
        var series: [UInt32] = []
        var seriesIndex: [[UInt8]: UInt32] = [:]
        var seriesKeys: [[UInt8]] = []
        var fields: [Field] = []
        var sources: [Int] = []
    }

    private var tables: [Table] = []

    /// The batches, and for each of their rows the index of the `Row` it came from.
    package struct Result {
        package var batches: [TableBatch]
        package var sources: [[Int]]
    }

    /// - Throws: `.invalidArgument` for bad tags or a row without fields, `.typeConflict` where two rows of the append
    ///   disagree about a field's type. Nothing is appended then.
    package static func collect(_ rows: [Row], now: Timestamp) throws(MartletError) -> Result {
        var collector = RowCollector()
        for (index, row) in rows.enumerated() { try collector.add(row, index: index, now: now) }
        var batches: [TableBatch] = []
        for table in collector.tables { batches.append(try Self.batch(of: table)) }
        return Result(batches: batches, sources: collector.tables.map(\.sources))
    }

    private mutating func add(_ row: Row, index: Int, now: Timestamp) throws(MartletError) {
        if row.fields.isEmpty {
            throw MartletError(.invalidArgument, "row \(index) of table '\(row.table)' has no field")
        }
        let key = try TagSet(row.tags.map { ($0.key, $0.value) }).canonicalBytes
        var position = tables.firstIndex { $0.name == row.table } ?? -1
        if position < 0 {
            position = tables.count
            tables.append(Table(name: row.table))
        }
        let rowCount = tables[position].times.count
        for (name, value) in row.fields.sorted(by: { $0.key < $1.key }) {
            guard value.type.isFieldType else {
                throw MartletError(
                    .typeConflict, "a field cannot hold a \(value.type.name)",
                    at: .column(table: row.table, column: name))
            }
            if let column = tables[position].fields.firstIndex(where: { $0.name == name }) {
                try tables[position].fields[column].append(value, table: row.table)
            } else {
                tables[position].fields.append(
                    Field(
                        name: name, type: value.type,
                        values: [FieldValue?](repeating: nil, count: rowCount) + [value]))
            }
        }
        for column in tables[position].fields.indices where tables[position].fields[column].values.count == rowCount {
            tables[position].fields[column].values.append(nil)
        }
        let series: UInt32
        if let known = tables[position].seriesIndex[key] {
            series = known
        } else {
            series = UInt32(tables[position].seriesKeys.count)
            tables[position].seriesIndex[key] = series
            tables[position].seriesKeys.append(key)
        }
        tables[position].series.append(series)
        tables[position].times.append((row.time ?? now).nanoseconds)
        tables[position].sources.append(index)
    }

    private static func batch(of table: Table) throws(MartletError) -> TableBatch {
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for key in table.seriesKeys {
            bytes += key
            offsets.append(Int32(bytes.count))
        }
        let keys = StringDictionary(offsets: Buffer(offsets), bytes: Buffer(bytes), count: table.seriesKeys.count)
        var schema = [
            ColumnDescription(TableSchema.timeColumn, .timestamp, .time),
            ColumnDescription("series", .string, .series),
        ]
        var columns = [
            Column(.timestamp, unsafeElements: table.times), Column(indices: table.series, dictionary: keys),
        ]
        for field in table.fields {
            schema.append(ColumnDescription(field.name, field.type, .field))
            columns.append(try Column(field.type, field.values))
        }
        return TableBatch(
            table: table.name, batch: RecordBatch(schema: schema, columns: columns, rowCount: table.times.count))
    }
}
