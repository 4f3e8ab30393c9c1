import Martlet
import MartletTestSupport
import Testing

/// DETECT ANOMALIES: judged once, for an answer.
@Suite struct DetectTests {
    private static let minute = 60 * StreamWorld.second

    private func world(_ minutes: Int64 = 1500) throws -> StreamWorld {
        let world = try StreamWorld()
        var random = SeededGenerator(seed: 3)
        var rows: [Row] = []
        for minute in 0..<minutes {
            for host in ["a", "b"] {
                let isOdd = (host == "a" && minute == 1000) || (host == "b" && minute == 1200)
                rows.append(
                    Row(
                        "cpu", tags: ["host": host, "site": "n"],
                        fields: ["usage": .float64((isOdd ? 90 : 50) + Double.random(in: -1...1, using: &random))],
                        time: Timestamp(nanoseconds: StreamWorld.start + minute * Self.minute)))
            }
        }
        try world.namespace.append(rows)
        return world
    }

    private func time(_ minute: Int64) -> FieldValue {
        .timestamp(Timestamp(nanoseconds: StreamWorld.start + minute * Self.minute))
    }

    @Test func theAnomalousRowsOfATableAreTheAnswerAndNothingIsKept() throws {
        let world = try world()
        let rows = try world.run("DETECT ANOMALIES IN cpu(usage) USING zscore")
        #expect(rows.map { $0[0] } == [time(1000), time(1200)])
        #expect(rows.map { $0[1] } == ["host=a,site=n", "host=b,site=n"])
        #expect(rows.map { $0[8] } == [true, true])
        #expect(try world.run("SHOW DETECTORS").isEmpty)
        #expect(throws: MartletError.self) { try world.run("SELECT * FROM _anomalies") }
    }

    @Test func onlyTheTimesThatAreGivenAreSpokenOfAndThoseBeforeAreLearntFrom() throws {
        let world = try world()
        let rows = try world.run(
            "DETECT IN cpu(usage) PER (host) USING zscore FROM '2023-11-15 16:00:00' TO '2023-11-15 20:00:00'")
        #expect(rows.map { $0[1] } == ["host=b"])
    }

    @Test func theRowsOfAQueryAreJudgedSeriesBySeries() throws {
        let world = try world()
        let rows = try world.run(
            "DETECT ANOMALIES IN (SELECT time_bucket('2 minutes', time) AS time, host, max(usage) AS top FROM cpu "
                + "GROUP BY 1, 2)(top - 50) PER (host) USING zscore")
        // The buckets begin at even minutes of the day, the rows at 20 seconds past an odd one.
        let buckets = [Int64(1000), 1200].map { minute -> FieldValue? in
            .timestamp(Timestamp(nanoseconds: StreamWorld.start + minute * Self.minute - 80 * StreamWorld.second))
        }
        #expect(rows.map { $0[0] } == buckets)
        #expect(rows.map { $0[1] } == ["host=a", "host=b"])
    }

    @Test func conditionsBaselinesAndParametersHold() throws {
        let world = try world()
        let rows = try world.run(
            "DETECT ANOMALIES IN cpu(usage) WHERE host = 'b' USING isolation_forest(trees = 50) "
                + "BASELINE FROM '2023-11-14' TO '2023-11-15 10:00:00'")
        #expect(rows.contains { $0[0] == time(1200) })
        #expect(rows.allSatisfy { $0[1] == "host=b,site=n" })
    }

    @Test func itFindsWhatADetectorThatStandsFinds() throws {
        let world = try world()
        try world.run("CREATE DETECTOR d ON cpu(usage) USING auto WITH BACKFILL")
        let answer = try world.run("DETECT ANOMALIES IN cpu(usage) USING auto")
        try world.expect(
            "SELECT time, series, value, score FROM _anomalies ORDER BY time, series",
            answer.map { [$0[0], $0[1], $0[2], $0[6]] })
        #expect(!answer.isEmpty)
    }

    @Test func tooFewRowsToJudgeAnyAreNoEmptyAnswer() throws {
        let world = try world(400)
        let error = #expect(throws: MartletError.self) {
            try world.run("DETECT ANOMALIES IN cpu(usage) USING lstm_autoencoder")
        }
        #expect(error?.message.contains("at least 2032 rows first, and the longest of 2 series has 400") == true)
        #expect(try world.run("DETECT ANOMALIES IN cpu(usage) WHERE host = 'nobody' USING zscore").isEmpty)
    }

    @Test(arguments: [
        ("DETECT ANOMALIES IN nowhere(x)", "no table"), ("DETECT ANOMALIES IN cpu(usage) USING oracle", "oracle"),
        ("DETECT ANOMALIES IN (SELECT usage FROM cpu)(usage)", "'time'"),
        ("DETECT ANOMALIES IN cpu(usage) PER (rack)", "rack"), ("DETECT cpu(usage)", "IN"),
        ("DETECT ANOMALIES IN (SELECT time, usage FROM cpu)(load)", "load"),
    ]) func whatCannotWorkIsRefusedWithTheReason(statement: String, reason: String) throws {
        let world = try world(2)
        let error = #expect(throws: MartletError.self) { try world.run(statement) }
        #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
    }
}
