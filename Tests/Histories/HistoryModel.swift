import MartletModel
import MartletStorage

/// A row to append, as the model sees it.
struct HistoryRow: Hashable, Sendable {
    var tags: TagSet
    var time: Int64
    var fields: [String: FieldValue]
}

/// What a table holds after a history, as simply as it can be said.
struct TableModel: Hashable, Sendable {
    var fields: [String: ColumnType] = [:]
    /// Last write wins per (series, time, field). A row whose last field was dropped is kept, empty.
    var rows: [TagSet: [Int64: [String: FieldValue]]] = [:]

    /// Applies a row, or gives the reason why it is refused.
    mutating func write(_ row: HistoryRow) -> MartletError.Code? {
        var values: [String: FieldValue] = [:]
        for (name, value) in row.fields {
            guard let type = fields[name] else {
                values[name] = value
                continue
            }
            switch (type, value) {
            case (.float64, .int64(let number)): values[name] = .float64(Double(number))
            case (.float64, .uint64(let number)): values[name] = .float64(Double(number))
            case _ where value.type == type: values[name] = value
            default: return .typeConflict
            }
        }
        for (name, value) in values { fields[name] = value.type }
        rows[row.tags, default: [:]][row.time, default: [:]].merge(values) { $1 }
        return nil
    }
}

/// What a namespace holds after a history.
struct HistoryModel: Hashable, Sendable {
    var tables: [String: TableModel] = [:]

    /// Applies an append; returns the (batch, row) pairs that are refused.
    mutating func append(_ batches: [HistoryBatch]) -> Set<[Int]> {
        var refused: Set<[Int]> = []
        for (batchIndex, batch) in batches.enumerated() {
            for (rowIndex, row) in batch.rows.enumerated() {
                var table = tables[batch.table] ?? TableModel()
                if table.write(row) != nil {
                    refused.insert([batchIndex, rowIndex])
                } else {
                    tables[batch.table] = table
                }
            }
        }
        return refused
    }

    /// Applies a change of the schema or a deletion; returns the error where it is refused.
    mutating func apply(_ change: HistoryChange) -> MartletError.Code? {
        switch change {
        case .delete(let table, let time, let predicate):
            guard let former = tables[table] else { return .notFound }
            for (tags, rows) in former.rows where predicate.predicate.holds(for: tags) {
                tables[table]?.rows[tags] = rows.filter { $0.key < time.lowerBound || $0.key > time.upperBound }
            }
        case .createTable(let table):
            if tables[table] != nil { return .alreadyExists }
            tables[table] = TableModel(fields: ["f": .float64])
        case .dropTable(let table): if tables.removeValue(forKey: table) == nil { return .notFound }
        case .addField(let table, let field, let type):
            guard let former = tables[table] else { return .notFound }
            if former.fields[field] != nil { return .alreadyExists }
            tables[table]?.fields[field] = type
        case .dropField(let table, let field):
            guard let former = tables[table], former.fields[field] != nil else { return .notFound }
            tables[table]?.fields[field] = nil
            for (tags, rows) in former.rows {
                for time in rows.keys { tables[table]?.rows[tags]?[time]?[field] = nil }
            }
        case .changeType(let table, let field, let type):
            guard var changed = tables[table], changed.fields[field] != nil else { return .notFound }
            changed.fields[field] = type
            for (tags, rows) in changed.rows {
                for (time, values) in rows {
                    guard let value = values[field] else { continue }
                    guard let image = value.converted(to: type) else { return .typeConflict }
                    changed.rows[tags]?[time]?[field] = image
                }
            }
            tables[table] = changed
        }
        return nil
    }

    /// The first difference from what was read, or `nil` where it is what the model allows.
    func difference(from observed: HistoryModel) -> String? {
        if Set(tables.keys) != Set(observed.tables.keys) {
            return "tables \(observed.tables.keys.sorted()) instead of \(tables.keys.sorted())"
        }
        for (name, table) in tables.sorted(by: { $0.key < $1.key }) {
            let other = observed.tables[name] ?? TableModel()
            if table.fields != other.fields { return "\(name): fields \(other.fields) instead of \(table.fields)" }
            for tags in Set(table.rows.keys).union(other.rows.keys) {
                let expected = table.rows[tags] ?? [:]
                let found = other.rows[tags] ?? [:]
                for time in Set(expected.keys).union(found.keys).sorted() {
                    if expected[time] == found[time] { continue }
                    if expected[time] == [:] && found[time] == nil { continue }
                    let row = "\(name) \(tags.tags.map { "\($0.key)=\($0.value)" }) at \(time)"
                    return "\(row): \(found[time].map { "\($0)" } ?? "absent") instead of "
                        + (expected[time].map { "\($0)" } ?? "absent")
                }
            }
        }
        return nil
    }
}
