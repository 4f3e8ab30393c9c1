import Martlet
import MartletTestSupport
import Testing

/// What detectors say of their models, and when they learn anew.
@Suite struct DetectorModelTests {
    private static let minute = 60 * StreamWorld.second

    /// A row a minute around `level`.
    private func append(
        _ world: StreamWorld, _ minutes: Range<Int64>, _ level: Double, host: String = "a", seed: UInt64 = 1
    ) throws {
        var random = SeededGenerator(seed: seed &+ UInt64(minutes.lowerBound))
        try world.namespace.append(
            minutes.map { minute in
                Row(
                    "cpu", tags: ["host": host],
                    fields: ["usage": .float64(level + Double.random(in: -1...1, using: &random))],
                    time: Timestamp(nanoseconds: StreamWorld.start + minute * Self.minute))
            })
    }

    @Test func aModelIsDescribedAndMeasuredOnRowsThatWereHeldBack() throws {
        let world = try StreamWorld()
        try append(world, 0..<700, 50)
        try world.run("CREATE DETECTOR d ON cpu(usage) USING zscore(span = 200)")
        try world.expect(
            "SELECT detector, host, model, version, method, cause, held_back_rows, recall_spikes, recall_shifts > 0.5, "
                + "recall_flat_lines, false_share FROM _models",
            [["d", "a", "1", 1, "zscore", "creation", 256, 1.0, true, 0.0, 0.0]])
        let text = try world.run("SELECT parameters FROM _models")[0][0]
        guard case .string(let parameters)? = text else {
            Issue.record("no parameters")
            return
        }
        #expect(parameters.contains("span = 200") && parameters.contains("alarms_per_week = 0.5"))
        let shown = try world.run("SHOW MODELS OF d")[0]
        #expect(shown[3] == 1 && shown[10] == 1.0 && shown[9] != nil)
    }

    @Test func aSeriesThatHasBecomeAnotherIsLearntAnewAndTheOthersAreNot() throws {
        let world = try StreamWorld()
        for host in ["a", "b"] { try append(world, 0..<1200, 50, host: host) }
        try world.run("CREATE DETECTOR d ON cpu(usage) USING isolation_forest(baseline = 300)")
        try append(world, 1200..<3200, 90)
        try append(world, 1200..<3200, 50, host: "b")
        try world.expect(
            "SELECT host, version, cause FROM _models ORDER BY host, version",
            [["a", 1, "creation"], ["a", 2, "drift"], ["b", 1, "creation"]])
        try append(world, 3200..<3201, 50)
        try world.expect(
            "SELECT value < 60, model_version FROM _anomalies WHERE host = 'a' ORDER BY time DESC LIMIT 1", [[true, 2]])
        // After a restart the successor goes on.
        try world.reopen()
        try world.expect("SELECT count(*) FROM _models", [[3]])
        #expect(try world.run("SHOW MODELS OF d").map { $0[3] } == [2, 1])
    }

    @Test(arguments: ["RETRAIN NEVER", "BASELINE FROM '2023-11-14' TO '2023-11-15 10:00:00'"])
    func whatShallNotFollowDriftDoesNot(clause: String) throws {
        let world = try StreamWorld()
        try append(world, 0..<1200, 50)
        try world.run("CREATE DETECTOR d ON cpu(usage) USING isolation_forest(baseline = 300) \(clause) WITH BACKFILL")
        try append(world, 1200..<3200, 90)
        try world.expect("SELECT max(value) > 80 FROM _anomalies", [[true]])
        for _ in 0..<20 { try world.wait() }
        #expect(try world.run("SHOW MODELS OF d").map { $0[3] } == [1])
    }

    @Test func everySpanTheSeriesAreLearntAnewAndNothingIsMissed() throws {
        let world = try StreamWorld()
        try append(world, 0..<600, 50)
        try world.run("CREATE DETECTOR d ON cpu(usage) USING zscore RETRAIN NEVER")
        try world.run("CREATE OR REPLACE DETECTOR d ON cpu(usage) USING zscore RETRAIN EVERY '1 hour'")
        try world.expect("SELECT version FROM _models WHERE held_back_rows > 0", [[1]])
        world.clock.advance(by: 61 * Self.minute)
        try append(world, 600..<601, 500)
        try world.expect("SELECT version, cause FROM _models ORDER BY version", [[1, "creation"], [2, "training"]])
        try append(world, 601..<602, 500)
        // Each was judged once, by one model or the other.
        try world.expect("SELECT count(*), min(value) > 400 FROM _anomalies", [[2, true]])
        try world.reopen()
        try append(world, 602..<603, 500)
        try world.expect("SELECT count(*) FROM _anomalies", [[3]])
    }

    @Test func aPowerCutWhileASuccessorLearnsChangesNothing() throws {
        func outcome(crashing: Bool) throws -> [[FieldValue?]] {
            let world = try StreamWorld(seed: 5)
            try append(world, 0..<1200, 50)
            try world.run("CREATE DETECTOR d ON cpu(usage) USING isolation_forest(baseline = 300, trees = 20)")
            for piece in Int64(0)..<20 {
                try append(world, (1200 + piece * 100)..<(1300 + piece * 100), piece < 2 ? 50 : 90)
                if crashing && piece % 4 == 3 { try world.crash() }
            }
            try append(world, 3200..<3201, 0)
            try world.expect("SELECT count(*) FROM _anomalies WHERE value < 10", [[1]])
            return try world.run("SELECT time, value, score, model_version FROM _anomalies ORDER BY time")
                + world.run("SELECT time, version, cause, false_share, recall_spikes FROM _models ORDER BY time")
        }
        let undisturbed = try outcome(crashing: false)
        #expect(undisturbed.contains { $0.last == nil || $0[1] == 2 })
        #expect(try outcome(crashing: true) == undisturbed)
    }

    @Test(arguments: [
        ("RETRAIN", "NEVER, ON DRIFT or EVERY"), ("RETRAIN EVERY '1 second'", "once a minute"),
        ("RETRAIN ON SUNDAYS", "DRIFT"),
        ("BASELINE FROM '2023-11-14' TO '2023-11-15' RETRAIN EVERY '1 day'", "stays the same"),
    ]) func whatCannotBeIsRefusedWithTheReason(clause: String, reason: String) throws {
        let world = try StreamWorld()
        try append(world, 0..<2, 50)
        let error = #expect(throws: MartletError.self) { try world.run("CREATE DETECTOR d ON cpu(usage) \(clause)") }
        #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
    }
}
