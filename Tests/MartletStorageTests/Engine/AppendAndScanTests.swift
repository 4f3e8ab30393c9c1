import MartletModel
import Testing

@testable import MartletStorage

@Suite struct AppendAndScanTests {
    private let rows = [
        TestRow(["host": "a", "dc": "x"], 30, ["load": .float64(1.5), "up": .bool(true)]),
        TestRow(["host": "b"], 10, ["load": .float64(2.5), "note": .string("fine")]),
        TestRow(["host": "a", "dc": "x"], 20, ["load": .float64(-0.0), "count": .int64(-7)]),
        TestRow([:], 5, ["total": .uint64(.max)]),
    ]

    @Test func whatIsAppendedIsReadBackBySeriesAndTime() throws {
        let database = try TestDatabase()
        let outcome = try database.namespace.append([TableBatch("cpu", rows)])
        #expect(outcome.accepted == 4)
        #expect(outcome.rejected.isEmpty)
        let read = try TestReader(database.namespace).rows("cpu")
        #expect(Set(read) == Set(rows))
        #expect(read.filter { $0.tags["host"] == "a" }.map(\.time) == [20, 30])
    }

    @Test func rowsAreThereAfterReopening() throws {
        let database = try TestDatabase()
        _ = try database.namespace.append([TableBatch("cpu", rows)])
        try database.reopen()
        #expect(Set(try TestReader(database.namespace).rows("cpu")) == Set(rows))
        _ = try database.namespace.append([TableBatch("cpu", [TestRow(["host": "c"], 1, ["load": .int64(4)])])])
        try database.reopen()
        let read = try TestReader(database.namespace).rows("cpu")
        #expect(read.count == 5)
        #expect(read.first { $0.tags["host"] == "c" }?.fields["load"] == .float64(4))
    }

    @Test func theLastWriteWinsPerField() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([
            TableBatch("t", [TestRow([:], 1, ["a": .int64(1), "b": .int64(1)]), TestRow([:], 1, ["a": .int64(2)])])
        ])
        _ = try namespace.append([
            TableBatch("t", [TestRow([:], 1, ["c": .int64(3)]), TestRow([:], 2, ["a": .int64(9)])])
        ])
        _ = try namespace.append([TableBatch("t", [TestRow([:], 1, ["a": .int64(4)])])])
        let expected = [
            TestRow([:], 1, ["a": .int64(4), "b": .int64(1), "c": .int64(3)]), TestRow([:], 2, ["a": .int64(9)]),
        ]
        #expect(try TestReader(namespace).rows("t") == expected)
        #expect(try TestReader(namespace).latest("t") == [expected[1]])
    }

    @Test func aConflictingTypeRefusesTheRowAlone() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([TableBatch("t", [TestRow(["h": "1"], 1, ["a": .int64(1)])])])
        let outcome = try namespace.append([
            TableBatch(
                "t",
                [
                    TestRow(["h": "2"], 2, ["a": .string("x"), "fresh": .int64(1)]),
                    TestRow(["h": "1"], 3, ["b": .int64(5)]),
                ])
        ])
        #expect(outcome.accepted == 1)
        #expect(outcome.rejected.map(\.row) == [0])
        #expect(outcome.rejected.first?.error.code == .typeConflict)
        let reader = try TestReader(namespace)
        #expect(reader.snapshot.schema(of: "t")?.fields.map(\.name) == ["a", "b"])
        #expect(try reader.snapshot.series(of: "t", matching: .all).count == 1)
    }

    @Test func aScanDeliversOnlyTheTimeAndSeriesAskedFor() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        let rows = (0..<3000).map { index in
            TestRow(["host": "h\(index % 3)"], Int64(index), ["v": .int64(Int64(index))])
        }
        _ = try namespace.append([TableBatch("t", Array(rows[..<1500]))])
        _ = try namespace.append([TableBatch("t", Array(rows[1500...]))])
        let read = try TestReader(namespace).rows(
            ScanRequest(table: "t", fields: ["v"], time: TimeRange(1400, 1600), series: .equals("host", "h1")))
        #expect(read == rows.filter { $0.tags["host"] == "h1" && (1400...1600).contains($0.time) })
        let backward = try TestReader(namespace).rows(
            ScanRequest(
                table: "t", fields: ["v"], time: TimeRange(1400, 1600), series: .equals("host", "h1"),
                newestFirst: true))
        #expect(backward == read.reversed())
    }

    @Test func theSeriesLimitRefusesRowsOfFurtherSeries() throws {
        var options = TestDatabase.plain
        options.seriesLimit = 2
        let database = try TestDatabase(options)
        let rows = (0..<4).map { TestRow(["id": "\($0)"], 1, ["v": .int64(1)]) }
        let outcome = try database.namespace.append([TableBatch("t", rows)])
        #expect(outcome.accepted == 2)
        #expect(outcome.rejected.map(\.error.code) == [.resourceExhausted, .resourceExhausted])
    }

    @Test func aSecondWriterIsRefused() throws {
        let database = try TestDatabase()
        #expect(throws: MartletError.self) {
            _ = try StorageEngine.open(at: database.path, options: TestDatabase.plain)
        }
    }

    @Test func concurrentAppendsAllArrive() async throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    var accepted = 0
                    for step in 0..<20 {
                        let row = TestRow(["w": "\(writer)"], Int64(step), ["v": .int64(Int64(step))])
                        accepted += try namespace.append([TableBatch("t", [row])]).accepted
                    }
                    return accepted
                }
            }
            var total = 0
            for try await accepted in group { total += accepted }
            #expect(total == 160)
        }
        #expect(try TestReader(namespace).rows("t").count == 160)
        try database.reopen()
        #expect(try TestReader(database.namespace).rows("t").count == 160)
    }
}
