import Martlet
import MartletTestSupport
import Testing

/// What CREATE DETECTOR promises.
@Suite struct DetectorStreamTests {
    /// Ordinary values around 50 with a seeded noise, one a second.
    private func history(_ world: StreamWorld, _ seconds: Range<Int64>, hosts: [String] = ["a", "b"]) throws {
        var generator = SeededGenerator(seed: UInt64(seconds.lowerBound) + 3)
        var rows: [Row] = []
        for second in seconds {
            for host in hosts {
                rows.append(
                    Row(
                        "cpu", tags: ["host": host],
                        fields: ["usage": .float64(50 + Double.random(in: -1...1, using: &generator))],
                        time: Timestamp(nanoseconds: StreamWorld.start + second * StreamWorld.second)))
            }
        }
        try world.namespace.append(rows)
    }

    @Test func anAnomalousRowIsFoundNamedAndExplained() throws {
        let world = try StreamWorld()
        try history(world, 0..<2000)
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try world.append(2000, ["a": 90, "b": 50])
        try world.expect(
            "SELECT time, detector, host, value, severity, is_alarm FROM _anomalies",
            [
                [
                    .timestamp(Timestamp(nanoseconds: StreamWorld.start + 2000 * StreamWorld.second)), "spikes", "a",
                    90.0, "critical", true,
                ]
            ])
        let row = try world.run("SELECT score, expected, lower, upper, reason, method, model_version FROM _anomalies")[
            0]
        guard case .float64(let score)? = row[0], case .float64(let expected)? = row[1] else {
            Issue.record("no score: \(row)")
            return
        }
        #expect(score > 0.999)
        #expect(abs(expected - 50) < 1)
        #expect(row[4] != nil && row[5] == "zscore" && row[6] == 1)
    }

    @Test func rowsBeforeTheDetectorAreLearntFromInSilence() throws {
        let world = try StreamWorld()
        try history(world, 0..<1500)
        try world.append(1500, ["a": 90])
        try history(world, 1501..<2500)
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try world.append(2500, ["b": 90])
        try world.expect("SELECT host FROM _anomalies", [["b"]])
    }

    @Test func backfillJudgesWhatIsStored() throws {
        let world = try StreamWorld()
        try history(world, 0..<1500)
        try world.append(1500, ["a": 90])
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore WITH BACKFILL")
        try world.expect("SELECT host, value FROM _anomalies WHERE is_alarm", [["a", 90.0]])
    }

    @Test func consecutiveAnomalousRowsAreOneEventThatIsAcknowledged() throws {
        let world = try StreamWorld()
        try history(world, 0..<2000)
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        for second in Int64(2000)..<2003 { try world.append(second, ["a": 90 + Double(second - 2000)]) }
        try history(world, 2003..<2020)
        try world.expect("SELECT rows, is_over FROM _anomaly_events", [[3, true]])
        let event = try world.run("SHOW ANOMALIES OF spikes")
        #expect(event.count == 1)
        #expect(event[0][2] == "host=a")
        #expect(event[0][10] == nil)
        try world.run("ACKNOWLEDGE ANOMALY OF spikes WHERE host = 'a' BY 'Ada' NOTE 'valve replaced'")
        let after = try world.run("SHOW ANOMALIES OF spikes")
        #expect(after.count == 1)
        #expect(after[0][10] == "Ada")
        #expect(after[0][12] == "valve replaced")
        #expect(throws: MartletError.self) { try world.run("ACKNOWLEDGE ANOMALY OF spikes BY 'Ada'") }
    }

    @Test func aDetectorGoesOnWithWhatItLearntAfterAnOpening() throws {
        let world = try StreamWorld()
        try history(world, 0..<2000)
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try history(world, 2000..<2010)
        try world.reopen()
        try world.append(2010, ["a": 90])
        try world.expect("SELECT host FROM _anomalies", [["a"]])
        let models = try world.run("SHOW MODELS OF spikes")
        #expect(models.map { $0[1] } == ["host=a", "host=b"])
        #expect(models[0][4] == 2011)
    }

    @Test func afterPowerCutsTheAnomaliesAreThoseOfAnUndisturbedRun() throws {
        func outcome(crashing: Bool) throws -> [[FieldValue?]] {
            let world = try StreamWorld(seed: 11)
            try history(world, 0..<1200)
            try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
            for round in Int64(0)..<8 {
                let begin = 1200 + round * 50
                try history(world, begin..<begin + 49)
                try world.append(begin + 49, ["a": 60 + Double(round) * 5, "b": 50])
                if crashing && round % 2 == 1 { try world.crash() }
            }
            try world.append(1600, ["a": 99, "b": 99])
            try world.expect("SELECT count(*) FROM _anomalies WHERE value = 99", [[2]])
            return try world.run(
                "SELECT time, host, value, score, severity, event_start FROM _anomalies ORDER BY time, host")
        }
        let undisturbed = try outcome(crashing: false)
        #expect(undisturbed.count >= 3)
        let crashed = try outcome(crashing: true)
        for (left, right) in zip(crashed, undisturbed) { #expect(left == right) }
        #expect(crashed.count == undisturbed.count)
    }

    @Test func trainingForgetsAndLearnsFromTheRangeThatIsGiven() throws {
        let world = try StreamWorld()
        try history(world, 0..<2000)
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try world.run(
            "TRAIN DETECTOR spikes FROM '2023-11-14 22:13:20' TO '2023-11-14 22:33:20'")
        try world.append(2000, ["a": 90])
        try world.expect("SELECT host, model_version FROM _anomalies", [["a", 2]])
    }

    @Test func severalValuesAndAConditionAreJudgedTogether() throws {
        let world = try StreamWorld()
        var generator = SeededGenerator(seed: 5)
        func row(_ second: Int64, _ x: Double, _ y: Double, _ site: String) -> Row {
            Row(
                "pump", tags: ["site": site, "part": "1"], fields: ["x": .float64(x), "y": .float64(y)],
                time: Timestamp(nanoseconds: StreamWorld.start + second * StreamWorld.second))
        }
        var rows: [Row] = []
        for second in Int64(0)..<3000 {
            let x = Double.random(in: 0...10, using: &generator)
            rows.append(row(second, x, 2 * x + Double.random(in: -0.1...0.1, using: &generator), "n"))
            rows.append(row(second, x, 100, "off"))
        }
        try world.namespace.append(rows)
        try world.run(
            "CREATE DETECTOR broken ON pump(x, y) WHERE site <> 'off' PER (site) USING isolation_forest(trees = 50)")
        try world.namespace.append([row(3000, 100, -100, "n"), row(3000, -5000, 0, "off")])
        try world.expect("SELECT DISTINCT detector, site FROM _anomalies", [["broken", "n"]])
    }

    @Test(arguments: [
        ("CREATE DETECTOR d ON nowhere(usage)", "there is no table 'nowhere'"),
        ("CREATE DETECTOR d ON cpu(nothing)", "nothing"),
        ("CREATE DETECTOR d ON cpu(usage) USING magic", "there is no detector 'magic'"),
        ("CREATE DETECTOR d ON cpu(usage) USING zscore(span = -1)", "not accepted"),
        ("CREATE DETECTOR d ON cpu(usage) PER (rack)", "no tag 'rack'"),
        ("TRAIN DETECTOR d", "there is no detector 'd'"),
    ])
    func whatCannotWorkIsRefusedWithTheReason(_ sql: String, _ reason: String) throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        let error = #expect(throws: MartletError.self) { try world.run(sql) }
        let text = "\(error?.message ?? "") \(error?.hint ?? "")"
        #expect(text.contains(reason), "\(text)")
        #expect(try world.run("SHOW DETECTORS").isEmpty)
    }
}
