import MartletModel
import Testing

@testable import MartletStorage

@Suite struct TableAndDeletionTests {
    @Test func anEmptyTableIsMadeAndDropped() throws {
        let database = try TestDatabase()
        let schema = TableSchema(
            name: "t", tags: ["host"], fields: [ColumnDescription("v", .float64, .field)])
        try database.namespace.createTable(schema)
        #expect(throws: MartletError.self) { try database.namespace.createTable(schema) }
        try database.reopen()
        #expect(try database.namespace.snapshot().schema(of: "t") == schema)
        _ = try database.namespace.append([TableBatch("t", [TestRow(["host": "a"], 1, ["v": .int64(1)])])])
        try database.namespace.dropTable("t")
        #expect(try database.namespace.snapshot().tables.isEmpty)
        _ = try database.namespace.append([TableBatch("t", [TestRow(["host": "b"], 2, ["v": .string("x")])])])
        try database.reopen()
        #expect(try TestReader(database.namespace).rows("t") == [TestRow(["host": "b"], 2, ["v": .string("x")])])
    }

    @Test func aDroppedFieldDoesNotComeBackUnderItsName() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([TableBatch("t", [TestRow([:], 1, ["a": .int64(1), "b": .int64(2)])])])
        try namespace.dropField("a", from: "t")
        try namespace.addField(ColumnDescription("a", .string, .field), to: "t")
        #expect(try TestReader(namespace).rows("t") == [TestRow([:], 1, ["b": .int64(2)])])
    }

    @Test func aTypeIsChangedWhereEveryValueHasAnExactImage() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([TableBatch("t", [TestRow([:], 1, ["a": .int64(3)])])])
        try namespace.changeType(of: "a", in: "t", to: .float64)
        _ = try namespace.append([TableBatch("t", [TestRow([:], 2, ["a": .float64(1.5)])])])
        let expected = [TestRow([:], 1, ["a": .float64(3)]), TestRow([:], 2, ["a": .float64(1.5)])]
        #expect(try TestReader(namespace).rows("t") == expected)
        let error = #expect(throws: MartletError.self) { try namespace.changeType(of: "a", in: "t", to: .int64) }
        #expect(error?.code == .typeConflict)
        try database.reopen()
        #expect(try TestReader(database.namespace).rows("t") == expected)
    }

    @Test func deletionsBesideAppendsCountEachRowThatTheyErase() async throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([TableBatch("t", [TestRow([:], 0, ["v": .int64(0)])])])
        let appended = 40
        let writer = Task {
            for group in 1...Int64(appended) {
                let rows = (0..<25).map { TestRow(["id": "\($0)"], group, ["v": .int64(group)]) }
                _ = try namespace.append([TableBatch("t", rows)])
            }
        }
        var erased = 0
        for _ in 0..<20 { erased += try namespace.delete(from: "t", time: .all, series: .all) }
        try await writer.value
        let left = try TestReader(namespace).rows("t").count
        #expect(erased + left == 1 + 25 * appended)
    }

    @Test func theSeriesOfSealedSegmentsCountAfterReopening() throws {
        let database = try TestDatabase()
        let rows = (0..<3).map { TestRow(["id": "\($0)"], 1, ["v": .int64(1)]) }
        _ = try database.namespace.append([TableBatch("t", rows)])
        try database.namespace.compact()
        database.options.seriesLimit = 3
        try database.reopen()
        let more = (2..<5).map { TestRow(["id": "\($0)"], 2, ["v": .int64(1)]) }
        let outcome = try database.namespace.append([TableBatch("t", more)])
        #expect(outcome.accepted == 1)
        #expect(outcome.rejected.map(\.row) == [1, 2])
    }

    @Test func erasedRowsAreGoneAtOnceAndLaterOnesStay() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        let rows = (0..<20).map { TestRow(["h": "\($0 % 2)"], Int64($0), ["v": .int64(Int64($0))]) }
        _ = try namespace.append([TableBatch("t", rows)])
        let count = try namespace.delete(from: "t", time: TimeRange(5, 12), series: .equals("h", "1"))
        #expect(count == 4)
        let left = rows.filter { !((5...12).contains($0.time) && $0.tags["h"] == "1") }
        #expect(Set(try TestReader(namespace).rows("t")) == Set(left))
        _ = try namespace.append([TableBatch("t", [rows[7]])])
        try database.reopen()
        #expect(Set(try TestReader(database.namespace).rows("t")) == Set(left + [rows[7]]))
        #expect(try database.namespace.delete(from: "t", time: .all, series: .all) == left.count + 1)
        #expect(try TestReader(database.namespace).rows("t").isEmpty)
    }
}
