import MartletModel
import MartletStorage

/// CREATE, DROP, ALTER and COMPACT.
struct DefinitionRunner {
    private let context: StatementContext
    private var engine: any NamespaceEngine { context.namespace }

    init(_ context: StatementContext) { self.context = context }

    func run(_ statement: StatementSyntax) throws(MartletError) -> Operator {
        switch statement {
        case .createTable(let table, let columns, let ifNotExists):
            return try createTable(table, columns, ifNotExists: ifNotExists)
        case .dropTable(let table, let ifExists):
            let name = try tableName(table)
            guard try context.snapshot().schema(of: name) != nil else {
                if ifExists { return try done("DROP TABLE", name, changed: false) }
                _ = try context.schema(of: table.parts)
                return try done("DROP TABLE", name, changed: false)
            }
            try engine.dropTable(name)
            return try done("DROP TABLE", name)
        case .alterTable(let table, let alteration): return try alter(table, alteration)
        case .createNamespace(let name, let ifNotExists):
            if ifNotExists && context.directory.namespaceNames.contains(name.text) {
                return try done("CREATE NAMESPACE", name.text, changed: false)
            }
            try context.located(at: name.offset) { () throws(MartletError) in
                try context.directory.createNamespace(name.text)
            }
            return try done("CREATE NAMESPACE", name.text)
        case .dropNamespace(let name, let ifExists):
            let known = context.directory.namespaceNames
            guard known.contains(name.text) else {
                if ifExists { return try done("DROP NAMESPACE", name.text, changed: false) }
                throw context.error(
                    .notFound, "there is no namespace '\(name.text)'", at: name.offset,
                    hint: Spelling.hint(for: name.text, in: known))
            }
            try context.located(at: name.offset) { () throws(MartletError) in
                try context.directory.dropNamespace(name.text)
            }
            return try done("DROP NAMESPACE", name.text)
        case .compact:
            return try compacted(try engine.compact())
        case .query, .insert, .delete, .show, .explain, .export, .retention, .stream:
            preconditionFailure("a statement that is not a definition")
        }
    }

    /// What a compaction did: a row for the namespace and one for each table.
    private func compacted(_ report: CompactionReport) throws(MartletError) -> Operator {
        var rows: [[FieldValue?]] = [
            [
                .string("namespace"), .string(engine.name), nil, nil, .int64(report.bytesBefore),
                .int64(report.bytesAfter), .int64(Int64(report.tombstonesApplied)),
                .int64(Int64(report.filesRemoved.count)),
            ]
        ]
        for table in report.tables {
            rows.append([
                .string("table"), .string(table.name), .int64(Int64(table.rowsBefore)),
                .int64(Int64(table.rowsAfter)), nil, nil, nil, nil,
            ])
        }
        return try context.table(
            [
                ColumnDescription("kind", .string), ColumnDescription("name", .string),
                ColumnDescription("rows_before", .int64), ColumnDescription("rows_after", .int64),
                ColumnDescription("bytes_before", .int64), ColumnDescription("bytes_after", .int64),
                ColumnDescription("deletes_applied", .int64), ColumnDescription("files_removed", .int64),
            ], rows)
    }

    private func done(_ statement: String, _ name: String, changed: Bool = true) throws(MartletError) -> Operator {
        try context.report([
            ("statement", .string(statement)), ("name", .string(name)), ("changed", .bool(changed)),
        ])
    }

    /// The unqualified name of a table, whose namespace must be the statement's own.
    private func tableName(_ table: TableNameSyntax) throws(MartletError) -> String {
        if table.parts.count == 2, !Scope.same(engine.name, table.parts[0]) {
            throw context.error(
                .unsupported, "'\(table.parts[0].text)' is not the namespace of this connection, '\(engine.name)'",
                at: table.parts[0].offset)
        }
        return table.parts[table.parts.count - 1].text
    }

    private func createTable(
        _ table: TableNameSyntax, _ columns: [StatementSyntax.ColumnDefinition], ifNotExists: Bool
    ) throws(MartletError) -> Operator {
        let name = try tableName(table)
        var schema = TableSchema(name: name)
        var seen: Set<String> = []
        for column in columns {
            guard seen.insert(column.name.text).inserted else {
                throw context.error(
                    .semantic, "column '\(column.name.text)' is defined twice", at: column.name.offset)
            }
            if column.name.text.lowercased() == TableSchema.timeColumn {
                guard case .time = column.kind, column.name.text == TableSchema.timeColumn else {
                    throw context.error(
                        .semantic, "the column time is of type TIMESTAMP and called 'time' in every table",
                        at: column.name.offset)
                }
            }
            switch column.kind {
            case .time: break
            case .tag: schema.tags.append(column.name.text)
            case .field(let type):
                schema.fields.append(
                    ColumnDescription(column.name.text, try fieldType(type, of: column.name), .field))
            }
        }
        if try context.snapshot().schema(of: name) != nil {
            if ifNotExists { return try done("CREATE TABLE", name, changed: false) }
            throw context.error(.alreadyExists, "there is a table '\(name)' already", at: table.parts.last?.offset ?? 0)
        }
        try context.located(at: table.offset) { () throws(MartletError) in try engine.createTable(schema) }
        return try done("CREATE TABLE", name)
    }

    private func fieldType(_ type: TypeSyntax, of column: Name) throws(MartletError) -> ColumnType {
        guard type.type.isFieldType else {
            throw context.error(
                .semantic, "field '\(column.text)' cannot be stored as \(type.type.name)", at: type.offset,
                hint: "fields are DOUBLE, BIGINT, UBIGINT, BOOLEAN or VARCHAR")
        }
        return type.type
    }

    private func alter(
        _ table: TableNameSyntax, _ alteration: StatementSyntax.Alteration
    ) throws(MartletError) -> Operator {
        let schema = try context.schema(of: table.parts)
        switch alteration {
        case .addField(let column, let type, let ifNotExists):
            if columnExists(column, in: schema) {
                if ifNotExists { return try done("ALTER TABLE", schema.name, changed: false) }
                throw context.error(
                    .alreadyExists, "table '\(schema.name)' has a column '\(column.text)' already", at: column.offset)
            }
            let field = ColumnDescription(column.text, try fieldType(type, of: column), .field)
            try context.located(at: column.offset) { () throws(MartletError) in
                try engine.addField(field, to: schema.name)
            }
        case .dropField(let column, let ifExists):
            if ifExists && !columnExists(column, in: schema) {
                return try done("ALTER TABLE", schema.name, changed: false)
            }
            let field = try field(column, of: schema)
            try context.located(at: column.offset) { () throws(MartletError) in
                try engine.dropField(field, from: schema.name)
            }
        case .changeType(let column, let type):
            let field = try field(column, of: schema)
            let target = try fieldType(type, of: column)
            try context.located(at: column.offset) { () throws(MartletError) in
                try engine.changeType(of: field, in: schema.name, to: target)
            }
        }
        return try done("ALTER TABLE", schema.name)
    }

    private func columnExists(_ name: Name, in schema: TableSchema) -> Bool {
        schema.fields.contains { $0.name == name.text } || schema.tags.contains(name.text)
            || name.text == TableSchema.timeColumn
    }

    private func field(_ name: Name, of schema: TableSchema) throws(MartletError) -> String {
        if let field = schema.fields.first(where: { $0.name == name.text }) { return field.name }
        if let field = schema.fields.first(where: { Scope.same($0.name, name) }) { return field.name }
        if schema.tags.contains(where: { Scope.same($0, name) }) || name.text == TableSchema.timeColumn {
            throw context.error(
                .unsupported,
                "'\(name.text)' is \(name.text == TableSchema.timeColumn ? "the time" : "a tag"), "
                    + "which identifies rows and cannot be altered", at: name.offset)
        }
        throw context.error(
            .notFound, "table '\(schema.name)' has no field '\(name.text)'", at: name.offset,
            hint: Spelling.hint(for: name.text, in: schema.fields.map(\.name)))
    }
}
