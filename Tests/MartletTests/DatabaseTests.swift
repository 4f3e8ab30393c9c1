import Foundation
import Martlet
import MartletTestSupport
import Testing

@Suite struct DatabaseTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("db-\(UUID().uuidString)").path

    private func withDatabase(_ options: Database.Options = .init(), _ body: (Database) throws -> Void) throws {
        let database = try Database.open(at: path, options: options)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(database)
        try database.close()
    }

    private let rooms = [
        Row(
            "room", tags: ["name": "kitchen"], fields: ["temperature": 21.5, "door": true], time: .init(nanoseconds: 1)),
        Row(
            "room", tags: ["name": "cellar"], fields: ["temperature": 12, "note": "damp"], time: .init(nanoseconds: 2)),
    ]

    @Test func appendedRowsAreFoundBySQL() throws {
        try withDatabase { database in
            let result = try database.namespace().append(rooms)
            #expect(result.accepted == 2)
            #expect(result.rejected.isEmpty)
            #expect(result.isDurable)
            let batch = try #require(
                try database.namespace().query("SELECT time, name, temperature, door, note FROM room ORDER BY time")
                    .next())
            #expect(batch.row(0) == [.timestamp(.init(nanoseconds: 1)), "kitchen", 21.5, true, nil])
            #expect(batch.row(1) == [.timestamp(.init(nanoseconds: 2)), "cellar", 12.0, nil, "damp"])
        }
    }

    @Test func rowsDecodeByTheNamesOfTheirColumns() throws {
        struct Room: Decodable, Equatable {
            let name: String, temperature: Double, door: Bool?, time: Timestamp
        }
        try withDatabase { database in
            try database.namespace().append(rooms)
            let found = try database.namespace().query(
                "SELECT name, temperature, door, time FROM room ORDER BY name", as: Room.self)
            #expect(
                found == [
                    Room(name: "cellar", temperature: 12, door: nil, time: .init(nanoseconds: 2)),
                    Room(name: "kitchen", temperature: 21.5, door: true, time: .init(nanoseconds: 1)),
                ])
            #expect(try database.namespace().query("SELECT count(*) FROM room", as: Int.self) == [2])
        }
    }

    @Test func aMissingColumnIsNamedWhenDecoding() throws {
        struct Room: Decodable { let colour: String }
        try withDatabase { database in
            try database.namespace().append(rooms)
            let error = #expect(throws: MartletError.self) {
                try database.namespace().query("SELECT name FROM room", as: Room.self)
            }
            #expect(error?.code == .typeConflict)
            #expect(error?.message.contains("colour") == true)
        }
    }

    @Test func aRowOfAnotherTypeIsRefusedAloneAndByItsIndex() throws {
        try withDatabase { database in
            let namespace = try database.namespace()
            try namespace.append(rooms)
            let result = try namespace.append([
                Row("room", tags: ["name": "attic"], fields: ["temperature": 30.0]),
                Row("hall", fields: ["light": 3]),
                Row("room", tags: ["name": "attic"], fields: ["door": "ajar"]),
            ])
            #expect(result.accepted == 2)
            #expect(result.rejected.map(\.row) == [2])
            #expect(result.rejected[0].error.code == .typeConflict)
            #expect(try namespace.query("SELECT count(*) FROM room", as: Int.self) == [3])
        }
    }

    @Test func rowsWithoutATimeGetTheDatabasesClock() throws {
        let clock = ManualClock(now: Timestamp(nanoseconds: 1_700_000_000_000_000_000))
        var options = Database.Options()
        options.clock = clock
        try withDatabase(options) { database in
            try database.namespace().append([Row("t", fields: ["v": 1])])
            let times = try database.namespace().query("SELECT time FROM t", as: Timestamp.self)
            #expect(times == [Timestamp(nanoseconds: 1_700_000_000_000_000_000)])
        }
    }

    @Test func aDatabaseKeepsItsRowsWhenItIsOpenedAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        for round in 1...3 {
            let database = try Database.open(at: path)
            try database.namespace().append([Row("t", fields: ["v": 1], time: .init(nanoseconds: Int64(round)))])
            #expect(try database.namespace().query("SELECT count(*) FROM t", as: Int.self) == [round])
            try database.close()
        }
    }

    @Test func aSecondWriterIsRefused() throws {
        try withDatabase { _ in
            let refusal = #expect(throws: MartletError.self) { try Database.open(at: path) }
            #expect(refusal?.code == .locked)
        }
    }

    @Test func aReaderFollowsTheWriterAndWritesNothing() throws {
        try withDatabase { writer in
            var options = Database.Options()
            options.readOnly = true
            let reader = try Database.open(at: path, options: options)
            try writer.namespace().append(rooms)
            #expect(try reader.namespace().query("SELECT count(*) FROM room", as: Int.self) == [2])
            try writer.namespace().append([Row("room", tags: ["name": "attic"], fields: ["temperature": 30.0])])
            #expect(try reader.namespace().query("SELECT count(*) FROM room", as: Int.self) == [3])
            try writer.namespace().compact()
            try writer.namespace().append([Row("room", tags: ["name": "hall"], fields: ["temperature": 19.0])])
            #expect(try reader.namespace().query("SELECT count(*) FROM room", as: Int.self) == [4])
            let readOnly = #expect(throws: MartletError.self) { try reader.namespace().append(rooms) }
            #expect(readOnly?.code == .readOnly)
            try reader.close()
        }
    }

    @Test func namespacesAreKeptApart() throws {
        try withDatabase { database in
            try database.createNamespace("tenant-a").append(rooms)
            #expect(database.namespaces == ["default", "tenant-a"])
            #expect(throws: MartletError.self) { try database.namespace().query("SELECT * FROM room") }
            try database.dropNamespace("tenant-a")
            let gone = #expect(throws: MartletError.self) { try database.namespace("tenant-a") }
            #expect(gone?.code == .notFound)
        }
    }

    @Test func aClosedDatabaseSaysSo() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let database = try Database.open(at: path)
        let namespace = try database.namespace()
        try database.close()
        let error = #expect(throws: MartletError.self) { try namespace.append(rooms) }
        #expect(error?.code == .closed)
    }

    @Test func appendingAndAskingDoNotBlockAnAsyncCaller() async throws {
        let database = try Database.open(at: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let namespace = try database.namespace()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<20 {
                group.addTask {
                    for reading in 0..<10 {
                        try await namespace.append([
                            Row(
                                "t", tags: ["sender": "\(sender)"], fields: ["v": .int64(Int64(reading))],
                                time: .init(nanoseconds: Int64(reading)))
                        ])
                    }
                }
            }
            try await group.waitForAll()
        }
        var rows = 0
        for try await batch in namespace.batches("SELECT * FROM t") { rows += batch.rowCount }
        #expect(rows == 200)
        try database.close()
    }

    @Test func aStatementThatIsWrongSaysWhere() throws {
        try withDatabase { database in
            let error = #expect(throws: MartletError.self) {
                try database.namespace().query("SELECT 1 +\nFROM room")
            }
            #expect(error?.code == .syntax)
            guard case .statement(_, let line, _) = error?.location else {
                Issue.record("no place in \(String(describing: error))")
                return
            }
            #expect(line == 2)
        }
    }
}
