import MartletModel
import MartletStorage
import MartletTestSupport
import Testing

@testable import MartletQuery

/// A query engine over a storage engine on a simulated disk, with a clock that stands still.
final class QueryFixture {
    let storage: StorageEngine
    let engine: QueryEngine
    let clock = ManualClock(now: Timestamp(nanoseconds: 1_704_110_400_000_000_000))

    init(options: QueryOptions = QueryOptions()) throws {
        var storageOptions = StorageOptions()
        storageOptions.mergesInBackground = false
        storage = try StorageEngine.open(
            at: "/data", options: storageOptions, fileSystem: SimulatedFileSystem(seed: 1), clock: clock)
        engine = QueryEngine(directory: storage, options: options)
    }

    /// Appends rows as line protocol would: the table appears with its first row.
    func write(
        _ table: String, tags: [String], fields: [ColumnDescription], _ rows: [(String, [FieldValue?])]
    ) throws {
        var schema = [ColumnDescription("time", .timestamp, .time)]
        schema += tags.map { ColumnDescription($0, .string, .tag) }
        schema += fields
        let times = try ColumnKernels.cast(Column(.string, rows.map { .string($0.0) }), to: .timestamp)
        var columns = [times]
        for index in 1..<schema.count { columns.append(try Column(schema[index].type, rows.map { $0.1[index - 1] })) }
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: rows.count)
        let outcome = try storage.namespace("default").append([TableBatch(table: table, batch: batch)])
        #expect(outcome.rejected.isEmpty)
    }

    /// Runs statements one after the other.
    func run(_ statements: String...) throws {
        for statement in statements { _ = try engine.execute(statement).rows() }
    }

    /// The rows of a query as text, one line a row, values separated by `|`.
    func rows(_ sql: String, _ parameters: [FieldValue?] = []) throws -> [String] {
        try engine.execute(sql, parameters: parameters).rows().map { row in
            row.map { TestText.of($0) }.joined(separator: "|")
        }
    }

    /// The error of a statement.
    func failure(_ sql: String) -> MartletError? {
        do throws(MartletError) {
            _ = try engine.execute(sql).rows()
            return nil
        } catch {
            return error
        }
    }
}

/// Values as the SQL tests write them.
enum TestText {
    static func of(_ value: FieldValue?) -> String {
        switch value {
        case nil: return "NULL"
        case .bool(let flag)?: return flag ? "true" : "false"
        case .string(let text)?: return text.isEmpty ? "(empty)" : text
        case .some(let value):
            guard let column = try? Column(value.type, [value]),
                let text = try? ColumnKernels.cast(column, to: .string), case .string(let written)? = text.value(at: 0)
            else { return "?" }
            return written
        }
    }
}
