import MartletModel
import MartletQuery
import MartletStorage
import MartletStream

/// Reads the rows that a detector judges, series by series.
struct DetectorReader {
    /// Rows of one series or group in a range of time.
    final class Group {
        let key: [UInt8]
        let tags: [(key: String, value: String)]
        private let dimensions: Int
        private var times: [Int64] = []
        private var values: [Double] = []
        private var isAscending = true

        init(key: [UInt8], tags: [(key: String, value: String)], dimensions: Int) {
            self.key = key
            self.tags = tags
            self.dimensions = dimensions
        }

        func append(_ time: Int64, _ row: UnsafePointer<Double>) {
            if let last = times.last, last > time { isAscending = false }
            times.append(time)
            for dimension in 0..<dimensions { values.append(row[dimension]) }
        }

        /// Calls `body` for each row in order of time; rows of one time in the order in which they were read.
        func forEachRow(
            _ body: (Int64, UnsafePointer<Double>) throws(MartletError) -> Void
        ) throws(MartletError) {
            let order = isAscending ? nil : times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
            var failure: MartletError?
            values.withUnsafeBufferPointer { values in
                for place in times.indices {
                    let row = order?[place] ?? place
                    do throws(MartletError) {
                        try body(times[row], values.baseAddress! + row * dimensions)
                    } catch {
                        failure = error
                        return
                    }
                }
            }
            if let failure { throw failure }
        }
    }

    private let query: StandingQuery
    private let namespace: any NamespaceEngine
    private let queries: QueryEngine
    private let tags: [String]
    private let dimensions: Int

    /// - Parameter source: gives the rows, in place of the definition's table.
    /// - Throws: `.notFound` and `.semantic` where the table, a tag or a value is not there.
    init(
        _ definition: DetectorDefinition, source: StandingQuery? = nil, _ namespace: any NamespaceEngine,
        _ queries: QueryEngine
    ) throws(MartletError) {
        self.namespace = namespace
        self.queries = queries
        dimensions = definition.values.count
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
        tags = definition.groups ?? present
        for tag in tags where !present.contains(tag) {
            throw MartletError(
                .notFound,
                source == nil ? "table '\(definition.table)' has no tag '\(tag)'" : "the query gives no text '\(tag)'",
                hint: present.isEmpty ? nil : "there are \(present.joined(separator: ", "))")
        }
        func quoted(_ name: String) -> String {
            "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        }
        let columns =
            ["time"] + tags.map(quoted) + definition.values.map { "CAST((\($0)) AS DOUBLE)" }
        let from = source.map { "(\($0.sql)) AS detected" } ?? quoted(definition.table)
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

    /// The rows of a range by series, in the order of the series' keys; `nil` where there are more than `limit`.
    func rows(of range: TimeRange, limit: Int) throws(MartletError) -> (groups: [Group], rowCount: Int)? {
        let result = try queries.run(query, in: namespace, over: range)
        var groups: [[UInt8]: Group] = [:]
        var count = 0
        while let batch = try result.next() {
            count += batch.rowCount
            if count > limit {
                result.cancel()
                return nil
            }
            collect(batch, into: &groups)
        }
        return (groups.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }, count)
    }

    /// Sorts a batch's rows into their groups. Neighbours mostly belong together, so that the last group is tried first.
    ///
    /// Unsafe: reads the columns' buffers, which `batch` keeps alive, at rows below its count.
    private func collect(_ batch: RecordBatch, into groups: inout [[UInt8]: Group]) {
        let times = batch.columns[0].values.pointer(to: Int64.self)
        let tagColumns = batch.columns[1..<(1 + tags.count)].map { $0 }
        let values = batch.columns[(1 + tags.count)...].map { $0 }
        let pointers = values.map { $0.values.pointer(to: Double.self) }
        var row = [Double](repeating: .nan, count: dimensions)
        var current: Group?
        var currentRow = 0
        for index in 0..<batch.rowCount {
            guard batch.columns[0].isValid(index) else { continue }
            if current == nil || !tagColumns.allSatisfy({ Self.isSame($0, currentRow, index) }) {
                let key = Self.key(tagColumns.map { $0.isValid(index) ? $0.stringBytes(index) : nil })
                current = groups[key]
                if current == nil {
                    let present = zip(tags, tagColumns).compactMap { name, column -> (key: String, value: String)? in
                        guard case .string(let text)? = column.value(at: index) else { return nil }
                        return (name, text)
                    }
                    current = Group(key: Self.key(present), tags: present, dimensions: dimensions)
                    groups[key] = current
                }
            }
            currentRow = index
            var isEmpty = true
            for dimension in 0..<dimensions {
                let isValid = values[dimension].isValid(index)
                row[dimension] = isValid ? pointers[dimension][index] : .nan
                if isValid { isEmpty = false }
            }
            if !isEmpty { current?.append(times[index], row) }
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

    private static func key(_ values: [UnsafeRawBufferPointer?]) -> [UInt8] {
        var key: [UInt8] = []
        for value in values {
            guard let value else {
                key.append(0)
                continue
            }
            key.append(1)
            for byte in value {
                // Nul ends a value and is escaped within one, so that no two lists have one key.
                if byte <= 1 { key.append(1) }
                key.append(byte)
            }
            key.append(0)
        }
        return key
    }

    /// What identifies a group by its tags.
    static func key(_ tags: [(key: String, value: String)]) -> [UInt8] {
        var key: [UInt8] = []
        for (name, value) in tags {
            for text in [name, value] {
                key += text.utf8
                key.append(0)
            }
        }
        return key
    }
}
