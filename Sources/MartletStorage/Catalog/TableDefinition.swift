import MartletModel

/// A field column of a table. `id` is never reused within a table, so that a dropped column's stored values can't
/// come back under a new column of the same name.
struct FieldDefinition: Sendable, Hashable {
    var id: UInt32
    var name: String
    var type: ColumnType
}

/// A table as the catalog knows it. `id` is never reused within a namespace.
struct TableDefinition: Sendable, Hashable {
    var id: UInt32
    var name: String
    /// Tag names in the order of their first appearance.
    var tags: [String]
    /// Field columns in the order of their first appearance.
    var fields: [FieldDefinition]
    /// The id that the next new field gets.
    var nextFieldID: UInt32

    var schema: TableSchema {
        TableSchema(name: name, tags: tags, fields: fields.map { ColumnDescription($0.name, $0.type, .field) })
    }

    func field(named name: String) -> FieldDefinition? { fields.first { $0.name == name } }
    func field(id: UInt32) -> FieldDefinition? { fields.first { $0.id == id } }

    /// Adds a column and returns its definition.
    mutating func addField(_ name: String, _ type: ColumnType) -> FieldDefinition {
        let field = FieldDefinition(id: nextFieldID, name: name, type: type)
        nextFieldID += 1
        fields.append(field)
        return field
    }
}

extension TableDefinition {
    func encode(into writer: inout ByteWriter) {
        writer.varint(UInt64(id))
        writer.text(name)
        writer.varint(tags.count)
        for tag in tags { writer.text(tag) }
        writer.varint(UInt64(nextFieldID))
        writer.varint(fields.count)
        for field in fields {
            writer.varint(UInt64(field.id))
            writer.u8(field.type.rawValue)
            writer.text(field.name)
        }
    }

    init(from reader: inout ByteReader) throws(MartletError) {
        id = UInt32(try reader.count(upTo: Int(UInt32.max)))
        name = try reader.text()
        tags = []
        for _ in 0..<(try reader.itemCount()) { tags.append(try reader.text()) }
        nextFieldID = UInt32(try reader.count(upTo: Int(UInt32.max)))
        fields = []
        for _ in 0..<(try reader.itemCount()) {
            let id = UInt32(try reader.count(upTo: Int(UInt32.max)))
            let raw = try reader.u8()
            guard let type = ColumnType(rawValue: raw), type.isFieldType else {
                throw reader.corrupt("\(raw) is not the type of a field")
            }
            guard id < nextFieldID else { throw reader.corrupt("field \(id) of a table whose next is \(nextFieldID)") }
            fields.append(FieldDefinition(id: id, name: try reader.text(), type: type))
        }
    }
}
