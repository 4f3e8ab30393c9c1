/// A table's columns as they stand: tags and fields in the order in which they were first written.
public struct TableSchema: Sendable, Hashable, Codable {
    /// The name of the time column of every table.
    public static let timeColumn = "time"

    /// The table's name.
    public var name: String
    /// Tag names in the order of their first appearance.
    public var tags: [String]
    /// Field names and types in the order of their first appearance.
    public var fields: [ColumnDescription]

    /// A table's schema.
    public init(name: String, tags: [String] = [], fields: [ColumnDescription] = []) {
        self.name = name
        self.tags = tags
        self.fields = fields
    }

    /// The type of field `name`, or `nil` when the table has no such field.
    public func fieldType(_ name: String) -> ColumnType? { fields.first { $0.name == name }?.type }
}
