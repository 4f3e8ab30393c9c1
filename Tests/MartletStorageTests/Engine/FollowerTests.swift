import MartletModel
import Testing

@testable import MartletStorage

/// A second opening for reading only, beside the one that writes.
@Suite struct FollowerTests {
    private func follower(of database: TestDatabase) throws -> StorageEngine {
        var options = TestDatabase.plain
        options.readOnly = true
        return try StorageEngine.open(at: database.path, options: options)
    }

    @Test func aReaderFollowsAppendsErasuresAndCompactions() throws {
        let database = try TestDatabase()
        let engine = try follower(of: database)
        let reader = try engine.namespace("default")
        #expect(try TestReader(reader).rows("t").isEmpty)
        let rows = (0..<10).map { TestRow(["h": "\($0 % 3)"], Int64($0), ["v": .int64(Int64($0))]) }
        _ = try database.namespace.append([TableBatch("t", Array(rows[..<4]))])
        #expect(Set(try TestReader(reader).rows("t")) == Set(rows[..<4]))
        let held = try TestReader(reader)
        _ = try database.namespace.append([TableBatch("t", Array(rows[4...]))])
        try database.namespace.compact()
        #expect(Set(try held.rows("t")) == Set(rows[..<4]))
        #expect(Set(try TestReader(reader).rows("t")) == Set(rows))
        _ = try database.namespace.delete(from: "t", time: TimeRange(0, 6), series: .all)
        try database.namespace.createTable(TableSchema(name: "u"))
        #expect(Set(try TestReader(reader).rows("t")) == Set(rows[7...]))
        #expect(try reader.snapshot().tables.map(\.name) == ["t", "u"])
        try engine.close()
    }

    @Test func aReaderRefusesToWrite() throws {
        let database = try TestDatabase()
        let engine = try follower(of: database)
        let namespace = try engine.namespace("default")
        let refusals = [
            #expect(throws: MartletError.self) {
                _ = try namespace.append([TableBatch("t", [TestRow([:], 1, ["v": .int64(1)])])])
            },
            #expect(throws: MartletError.self) { try namespace.compact() },
            #expect(throws: MartletError.self) { try engine.createNamespace("other") },
        ]
        #expect(refusals.map { $0?.code } == [.readOnly, .readOnly, .readOnly])
    }

    @Test func aReaderFindsANamespaceThatWasMadeLater() throws {
        let database = try TestDatabase()
        let engine = try follower(of: database)
        #expect(throws: MartletError.self) { _ = try engine.namespace("later") }
        try database.engine.createNamespace("later")
        #expect(try engine.namespace("later").snapshot().tables.isEmpty)
    }
}
