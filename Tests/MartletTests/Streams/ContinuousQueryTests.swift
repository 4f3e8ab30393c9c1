import Martlet
import MartletTestSupport
import Testing

/// What CREATE CONTINUOUS QUERY promises.
@Suite struct ContinuousQueryTests {
    private let statement =
        "CREATE CONTINUOUS QUERY minutes AS SELECT time_bucket('1 minute', time) AS time, host, avg(usage) AS usage, "
        + "count(*) AS n FROM cpu GROUP BY 1, 2 INTO cpu_minutes"
    private let direct =
        "SELECT time_bucket('1 minute', time) AS time, host, avg(usage) AS usage, count(*) AS n FROM cpu GROUP BY 1, 2 "
        + "ORDER BY 1, 2"
    private let kept = "SELECT time, host, usage, n FROM cpu_minutes ORDER BY time, host"

    @Test func aBucketIsWrittenWhenItsTimeIsOver() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1, "b": 5])
        try world.run(statement)
        try world.append(10, ["a": 3])
        #expect(try world.run(kept).isEmpty)
        world.clock.advance(by: 120 * StreamWorld.second)
        try world.expect(kept, try world.run(direct))
        #expect(try world.run(kept).count == 2)
    }

    /// Devices whose clocks are an hour ahead.
    @Test func rowsAheadOfTheClockWaitForTheSlowestOfTheirSeries() throws {
        let world = try StreamWorld()
        try world.append(0, ["silent": 1])
        try world.run(statement)
        try world.append(3600, ["a": 1])
        try world.append(3610, ["b": 2])
        try world.append(3700, ["a": 3])
        for _ in 0..<40 { try world.wait() }
        #expect(try world.run("SELECT count(*) FROM cpu_minutes WHERE host <> 'silent'") == [[0]])
        try world.append(3705, ["b": 4])
        try world.expect(
            "SELECT host, n FROM cpu_minutes WHERE host <> 'silent' ORDER BY host", [["a", 1], ["b", 1]])
    }

    @Test func lateRowsCorrectTheBucketThatTheyBelongTo() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.run(statement)
        try world.append(1, ["a": 2])
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT n FROM cpu_minutes", [[2]])
        try world.append(2, ["a": 9])
        try world.expect(kept, try world.run(direct))
        #expect(try world.run("SELECT n FROM cpu_minutes") == [[3]])
    }

    @Test func erasedRowsTakeWhatStoodForThemWithThem() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1, "b": 2])
        try world.run(statement + " WITH BACKFILL")
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT host FROM cpu_minutes ORDER BY host", [["a"], ["b"]])
        try world.run("DELETE FROM cpu WHERE host = 'a'")
        try world.expect("SELECT host FROM cpu_minutes", [["b"]])
    }

    @Test func backfillWorksOutWhatIsStored() throws {
        let world = try StreamWorld()
        for second in stride(from: Int64(0), to: 3600, by: 30) { try world.append(second, ["a": Double(second)]) }
        try world.run(statement + " WITH BACKFILL")
        world.clock.advance(by: 7200 * StreamWorld.second)
        try world.expect("SELECT count(*) FROM cpu_minutes", try world.run("SELECT count(*) FROM (\(direct)) q"))
        try world.expect(kept, try world.run(direct))
    }

    @Test func withoutBackfillOnlyBucketsOfNewRowsAreWorkedOut() throws {
        let world = try StreamWorld()
        for second in stride(from: Int64(0), to: 600, by: 30) { try world.append(second, ["a": 1]) }
        try world.run(statement)
        try world.append(3000, ["a": 1])
        world.clock.advance(by: 7200 * StreamWorld.second)
        try world.expect("SELECT count(*) FROM cpu_minutes", [[1]])
    }

    @Test func itGoesOnAfterAnOpeningAndMakesUpForWhatItMissed() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.run(statement)
        try world.append(1, ["a": 1])
        try world.reopen()
        try world.append(100, ["a": 4])
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect(kept, try world.run(direct))
        #expect(try world.run("SHOW CONTINUOUS QUERIES")[0][1] == "running")
    }

    @Test func afterAPowerCutEveryRowExistsOnce() throws {
        let world = try StreamWorld(seed: 7)
        try world.append(0, ["a": 1])
        try world.run(statement)
        for minute in Int64(0)..<20 {
            try world.append(minute * 60 + 1, ["a": Double(minute), "b": 1])
            world.clock.advance(by: 60 * StreamWorld.second)
            if minute % 5 == 4 { try world.crash() }
        }
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect(kept, try world.run(direct))
    }

    @Test func subscribersSeeRowsAsTheyAreMade() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.run(statement)
        let result = try world.namespace.query("SUBSCRIBE minutes")
        #expect(result.schema.map(\.name) == ["time", "host", "usage", "n"])
        try world.append(1, ["a": 3])
        world.clock.advance(by: 300 * StreamWorld.second)
        let batch = try #require(try result.next())
        #expect(batch.row(0).dropFirst() == ["a", 2.0, 2])
        try world.run("DROP CONTINUOUS QUERY minutes")
        #expect(try result.next() == nil)
    }

    @Test(arguments: [
        ("CREATE CONTINUOUS QUERY q AS SELECT host, avg(usage) FROM cpu GROUP BY host INTO x", "time buckets"),
        (
            "CREATE CONTINUOUS QUERY q AS SELECT time_bucket('1m', time) AS time, avg(usage) AS u FROM cpu GROUP BY 1 INTO cpu",
            "the table that it reads"
        ),
        (
            "CREATE CONTINUOUS QUERY q AS SELECT time_bucket('1m', time) AS time, avg(usage) AS u FROM cpu GROUP BY 1 LIMIT 3 INTO x",
            "LIMIT"
        ),
        (
            "CREATE CONTINUOUS QUERY q AS SELECT time_bucket('1m', time) AS t FROM cpu GROUP BY 1 INTO x",
            "add an aggregate"
        ),
        ("DROP CONTINUOUS QUERY nothing", "there is no continuous query 'nothing'"),
    ])
    func whatCannotWorkIsRefusedWithTheReason(_ sql: String, _ reason: String) throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        let error = #expect(throws: MartletError.self) { try world.run(sql) }
        let text = "\(error?.message ?? "") \(error?.hint ?? "")"
        #expect(text.contains(reason), "\(text)")
        #expect(try world.run("SHOW CONTINUOUS QUERIES").isEmpty)
    }

    @Test func aDisabledQueryRestsAndMakesUpWhenItIsEnabled() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.run(statement)
        try world.run("ALTER CONTINUOUS QUERY minutes DISABLE")
        try world.append(1, ["a": 1])
        world.clock.advance(by: 300 * StreamWorld.second)
        for _ in 0..<10 { try world.wait() }
        #expect(try world.run(kept).isEmpty)
        #expect(try world.run("SHOW CONTINUOUS QUERIES")[0][1] == "disabled")
        try world.run("ALTER CONTINUOUS QUERY minutes ENABLE")
        try world.expect("SELECT n FROM cpu_minutes", [[2]])
    }
}
