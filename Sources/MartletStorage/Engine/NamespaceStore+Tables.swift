import MartletModel

/// Changes of the catalog. Each is one commit of its own, as durable as an append.
extension NamespaceStore {
    func createTable(_ schema: TableSchema) throws(MartletError) {
        if schema.name.isEmpty { throw MartletError(.invalidArgument, "a table needs a name") }
        try TierTable.checkFree(schema.name)
        var names: Set<String> = [TableSchema.timeColumn]
        for name in schema.tags + schema.fields.map(\.name) {
            guard !name.isEmpty, names.insert(name).inserted else {
                throw MartletError(
                    .invalidArgument,
                    "'\(name)' can't be a column of '\(schema.name)': unnamed, taken or the time's name")
            }
        }
        for field in schema.fields { try Self.checkFieldType(field.type, field.name) }
        try change { (writer) throws(MartletError) in
            if writer.state.catalog[schema.name] != nil {
                throw MartletError(.alreadyExists, "the table '\(schema.name)' exists already")
            }
            var table = TableDefinition(
                id: writer.state.catalog.nextTableID, name: schema.name, tags: schema.tags, fields: [],
                nextFieldID: 0)
            for field in schema.fields { _ = table.addField(field.name, field.type) }
            try writer.commit(changes: [.define(table)], tombstones: [])
        }
    }

    func dropTable(_ name: String) throws(MartletError) {
        try change { (writer) throws(MartletError) in
            let table = try Self.table(name, writer.state.catalog)
            let tiers = writer.state.catalog.tiers(of: name).map { CatalogChange.drop($0.table.id) }
            try writer.commit(changes: [.drop(table.id)] + tiers, tombstones: [])
        }
    }

    func addField(_ field: ColumnDescription, to table: String) throws(MartletError) {
        try Self.checkFieldType(field.type, field.name)
        try change { (writer) throws(MartletError) in
            var table = try Self.table(table, writer.state.catalog)
            let isTaken = table.field(named: field.name) != nil || table.tags.contains(field.name)
            if isTaken || field.name.isEmpty || field.name == TableSchema.timeColumn {
                throw MartletError(
                    .alreadyExists, "table '\(table.name)' has a column '\(field.name)' already",
                    at: .column(table: table.name, column: field.name))
            }
            _ = table.addField(field.name, field.type)
            try writer.commit(changes: [.define(table)], tombstones: [])
        }
    }

    func dropField(_ field: String, from table: String) throws(MartletError) {
        try change { (writer) throws(MartletError) in
            var table = try Self.table(table, writer.state.catalog)
            let index = try Self.fieldIndex(field, table)
            table.fields.remove(at: index)
            let parts = Set(TierTable.Part.allCases.map { $0.column(of: field) })
            let tiers = writer.state.catalog.tiers(of: table.name).map { (_, tier) in
                var tier = tier
                tier.fields.removeAll { parts.contains($0.name) }
                return CatalogChange.define(tier)
            }
            try writer.commit(changes: [.define(table)] + tiers, tombstones: [])
        }
    }

    /// Stored values are converted where they are read, and for good by the next merge.
    ///
    /// Values that an earlier change left in their former type are rewritten first: each change converts what the one
    /// before it made, whether or not a merge came in between.
    func changeType(of field: String, in table: String, to type: ColumnType) throws(MartletError) {
        try Self.checkFieldType(type, field)
        while try !tryChangeType(of: field, in: table, to: type) { _ = try compact() }
    }

    /// - Returns: `false` where stored values are of a type that the field had before its present one.
    private func tryChangeType(
        of field: String, in table: String, to type: ColumnType
    ) throws(MartletError) -> Bool {
        try change(
            reading: { (state) throws(MartletError) in
                let table = try Self.table(table, state.catalog)
                let former = table.fields[try Self.fieldIndex(field, table)]
                if former.type == type { return TypeChange(definition: table, isDue: false) }
                if try state.holdsFormerType(of: former, table.id) { return nil }
                try checkImages(of: former, in: table.name, as: type, state)
                return TypeChange(definition: table, isDue: true)
            },
            whileStill: { (reading: TypeChange?, former, present) in
                guard let reading else { return true }
                return present.catalog[table] == reading.definition
                    && !present.holdsRows(of: reading.definition.id, in: .all, after: former.commit)
            },
            writing: { (writer, reading) throws(MartletError) in
                guard let reading else { return false }
                if !reading.isDue { return true }
                var table = reading.definition
                table.fields[try Self.fieldIndex(field, table)].type = type
                try writer.commit(changes: [.define(table)], tombstones: [])
                return true
            })
    }

    /// A change of a field's type that the stored values allow.
    private struct TypeChange: Sendable {
        /// The table as it was read.
        var definition: TableDefinition
        /// Whether the field is not of the type already.
        var isDue: Bool
    }

    /// - Throws: `.typeConflict` where a stored value has no exact image in the type.
    private func checkImages(
        of field: FieldDefinition, in table: String, as type: ColumnType, _ state: NamespaceState
    ) throws(MartletError) {
        let snapshot = NamespaceSnapshot(state, series: series, core: core)
        let context = QueryContext(memory: core.budget, clock: core.clock)
        let scan = try snapshot.scan(ScanRequest(table: table, fields: [field.name]), context: context)
        while case .rows(let batch)? = try scan.next() {
            let (converted, inexact) = try Columns.convert(batch.fields[0], to: type)
            if inexact == 0 { continue }
            let row = (0..<batch.rowCount).first { batch.fields[0].isValid($0) && !converted.isValid($0) }
            let value = row.flatMap { batch.fields[0].value(at: $0) }
            throw MartletError(
                .typeConflict,
                "the value \(value.map { "\($0)" } ?? "?") of type \(field.type.name) has no exact image in \(type.name)",
                at: .column(table: table, column: field.name),
                hint: "delete or overwrite such rows first, or add a column of the new type")
        }
    }

    private static func table(_ name: String, _ catalog: Catalog) throws(MartletError) -> TableDefinition {
        guard let table = catalog[name] else {
            throw MartletError(.notFound, "there is no table '\(name)'")
        }
        return table
    }

    private static func fieldIndex(_ field: String, _ table: TableDefinition) throws(MartletError) -> Int {
        guard let index = table.fields.firstIndex(where: { $0.name == field }) else {
            throw MartletError(
                .notFound, "table '\(table.name)' has no field '\(field)'",
                at: .column(table: table.name, column: field))
        }
        return index
    }

    private static func checkFieldType(_ type: ColumnType, _ name: String) throws(MartletError) {
        if !type.isFieldType {
            throw MartletError(.invalidArgument, "a field can't be of type \(type.name), as '\(name)' would be")
        }
    }
}

extension NamespaceState {
    /// Whether a segment holds values of a field in another type than the field's present one.
    fileprivate func holdsFormerType(of field: FieldDefinition, _ table: UInt32) throws(MartletError) -> Bool {
        for segment in sealed {
            let stored = try segment.footer().tables.first { $0.definition.id == table }?.definition.field(id: field.id)
            if let stored, stored.type != field.type { return true }
        }
        return hot.contains { segment in
            segment.layers.contains { layer in
                layer.groups.contains { group in
                    group.table == table && group.block(of: field.id).map { $0.type != field.type } ?? false
                }
            }
        }
    }
}
