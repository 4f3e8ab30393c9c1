import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// Policies: which rows they concern, what a run moves, and what it says of it.
@Suite struct RetentionTests {
    private static let second: Int64 = 1_000_000_000
    private static let hour = 3_600 * second
    private static let day = 24 * hour
    private let fixture: QueryFixture

    init() throws { fixture = try QueryFixture() }

    private var now: Int64 { fixture.clock.now().nanoseconds }

    /// A row every `step` in the last `span` before now, for each host.
    private func fill(_ table: String, hosts: [String], span: Int64, step: Int64) throws {
        let namespace = try fixture.storage.namespace("default")
        for host in hosts {
            let times = stride(from: now - span, through: now, by: Int(step)).map { $0 }
            let batch = RecordBatch(
                schema: [
                    ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                    ColumnDescription("v", .float64, .field), ColumnDescription("n", .int64, .field),
                ],
                columns: [
                    Column(.timestamp, unsafeElements: times), try Column(.string, times.map { _ in .string(host) }),
                    Column(.float64, unsafeElements: times.indices.map { Double($0 % 97) / 4 }),
                    Column(.int64, unsafeElements: times.indices.map { Int64($0) }),
                ], rowCount: times.count)
            _ = try namespace.append([TableBatch(table: table, batch: batch)])
        }
    }

    private func values(_ sql: String) throws -> [[FieldValue?]] { try fixture.engine.execute(sql).rows() }

    @Test func aRunOfTheDefaultPolicyKeepsEveryAnswerAndFewRows() throws {
        try fill("cpu", hosts: ["a", "b"], span: 120 * Self.day, step: 600 * Self.second)
        let question = """
            SELECT time_bucket('1 day', time) d, host, count(*), sum(n), avg(v), min(v), max(v), first(n), last(n)
            FROM cpu GROUP BY 1, 2 ORDER BY 1, 2
            """
        let before = try fixture.rows(question)
        try fixture.run("CREATE RETENTION POLICY standard")
        let dry = try fixture.rows("RUN RETENTION DRY RUN")
        #expect(dry.count == 1 && dry[0].contains("rows|rollups of 1 minute"))
        #expect(try fixture.rows(question) == before)
        let run = try values("RUN RETENTION")
        #expect(run.map { $0[3] } == [.string("rollups of 1 minute"), .string("rollups of 1 hour")])
        #expect(run.allSatisfy { $0[11] == .bool(true) })
        #expect(try fixture.rows(question) == before)
        #expect(try values("RUN RETENTION").isEmpty)
        let kept = try values(
            "SELECT \"table\", rows, rows_in_rollups, complete FROM _retention_runs ORDER BY from_width")
        #expect(kept.count == 2 && kept.allSatisfy { $0[1] == $0[2] && $0[3] == .bool(true) }, "\(kept)")
        // Only the last seven days are left as rows.
        #expect(try values("SELECT count(*) FROM (SELECT v FROM cpu)") == [[.int64(2 * (7 * 144 + 1))]])
    }

    @Test func theLatestRowOfADeviceThatFellSilentComesFromItsRollups() throws {
        try fill("cpu", hosts: ["alive", "dead"], span: 30 * Self.day, step: Self.hour)
        try fixture.run("DELETE FROM cpu WHERE host = 'dead' AND time > now() - INTERVAL '20 days'")
        let question = "SELECT host, time, v, n FROM latest(cpu) ORDER BY host"
        let before = try fixture.rows(question)
        try fixture.run("CREATE RETENTION POLICY p KEEP '7 days', '1 hour' FOR '15 days', '1 day' FOR '90 days'")
        try fixture.run("RUN RETENTION")
        #expect(try values("SELECT count(*) FROM (SELECT v FROM cpu WHERE host = 'dead')") == [[.int64(0)]])
        #expect(try fixture.rows(question) == before)
        #expect(try fixture.rows("SELECT host FROM latest(cpu) WHERE host = 'dead'") == ["dead"])
    }

    @Test func whatIsOlderThanTheLastTierIsGone() throws {
        try fill("cpu", hosts: ["a"], span: 40 * Self.day, step: Self.hour)
        try fixture.run("CREATE RETENTION POLICY brief KEEP '7 days', '1 hour' FOR '30 days'", "RUN RETENTION")
        let oldest = try values("SELECT count(*) FROM cpu WHERE time < now() - INTERVAL '31 days'")
        #expect(oldest == [[.int64(0)]])
        let rest = try values("SELECT count(*) FROM cpu")
        #expect(rest == [[.int64(30 * 24 + 1)]], "\(rest)")
        try fixture.run("CREATE RETENTION POLICY none ON other KEEP '1 day'")
        try fill("other", hosts: ["a"], span: 3 * Self.day, step: Self.hour)
        try fixture.run("RUN RETENTION FOR none ON other")
        #expect(try values("SELECT count(*) FROM other") == [[.int64(25)]])
    }

    @Test func rowsFromBeforeAndAfter1970AreRolledUpAndGoAlike() throws {
        try fixture.run(
            "CREATE TABLE old (time TIMESTAMP, host TAG, v DOUBLE)",
            "INSERT INTO old VALUES ('1677-09-21 00:12:44', 'a', 1), ('1969-12-31 23:59:59', 'a', 2), ('1970-01-01 00:00:01', 'a', 3), "
                + "('1990-01-01', 'a', 4), ('2024-01-01', 'a', 5)",
            "CREATE RETENTION POLICY p ON old KEEP '1 day', '1 hour' FOR '36500 days'", "RUN RETENTION")
        #expect(try fixture.rows("SELECT count(*), sum(v), first(v), last(v) FROM old") == ["4|14.0|2.0|5.0"])
        try fixture.run("ALTER RETENTION POLICY p KEEP '2 days'", "RUN RETENTION")
        #expect(try fixture.rows("SELECT count(*), sum(v) FROM old") == ["1|5.0"])
    }

    @Test func theMostSpecificPolicyWins() throws {
        try fill("cpu", hosts: ["a", "b"], span: 10 * Self.day, step: Self.hour)
        try fixture.run(
            "CREATE RETENTION POLICY everything KEEP '1 day'", "CREATE RETENTION POLICY cpus ON cpu KEEP '3 days'",
            "CREATE RETENTION POLICY device ON cpu WHERE host = 'a' KEEP '5 days' DESCRIPTION 'a is audited'",
            "RUN RETENTION")
        #expect(
            try fixture.rows("SELECT host, count(*) FROM cpu GROUP BY host ORDER BY host")
                == ["a|\(5 * 24 + 1)", "b|\(3 * 24 + 1)"])
        #expect(
            try fixture.rows("EXPLAIN POLICY FOR cpu WHERE host = 'a'") == [
                "device|cpu|host = 'a'|5 days|NULL|true|a is audited|NULL|true|a device with 1 tags: the most specific one that is enabled",
                "cpus|cpu|NULL|3 days|NULL|true|(empty)|NULL|false|the table: less specific",
                "everything|NULL|NULL|1 day|NULL|true|(empty)|NULL|false|the whole namespace: less specific",
            ])
        try fixture.run("ALTER RETENTION POLICY device DISABLED", "RUN RETENTION")
        #expect(
            try fixture.rows("SELECT host, count(*) FROM cpu GROUP BY host ORDER BY host")
                == ["a|\(3 * 24 + 1)", "b|\(3 * 24 + 1)"])
        try fixture.run("DROP RETENTION POLICY device")
        #expect(try fixture.rows("SHOW RETENTION POLICIES").map { $0.prefix(4) } == ["cpus".prefix(4), "ever"])
    }

    @Test func aRowFromTheFutureWipesNothingAndNeitherDoesAClockThatIsAhead() throws {
        try fill("cpu", hosts: ["a"], span: 2 * Self.day, step: Self.hour)
        try fixture.run(
            "INSERT INTO cpu (time, host, v) VALUES ('2200-01-01', 'a', 1)",
            "CREATE RETENTION POLICY p KEEP '7 days'", "RUN RETENTION")
        #expect(try values("SELECT count(*) FROM cpu") == [[.int64(50)]])
        try fixture.run("DELETE FROM cpu WHERE time > '2199-01-01'")
        fixture.clock.advance(by: 300 * Self.day)
        try fixture.run("RUN RETENTION")
        #expect(try values("SELECT count(*) FROM cpu") == [[.int64(49)]])
    }

    @Test func policiesAreCheckedWhenTheyAreMade() throws {
        let wrong = [
            "CREATE RETENTION POLICY p KEEP '1 month'",
            "CREATE RETENTION POLICY p KEEP '7 days', '1 minute' FOR '1 day'",
            "CREATE RETENTION POLICY p KEEP '7 days', '1 minute' FOR '9 days', '90 seconds' FOR '10 days'",
            "CREATE RETENTION POLICY p KEEP '1 minute', '1 hour' FOR '1 day'", "DROP RETENTION POLICY p",
            "ALTER RETENTION POLICY p DISABLED", "RUN RETENTION FOR p",
        ]
        for statement in wrong { #expect(fixture.failure(statement) != nil, "\(statement)") }
        try fixture.run("CREATE RETENTION POLICY p", "CREATE OR REPLACE RETENTION POLICY p KEEP '1 day'")
        #expect(fixture.failure("CREATE RETENTION POLICY p")?.code == .alreadyExists)
        #expect(try fixture.rows("SHOW RETENTION POLICIES") == ["p|NULL|NULL|1 day|NULL|true|(empty)|NULL"])
    }

    @Test func aChangedPolicyAppliesToWhatIsStored() throws {
        try fill("cpu", hosts: ["a"], span: 20 * Self.day, step: 600 * Self.second)
        let total = try values("SELECT count(*), sum(n) FROM cpu")
        try fixture.run("CREATE RETENTION POLICY p KEEP '2 days', '30 minutes' FOR '90 days'", "RUN RETENTION")
        try fixture.run("ALTER RETENTION POLICY p KEEP '1 day', '1 hour' FOR '90 days'", "RUN RETENTION")
        #expect(try values("SELECT count(*), sum(n) FROM cpu") == total)
        let explained = try fixture.rows("EXPLAIN SELECT count(*) FROM cpu")
        #expect(explained.contains { $0.contains("stand in for older rows") }, "\(explained)")
        #expect(try values("RUN RETENTION").isEmpty)
    }
}
