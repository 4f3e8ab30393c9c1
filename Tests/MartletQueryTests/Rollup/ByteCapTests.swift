import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// Policies that keep tables within a number of bytes.
@Suite struct ByteCapTests {
    private static let hour: Int64 = 3_600_000_000_000

    private let fixture: QueryFixture
    private var store: NamespaceStore {
        get throws { try #require(try fixture.storage.namespace("default") as? NamespaceStore) }
    }

    init() throws { fixture = try QueryFixture() }

    @discardableResult
    private func values(_ sql: String) throws -> [[FieldValue?]] { try fixture.engine.execute(sql).rows() }

    /// A row in ten seconds for so many hours, of floats that no encoding makes small.
    private func fill(_ table: String, hours: Range<Int64>, seed: UInt64, host: String = "a") throws {
        var random = SeededGenerator(seed: seed)
        for hour in hours {
            let times = (0..<360).map { hour * Self.hour + Int64($0) * 10_000_000_000 }
            let batch = RecordBatch(
                schema: [
                    ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                    ColumnDescription("v", .float64, .field),
                ],
                columns: [
                    Column(.timestamp, unsafeElements: times),
                    try Column(.string, [FieldValue](repeating: .string(host), count: times.count)),
                    Column(.float64, unsafeElements: times.map { _ in Double.random(in: 0...1, using: &random) }),
                ], rowCount: times.count)
            _ = try store.append([TableBatch(table: table, batch: batch)])
        }
        _ = try store.compact()
    }

    private func bytes(_ tables: String...) throws -> Int {
        var total = 0
        for table in tables { for stored in try store.currentState.storedBytes(of: table) { total += stored.bytes } }
        return total
    }

    @Test func theOldestRowsAndRollupsOfATableGo() throws {
        try fill("t", hours: 0..<72, seed: 1)
        try fill("u", hours: 0..<2, seed: 2)
        let full = try bytes("t")
        #expect(full > 150_000)
        try values(
            "CREATE RETENTION POLICY p ON t KEEP '1 day', '10 minutes' FOR '1000 days' AT MOST '\(full / 4) B'")
        let dry = try fixture.engine.execute("RUN RETENTION DRY RUN").rows()
        #expect(try bytes("t") == full && !dry.isEmpty)
        try values("RUN RETENTION")
        #expect(try bytes("t") <= full / 4)
        // Not much less than that: some hours of 1.8 KB each.
        #expect(try bytes("t") > full / 4 - 12_000)
        // What is left is the newest, the rows among it; another table is as it was.
        #expect(try values("SELECT max(time) FROM t") == values("SELECT TIMESTAMP '1970-01-03 23:59:50'"))
        #expect(try values("SELECT count(*) FROM u") == [[.int64(720)]])
        let reasons = try values("SELECT DISTINCT reason FROM _retention_runs ORDER BY reason")
        #expect(reasons == [[.string("age")], [.string("bytes")]])
        #expect(try values("RUN RETENTION").isEmpty)
    }

    @Test func aNamespacesTablesShareTheirBytes() throws {
        try fill("old", hours: 0..<24, seed: 3)
        try fill("new", hours: 48..<72, seed: 4)
        let half = try bytes("old", "new") / 2
        try values("CREATE RETENTION POLICY p KEEP '1000 days' AT MOST '\(half + 2_000) B'")
        try values("RUN RETENTION")
        #expect(try bytes("old", "new") <= half + 2_000)
        #expect(try values("SELECT count(*) FROM new") == [[.int64(24 * 360)]])
    }

    @Test func whatADevicesPolicyErasesCostsNoOthersRows() throws {
        try fill("t", hours: 0..<48, seed: 6)
        let one = try bytes("t")
        try fill("t", hours: 0..<48, seed: 7, host: "b")
        try values("CREATE RETENTION POLICY device ON t WHERE host = 'a' KEEP '30 hours'")
        try values("CREATE RETENTION POLICY p ON t KEEP '1000 days' AT MOST '\(one * 17 / 10) B'")
        try values("RUN RETENTION")
        #expect(try values("SELECT count(*) FROM t WHERE host = 'b'") == [[.int64(48 * 360)]])
        #expect(try bytes("t") <= one * 17 / 10)
    }

    @Test func anAmountIsCheckedShownAndTakenAway() throws {
        try values("CREATE RETENTION POLICY p AT MOST '1.5 GiB'")
        #expect(try values("SHOW RETENTION POLICIES")[0][4] == .string("1536 MiB"))
        try values("ALTER RETENTION POLICY p AT MOST NONE")
        #expect(try values("SHOW RETENTION POLICIES")[0][4] == nil)
        let wrong = #expect(throws: MartletError.self) { try values("CREATE RETENTION POLICY q AT MOST 'much'") }
        #expect(wrong?.code == .semantic && wrong?.hint?.contains("10 GiB") == true)
        let device = #expect(throws: MartletError.self) {
            try values("CREATE RETENTION POLICY q WHERE site = 'a' AT MOST '1 GiB'")
        }
        #expect(device?.message.contains("not of a device") == true)
    }

    @Test func aRunIsCancelledAndGoneOnWith() async throws {
        try fill("t", hours: 0..<48, seed: 5)
        try values("CREATE RETENTION POLICY p KEEP '1 hour', '1 hour' FOR '1000 days'")
        let store = try store
        // A byte a second: the first commit's bytes take days.
        var pace = RetentionPace(bytesPerSecond: 1, clock: SystemClock())
        let context = QueryContext(memory: store.memory)
        store.retentionRuns.withLock { $0.append(context) }
        let canceller = Task {
            try await Task.sleep(for: .milliseconds(100))
            return store.cancelRetention()
        }
        let error = #expect(throws: MartletError.self) { try pace.wait(for: 1_000_000, context) }
        #expect(error?.code == .cancelled)
        #expect(try await canceller.value == 1)
        store.retentionRuns.withLock { $0.removeAll() }
        #expect(try values("CANCEL RETENTION") == [[.string("CANCEL RETENTION"), .int64(0)]])
        try values("RUN RETENTION")
        #expect(try values("SELECT count(*) FROM t") == [[.int64(48 * 360)]])
    }

    @Test func aPaceLetsNoMoreThroughThanItsRate() throws {
        let context = QueryContext(memory: MemoryBudget(limit: 1))
        var pace = RetentionPace(bytesPerSecond: 1_000_000, clock: SystemClock())
        let clock = SystemClock()
        let begun = clock.monotonicNanoseconds()
        for _ in 0..<4 { try pace.wait(for: 50_000, context) }
        #expect(clock.monotonicNanoseconds() - begun >= 200_000_000)
    }
}
