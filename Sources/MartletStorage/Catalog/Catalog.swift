import MartletModel

/// All tables of a namespace at one moment: a value that snapshots keep.
struct Catalog: Sendable, Equatable {
    private(set) var tables: [UInt32: TableDefinition] = [:]
    private(set) var names: [String: UInt32] = [:]
    /// The id that the next new table gets.
    var nextTableID: UInt32 = 1

    subscript(name: String) -> TableDefinition? { names[name].flatMap { tables[$0] } }
    subscript(id: UInt32) -> TableDefinition? { tables[id] }

    /// Adds or replaces a table by its id.
    mutating func define(_ table: TableDefinition) {
        if let former = tables[table.id], former.name != table.name { names[former.name] = nil }
        if let other = names[table.name], other != table.id { tables[other] = nil }
        tables[table.id] = table
        names[table.name] = table.id
        nextTableID = max(nextTableID, table.id + 1)
    }

    /// Removes a table; its id is not given out again.
    mutating func drop(_ id: UInt32) {
        if let former = tables.removeValue(forKey: id) { names[former.name] = nil }
        nextTableID = max(nextTableID, id + 1)
    }

    /// The tables in the order of their names.
    var sorted: [TableDefinition] { tables.values.sorted { $0.name < $1.name } }
}

/// A change of the catalog as the log carries it.
enum CatalogChange: Sendable, Hashable {
    /// The table stands as given from now on.
    case define(TableDefinition)
    /// The table is gone.
    case drop(UInt32)

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .define(let table):
            writer.u8(1)
            table.encode(into: &writer)
        case .drop(let id):
            writer.u8(2)
            writer.varint(UInt64(id))
        }
    }

    init(from reader: inout ByteReader) throws(MartletError) {
        switch try reader.u8() {
        case 1: self = .define(try TableDefinition(from: &reader))
        case 2: self = .drop(UInt32(try reader.count(upTo: Int(UInt32.max))))
        case let kind: throw reader.corrupt("\(kind) is not a change of the catalog")
        }
    }
}

extension Catalog {
    mutating func apply(_ change: CatalogChange) {
        switch change {
        case .define(let table): define(table)
        case .drop(let id): drop(id)
        }
    }
}
