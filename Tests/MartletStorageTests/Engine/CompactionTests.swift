import Foundation
import MartletModel
import Testing

@testable import MartletStorage

@Suite struct CompactionTests {
    /// All bytes of all files of the database.
    private func allBytes(_ database: TestDatabase) throws -> Data {
        var bytes = Data()
        let names = try #require(FileManager.default.enumerator(atPath: database.path))
        for case let name as String in names {
            bytes.append(FileManager.default.contents(atPath: database.path + "/" + name) ?? Data())
        }
        return bytes
    }

    @Test func anErasedTextIsInNoFileAfterCompaction() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        let secret = "Zq7-unrepeatable-Xk2"
        let kept = (0..<50).map { TestRow(["person": "other"], Int64($0), ["note": .string("note \($0)")]) }
        _ = try namespace.append([TableBatch("visits", kept)])
        try namespace.compact()
        _ = try namespace.append([
            TableBatch("visits", [TestRow(["person": secret], 7, ["note": .string("seen " + secret)])])
        ])
        #expect(try allBytes(database).range(of: Data(secret.utf8)) != nil)
        #expect(try namespace.delete(from: "visits", time: .all, series: .equals("person", secret)) == 1)
        let store = try #require(namespace as? NamespaceStore)
        let report = try store.compact()
        #expect(try allBytes(database).range(of: Data(secret.utf8)) == nil)
        #expect(report.tombstonesApplied == 1)
        #expect(report.tables == [CompactionReport.Table(name: "visits", rowsBefore: 51, rowsAfter: 50)])
        #expect(report.filesRemoved.count == 2)
        #expect(try namespace.snapshot().series(of: "visits", matching: .all).map { $0["person"] } == ["other"])
        #expect(try TestReader(namespace).rows("visits") == kept)
        try database.reopen()
        #expect(try TestReader(database.namespace).rows("visits") == kept)
    }

    @Test func aDroppedTableLeavesNoBytesBehind() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        _ = try namespace.append([TableBatch("gone", [TestRow([:], 1, ["text": .string("Vb3-only-here")])])])
        _ = try namespace.append([TableBatch("kept", [TestRow([:], 1, ["v": .int64(1)])])])
        try namespace.compact()
        try namespace.dropTable("gone")
        try namespace.compact()
        #expect(try allBytes(database).range(of: Data("Vb3-only-here".utf8)) == nil)
        #expect(try TestReader(namespace).rows("kept").count == 1)
    }

    @Test func aSnapshotKeepsReadingWhatACompactionRemoved() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        let rows = (0..<100).map { TestRow(["h": "\($0 % 4)"], Int64($0), ["v": .int64(Int64($0))]) }
        _ = try namespace.append([TableBatch("t", rows)])
        try namespace.compact()
        let former = try TestReader(namespace)
        _ = try namespace.delete(from: "t", time: .all, series: .all)
        try namespace.compact()
        #expect(Set(try former.rows("t")) == Set(rows))
        #expect(try TestReader(namespace).rows("t").isEmpty)
    }

    @Test func theRowGroupsOfAWideTableAreAsSmallAsTheMemoryOfMergesAsks() throws {
        var options = TestDatabase.plain
        options.memoryLimit = 32 << 20
        let database = try TestDatabase(options)
        let fields = Dictionary(uniqueKeysWithValues: (0..<99).map { ("f\($0)", FieldValue.int64($0)) })
        for part in 0..<Int64(4) {
            let rows = (0..<700).map { TestRow(["id": "a"], part * 700 + Int64($0), fields) }
            _ = try database.namespace.append([TableBatch("wide", rows)])
        }
        try database.namespace.compact()
        let store = try #require(try database.namespace as? NamespaceStore)
        let table = try #require(store.currentState.catalog["wide"]).id
        let groups = try store.currentState.sealed.flatMap { try $0.groups(of: table) }
        // An eighth of the budget holds four copies of 100 columns of 1,310 rows.
        #expect(groups.count > 1)
        #expect(groups.allSatisfy { $0.rowCount <= 1_310 })
        #expect(groups.reduce(0) { $0 + $1.rowCount } == 2_800)
    }

    @Test func frozenLogsAreSealedInTheBackground() throws {
        var options = TestDatabase.plain
        options.mergesInBackground = true
        options.hotSegmentLayers = 3
        let database = try TestDatabase(options)
        for step in 0..<40 {
            _ = try database.namespace.append([TableBatch("t", [TestRow([:], Int64(step), ["v": .int64(1)])])])
        }
        let store = try #require(try database.namespace as? NamespaceStore)
        let deadline = Date(timeIntervalSinceNow: 20)
        while store.currentState.hot.count > 1 && Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
        #expect(store.currentState.hot.count == 1)
        #expect(!store.currentState.sealed.isEmpty)
        #expect(try TestReader(database.namespace).rows("t").count == 40)
    }

    @Test func anIntervalIsKept() throws {
        var options = TestDatabase.plain
        options.durability = .interval(milliseconds: 5)
        let database = try TestDatabase(options)
        let outcome = try database.namespace.append([TableBatch("t", [TestRow([:], 1, ["v": .int64(1)])])])
        #expect(!outcome.isDurable)
        let deadline = Date(timeIntervalSinceNow: 20)
        while database.engine.statistics.syncs == 0 && Date() < deadline { Thread.sleep(forTimeInterval: 0.005) }
        #expect(database.engine.statistics.syncs == 1)
    }

    @Test func statisticsStandForWholeRowGroupsWithinABucket() throws {
        let database = try TestDatabase()
        let namespace = try database.namespace
        let count = 10_000
        let rows = (0..<count).map { TestRow(["h": "a"], Int64($0), ["v": .int64(Int64($0 % 100))]) }
        _ = try namespace.append([TableBatch("t", rows)])
        try namespace.compact()
        _ = try namespace.append([TableBatch("t", [TestRow(["h": "b"], 5, ["v": .int64(3)])])])
        let context = QueryContext(memory: MemoryBudget(limit: 1 << 28))
        var request = ScanRequest(table: "t", fields: ["v"], summaries: SummaryGrain(width: nil))
        let scan = try namespace.snapshot().scan(request, context: context)
        var summaries: [BlockSummary] = []
        while let item = try scan.next() { if case .summary(let summary) = item { summaries.append(summary) } }
        #expect(summaries.map(\.rowCount) == [count, 1])
        #expect(summaries[0].fields[0].sum == .int64(Int64(count / 100 * 4950)))
        #expect(summaries[0].fields[0].max == .int64(99))
        #expect(summaries[0].time == TimeRange(0, Int64(count) - 1))
        request.summaries = SummaryGrain(width: 5000)
        let cut = try namespace.snapshot().scan(request, context: context)
        var delivered = 0
        while let item = try cut.next() { if case .rows(let batch) = item { delivered += batch.rowCount } }
        #expect(delivered == count)
    }
}
