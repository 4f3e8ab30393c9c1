import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// A row that the next run of retention would let go at once is refused, with the reason.
@Suite struct ExpiryTests {
    private static let day: Int64 = 86_400_000_000_000
    private let fixture: QueryFixture

    init() throws {
        fixture = try QueryFixture()
        try append("cpu", age: 0)
    }

    @discardableResult
    private func append(_ table: String, age days: Int64, host: String = "a") throws -> [MartletError] {
        let time = fixture.clock.now().nanoseconds - days * Self.day
        let batch = RecordBatch(
            schema: [
                ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                ColumnDescription("v", .float64, .field),
            ],
            columns: [
                Column(.timestamp, unsafeElements: [time, time + days * Self.day]),
                try Column(.string, [.string(host), .string(host)]), Column(.float64, unsafeElements: [1, 2]),
            ], rowCount: 2)
        let outcome = try fixture.storage.namespace("default").append([TableBatch(table: table, batch: batch)])
        #expect(outcome.accepted + outcome.rejected.count == 2)
        return outcome.rejected.map(\.error)
    }

    @Test func ofATimeThatNoTierKeepsAndThatRowAlone() throws {
        try fixture.run("CREATE RETENTION POLICY brief KEEP '7 days', '1 hour' FOR '30 days'")
        let refused = try append("cpu", age: 40)
        #expect(refused.map(\.code) == [.outOfRange])
        #expect(refused.first?.message.contains("'brief'") == true)
        // What a rollup would keep is taken, late as it is.
        #expect(try append("cpu", age: 20).isEmpty)
        #expect(try append("other", age: 400).isEmpty)
    }

    @Test func asTheClockAndTheRowsGoOn() throws {
        try fixture.run("CREATE RETENTION POLICY brief KEEP '7 days'")
        #expect(try append("cpu", age: 6).isEmpty)
        fixture.clock.advance(by: 5 * Self.day)
        try append("cpu", age: 0)
        try fixture.run("RUN RETENTION")
        #expect(try append("cpu", age: 8).count == 1)
    }

    @Test func notWhereADeviceIsKeptLongerOrUnderNoPolicy() throws {
        try fixture.run(
            "CREATE RETENTION POLICY brief KEEP '7 days'",
            "CREATE RETENTION POLICY long ON cpu WHERE host = 'b' KEEP '300 days'")
        #expect(try append("cpu", age: 100, host: "b").isEmpty)
        #expect(try append("cpu", age: 400, host: "b").count == 1)
        try fixture.run("DROP RETENTION POLICY brief")
        #expect(try append("cpu", age: 4000, host: "a").isEmpty)
    }

    @Test func noMoreOnceThePolicyIsGone() throws {
        try fixture.run("CREATE RETENTION POLICY brief KEEP '7 days'")
        #expect(try append("cpu", age: 10).count == 1)
        try fixture.run("DROP RETENTION POLICY brief")
        #expect(try append("cpu", age: 10).isEmpty)
    }
}
