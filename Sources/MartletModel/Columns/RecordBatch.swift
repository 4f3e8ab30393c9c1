/// What a column of a batch is to its table.
public enum ColumnRole: UInt8, Sendable, Hashable, Codable {
    /// The row's timestamp: `.timestamp`, without nulls, at most one per batch.
    case time = 1
    /// A tag: `.string`, null where the series lacks the tag.
    case tag = 2
    /// A measured value.
    case field = 3
    /// The whole tag set at once: dictionary-encoded `.string` whose entries are `TagSet.canonicalBytes`, without
    /// nulls. A batch to append carries either this or `.tag` columns.
    case series = 4
    /// A computed column of a query's result.
    case value = 5
}

/// Name, type and role of one column.
public struct ColumnDescription: Sendable, Hashable, Codable {
    /// The name as the user wrote it.
    public var name: String
    /// The type of the values.
    public var type: ColumnType
    /// What the column is to its table.
    public var role: ColumnRole

    /// Describes a column.
    public init(_ name: String, _ type: ColumnType, _ role: ColumnRole = .value) {
        self.name = name
        self.type = type
        self.role = role
    }
}

/// Rows in columns: the only shape in which rows move between Martlet's modules.
public struct RecordBatch: Sendable {
    /// One description per column.
    public let schema: [ColumnDescription]
    /// The columns, all of `rowCount` rows.
    public let columns: [Column]
    /// The number of rows; meaningful even without columns.
    public let rowCount: Int

    /// A batch of finished columns. All must have `rowCount` rows and the described types.
    public init(schema: [ColumnDescription], columns: [Column], rowCount: Int) {
        precondition(schema.count == columns.count, "\(schema.count) descriptions for \(columns.count) columns")
        for (description, column) in zip(schema, columns) {
            precondition(column.count == rowCount, "column \(description.name) has \(column.count) of \(rowCount) rows")
            precondition(column.type == description.type, "column \(description.name) is not \(description.type.name)")
        }
        self.schema = schema
        self.columns = columns
        self.rowCount = rowCount
    }

    /// The index of the column called `name`, if there is one. O(columns).
    public func index(of name: String) -> Int? { schema.firstIndex { $0.name == name } }

    /// The column called `name`, if there is one. O(columns).
    public subscript(name: String) -> Column? { index(of: name).map { columns[$0] } }

    /// Row `index` as values, in column order. For results and tests.
    public func row(_ index: Int) -> [FieldValue?] { columns.map { $0.value(at: index) } }

    /// Bytes held by all columns, for memory accounting.
    public var memoryFootprint: Int { columns.reduce(0) { $0 + $1.memoryFootprint } }
}

/// Rows for one table: what is appended.
public struct TableBatch: Sendable {
    /// The table (measurement).
    public let table: String
    /// One `.time` column, `.tag` columns or one `.series` column, and `.field` columns.
    public let batch: RecordBatch

    /// Pairs a table's name with rows for it.
    public init(table: String, batch: RecordBatch) {
        self.table = table
        self.batch = batch
    }
}
