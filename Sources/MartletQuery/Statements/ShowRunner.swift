import MartletModel
import MartletStorage

/// SHOW and DESCRIBE.
struct ShowRunner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ show: StatementSyntax.Show, limit: ExpressionSyntax?) throws(MartletError) -> Operator {
        let table = try table(show)
        guard let limit, let count = try QueryBinder(context).rowNumber(limit) else { return table }
        return LimitOperator(table, count: count, skip: 0)
    }

    private func table(_ show: StatementSyntax.Show) throws(MartletError) -> Operator {
        switch show {
        case .tables:
            return try context.table(
                [
                    ColumnDescription("name", .string), ColumnDescription("tags", .int64),
                    ColumnDescription("fields", .int64),
                ],
                try context.snapshot().tables.map {
                    [.string($0.name), .int64(Int64($0.tags.count)), .int64(Int64($0.fields.count))]
                })
        case .columns(let name): return try columns(context.schema(of: name.parts))
        case .series(let name, let filter): return try series(context.schema(of: name.parts), filter)
        case .tags(let name):
            let schema = try context.schema(of: name.parts)
            return try context.table([ColumnDescription("name", .string)], schema.tags.map { [.string($0)] })
        case .tagValues(let name, let tag, let filter):
            return try tagValues(context.schema(of: name.parts), tag, filter)
        case .segments: return try segments()
        case .namespaces:
            return try context.table(
                [ColumnDescription("name", .string)], context.directory.namespaceNames.map { [.string($0)] })
        case .functions: return try functions()
        case .storage: return try storage()
        }
    }

    private func storage() throws(MartletError) -> Operator {
        let statistics = context.directory.statistics
        var rows = statistics.figures.map { figure -> [FieldValue?] in
            [.string(figure.name), .float64(Double(figure.value)), .string(figure.meaning)]
        }
        let ratio = Double(statistics.bytesWritten) / Double(max(statistics.bytesIngested, 1))
        rows.append([
            .string("written_per_ingested_byte"), .float64(ratio),
            .string("Bytes written to disk for any reason, for each byte ingested."),
        ])
        return try context.table(
            [
                ColumnDescription("name", .string), ColumnDescription("value", .float64),
                ColumnDescription("meaning", .string),
            ], rows)
    }

    private func columns(_ schema: TableSchema) throws(MartletError) -> Operator {
        var rows: [[FieldValue?]] = [[.string(TableSchema.timeColumn), .string("TIMESTAMP"), .string("time")]]
        rows += schema.tags.map { [.string($0), .string("VARCHAR"), .string("tag")] }
        rows += schema.fields.map { [.string($0.name), .string($0.type.name), .string("field")] }
        return try context.table(
            [
                ColumnDescription("name", .string), ColumnDescription("type", .string),
                ColumnDescription("role", .string),
            ],
            rows)
    }

    private func matching(_ schema: TableSchema, _ filter: ExpressionSyntax?) throws(MartletError) -> [TagSet] {
        let scan = try TableConditions(context).scan(schema, filter)
        if scan.filter != nil || (scan.time != .all && !scan.time.isEmpty) {
            throw context.error(
                .unsupported, "SHOW takes conditions on tags only", at: filter?.offset ?? 0,
                hint: "SELECT DISTINCT takes any condition")
        }
        if scan.time.isEmpty { return [] }
        let series = try context.snapshot().series(of: schema.name, matching: scan.series)
        for test in scan.tagTests { try test.check() }
        return series
    }

    private func series(_ schema: TableSchema, _ filter: ExpressionSyntax?) throws(MartletError) -> Operator {
        let rows = try matching(schema, filter).map { set in
            schema.tags.map { key in set[key].map { FieldValue.string($0) } }
        }
        return try context.table(schema.tags.map { ColumnDescription($0, .string, .tag) }, rows)
    }

    private func tagValues(
        _ schema: TableSchema, _ tag: Name?, _ filter: ExpressionSyntax?
    ) throws(MartletError) -> Operator {
        var keys = schema.tags
        if let tag {
            keys = schema.tags.filter { Scope.same($0, tag) }
            if keys.isEmpty {
                throw context.error(
                    .notFound, "table '\(schema.name)' has no tag '\(tag.text)'", at: tag.offset,
                    hint: Spelling.hint(for: tag.text, in: schema.tags))
            }
        }
        var counts: [String: [String: Int]] = [:]
        for set in try matching(schema, filter) {
            for pair in set.tags where keys.contains(pair.key) {
                counts[pair.key, default: [:]][pair.value, default: 0] += 1
            }
        }
        var rows: [[FieldValue?]] = []
        for key in keys {
            let values = (counts[key] ?? [:]).sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (value, count) in values { rows.append([.string(key), .string(value), .int64(Int64(count))]) }
        }
        return try context.table(
            [
                ColumnDescription("tag", .string), ColumnDescription("value", .string),
                ColumnDescription("series", .int64),
            ],
            rows)
    }

    private func segments() throws(MartletError) -> Operator {
        let rows = try context.snapshot().segments.map { segment -> [FieldValue?] in
            let isEmpty = segment.time.isEmpty
            return [
                .string(segment.name), .string(segment.tier), .int64(Int64(segment.tables)),
                .int64(Int64(segment.series)), .int64(Int64(segment.rows)), .int64(segment.bytes),
                isEmpty ? nil : .timestamp(Timestamp(nanoseconds: segment.time.lowerBound)),
                isEmpty ? nil : .timestamp(Timestamp(nanoseconds: segment.time.upperBound)),
            ]
        }
        return try context.table(
            [
                ColumnDescription("name", .string), ColumnDescription("tier", .string),
                ColumnDescription("tables", .int64), ColumnDescription("series", .int64),
                ColumnDescription("rows", .int64), ColumnDescription("bytes", .int64),
                ColumnDescription("first_time", .timestamp), ColumnDescription("last_time", .timestamp),
            ], rows)
    }

    private func functions() throws(MartletError) -> Operator {
        var rows: [[FieldValue?]] = []
        for name in Set(context.functions.names + WindowCalls.names).sorted() {
            let kind =
                WindowCalls.names.contains(name) || context.functions.window(name) != nil
                ? "window" : context.functions.aggregate(name) != nil ? "aggregate" : "scalar"
            rows.append([.string(name), .string(kind)])
        }
        return try context.table([ColumnDescription("name", .string), ColumnDescription("kind", .string)], rows)
    }
}

/// The tables of `information_schema`, for tools that look there.
enum InformationSchema {
    static func table(_ name: Name, context: StatementContext) throws(MartletError) -> Plan {
        let namespace = FieldValue.string(context.namespace.name)
        let tables = try context.snapshot().tables
        switch name.text.lowercased() {
        case "tables":
            let columns = ["table_catalog", "table_schema", "table_name", "table_type"]
            return .rows(
                try .of(
                    "information_schema.tables", columns.map { ColumnDescription($0, .string) },
                    tables.map { [.string("martlet"), namespace, .string($0.name), .string("BASE TABLE")] }))
        case "columns":
            var rows: [[FieldValue?]] = []
            for table in tables {
                var described = [ColumnDescription(TableSchema.timeColumn, .timestamp, .time)]
                described += table.tags.map { ColumnDescription($0, .string, .tag) }
                described += table.fields
                for (index, column) in described.enumerated() {
                    rows.append([
                        namespace, .string(table.name), .string(column.name), .int64(Int64(index + 1)),
                        .string(column.type.name), .string(column.role == .time ? "NO" : "YES"),
                        .string("\(column.role)"),
                    ])
                }
            }
            return .rows(
                try .of(
                    "information_schema.columns",
                    [
                        ColumnDescription("table_schema", .string), ColumnDescription("table_name", .string),
                        ColumnDescription("column_name", .string), ColumnDescription("ordinal_position", .int64),
                        ColumnDescription("data_type", .string), ColumnDescription("is_nullable", .string),
                        ColumnDescription("column_role", .string),
                    ], rows))
        default:
            throw context.error(
                .notFound, "information_schema has tables and columns, not '\(name.text)'", at: name.offset)
        }
    }
}
