import MartletModel

@testable import MartletStorage

/// What a namespace must hold, kept as plainly as possible.
struct StorageModel {
    struct Key: Hashable {
        var table: String
        var tags: [String: String]
        var time: Int64
    }

    private(set) var rows: [Key: [String: FieldValue]] = [:]

    mutating func append(_ table: String, _ rows: [TestRow]) {
        for row in rows {
            let key = Key(table: table, tags: row.tags, time: row.time)
            self.rows[key, default: [:]].merge(row.fields) { _, new in new }
        }
    }

    mutating func delete(_ table: String, _ time: TimeRange, _ series: TagPredicate) throws -> Int {
        let before = rows.count
        for key in rows.keys where key.table == table && time.contains(key.time) {
            if series.holds(for: try TagSet(key.tags.map { ($0.key, $0.value) })) { rows[key] = nil }
        }
        return before - rows.count
    }

    func rows(_ table: String, _ time: TimeRange = .all, _ series: TagPredicate = .all) throws -> Set<TestRow> {
        var result: Set<TestRow> = []
        for (key, fields) in rows where key.table == table && time.contains(key.time) {
            if series.holds(for: try TagSet(key.tags.map { ($0.key, $0.value) })) {
                result.insert(TestRow(key.tags, key.time, fields))
            }
        }
        return result
    }
}
