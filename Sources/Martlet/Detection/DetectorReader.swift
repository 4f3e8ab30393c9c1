import MartletModel
import MartletQuery
import MartletStorage

/// Reads the rows that detectors judge, with the values of all of them side by side.
struct DetectorReader {
    let groups: DetectorGroups
    private let query: StandingQuery
    private let namespace: any NamespaceEngine
    private let queries: QueryEngine
    private let values: [String]

    /// The tags that tell the rows of a definition apart.
    ///
    /// - Parameter source: gives the rows, in place of the definition's table.
    /// - Throws: `.notFound` and `.semantic` where the table, a tag or the time is not there.
    static func groups(
        _ definition: DetectorDefinition, source: StandingQuery? = nil, _ namespace: any NamespaceEngine,
        _ queries: QueryEngine
    ) throws(MartletError) -> DetectorGroups {
        let present: [String]
        if let source {
            let columns = try queries.shape(of: source, in: namespace).columns
            guard columns.contains(where: { $0.name == "time" && $0.type == .timestamp }) else {
                throw MartletError(
                    .semantic, "the query gives no TIMESTAMP that is called 'time'",
                    hint: "rows are judged in order of time: SELECT time, ..., or ... AS time")
            }
            present = columns.filter { $0.type == .string }.map(\.name)
        } else {
            guard let schema = try namespace.snapshot().schema(of: definition.table) else {
                throw MartletError(
                    .notFound, "there is no table '\(definition.table)'",
                    hint: "a detector is made when its table has rows; tables appear with the first one")
            }
            present = schema.tags
        }
        let keys = definition.groups ?? present
        for key in keys where !present.contains(key) {
            throw MartletError(
                .notFound,
                source == nil ? "table '\(definition.table)' has no tag '\(key)'" : "the query gives no text '\(key)'",
                hint: present.isEmpty ? nil : "there are \(present.joined(separator: ", "))")
        }
        return DetectorGroups(keys: keys)
    }

    /// - Parameters:
    ///   - values: what is read of each row, as SQL.
    ///   - source: gives the rows, in place of the definition's table.
    /// - Throws: `.notFound` and `.semantic` where a value cannot be read.
    init(
        _ definition: DetectorDefinition, _ values: [String], source: StandingQuery? = nil, _ groups: DetectorGroups,
        _ namespace: any NamespaceEngine, _ queries: QueryEngine
    ) throws(MartletError) {
        self.namespace = namespace
        self.queries = queries
        self.groups = groups
        self.values = values
        let columns = ["time"] + groups.keys.map(SQLText.name) + values.map { "CAST((\($0)) AS DOUBLE)" }
        let from = source.map { "(\($0.sql)) AS detected" } ?? SQLText.name(definition.table)
        var sql = "SELECT \(columns.joined(separator: ", ")) FROM \(from)"
        if let filter = definition.filter { sql += " WHERE (\(filter))" }
        do throws(MartletError) {
            query = try StandingQuery(sql)
            _ = try queries.shape(of: query, in: namespace)
        } catch {
            // The place would be one in the text above, which nobody has seen.
            throw MartletError(error.code, error.message, hint: error.hint)
        }
    }

    /// The rows of a range; `nil` where there are more than `limit`.
    func rows(of range: TimeRange, limit: Int) throws(MartletError) -> DetectorRows? {
        let result = try queries.run(query, in: namespace, over: range)
        var rows = DetectorRows(values)
        var count = 0
        while let batch = try result.next() {
            count += batch.rowCount
            if count > limit {
                result.cancel()
                return nil
            }
            collect(batch, into: &rows)
        }
        rows.finish()
        return rows
    }

    /// Notes each row's group. Neighbours mostly belong together, so that the last group is tried first.
    ///
    /// Unsafe: reads the columns' buffers, which `batch` keeps alive, at rows below its count.
    private func collect(_ batch: RecordBatch, into rows: inout DetectorRows) {
        let times = batch.columns[0].values.pointer(to: Int64.self)
        let tagColumns = batch.columns[1..<(1 + groups.keys.count)].map { $0 }
        let columns = batch.columns[(1 + groups.keys.count)...].map { $0 }
        let pointers = columns.map { $0.values.pointer(to: Double.self) }
        var row = [Double](repeating: .nan, count: values.count)
        var current: (group: Int, row: Int)?
        for index in 0..<batch.rowCount {
            guard batch.columns[0].isValid(index) else { continue }
            let group: Int
            if let current, tagColumns.allSatisfy({ Self.isSame($0, current.row, index) }) {
                group = current.group
            } else {
                group = groups.number(of: tagColumns.map { $0.isValid(index) ? $0.stringBytes(index) : nil })
            }
            current = (group, index)
            for place in columns.indices {
                row[place] = columns[place].isValid(index) ? pointers[place][index] : DetectorRows.null
            }
            rows.append(group, times[index], row)
        }
        withExtendedLifetime(batch) {}
    }

    private static func isSame(_ column: Column, _ left: Int, _ right: Int) -> Bool {
        if column.dictionary != nil {
            guard column.isValid(left) == column.isValid(right) else { return false }
            let codes = column.values.pointer(to: UInt32.self)
            return !column.isValid(left) || codes[left] == codes[right]
        }
        guard column.isValid(left), column.isValid(right) else { return column.isValid(left) == column.isValid(right) }
        return column.stringBytes(left).elementsEqual(column.stringBytes(right))
    }
}
