import Martlet
import MartletTestSupport
import Testing

/// Detectors of one table read together, and judge each its own.
@Suite struct SharedReadsTests {
    private func append(_ world: StreamWorld, _ seconds: Range<Int64>, odd: String? = nil) throws {
        var random = SeededGenerator(seed: UInt64(seconds.lowerBound) + 1)
        var rows: [Row] = []
        for second in seconds {
            for host in ["a", "b"] {
                var fields: [String: FieldValue] = [:]
                for (place, name) in ["x", "y", "z"].enumerated() {
                    let level = Double(place + 1) * 100 + (odd == name && host == "a" ? 50 : 0)
                    fields[name] = .float64(level + Double.random(in: -1...1, using: &random))
                }
                // Every third row has no z.
                if second % 3 == 0, odd == nil { fields["z"] = nil }
                fields["text"] = .string(odd == nil ? "\(second)" : "none")
                rows.append(
                    Row(
                        "m", tags: ["host": host, "site": "n"], fields: fields,
                        time: Timestamp(nanoseconds: StreamWorld.start + second * StreamWorld.second)))
            }
        }
        try world.namespace.append(rows)
    }

    @Test func eachDetectorSeesItsOwnValuesAndSeries() throws {
        let world = try StreamWorld()
        try append(world, 0..<900)
        for value in ["x", "y", "z", "x + y"] {
            try world.run("CREATE DETECTOR \"d \(value)\" ON m(\(value)) USING zscore")
        }
        try world.run("CREATE DETECTOR sites ON m(y) PER (site) USING zscore")
        try world.run("CREATE DETECTOR some ON m(x) WHERE host = 'b' USING zscore")
        try append(world, 900..<901, odd: "y")
        try world.expect(
            "SELECT detector, series, round(value / 50) FROM _anomalies ORDER BY detector",
            [["d x + y", "host=a,site=n", 7.0], ["d y", "host=a,site=n", 5.0], ["sites", "site=n", 5.0]])
        // By site two hosts of one second are one series, of which the first, a, is judged.
        #expect(try world.run("SHOW MODELS OF sites").map { $0[1] } == ["site=n"])
        #expect(try world.run("SHOW MODELS OF some").map { $0[4] } == [901])
        #expect(try world.run("SHOW MODELS OF \"d z\"").map { $0[4] } == [601, 601])
    }

    @Test func oneWhoseValueCannotBeReadHoldsUpNoOther() throws {
        let world = try StreamWorld()
        try append(world, 0..<900)
        try world.run("CREATE DETECTOR good ON m(x) USING zscore")
        try world.run("CREATE DETECTOR bad ON m(CAST(text AS DOUBLE)) USING zscore")
        try append(world, 900..<901, odd: "x")
        try world.expect("SELECT detector, host FROM _anomalies", [["good", "a"]])
        try world.expect("SELECT count(*) FROM _streams", [[2]])
        for _ in 0..<200 {
            if try world.run("SHOW DETECTORS").map({ $0[1] }) == ["failing", "running"] { break }
            try world.wait()
        }
        #expect(try world.run("SHOW DETECTORS").map { $0[1] } == ["failing", "running"])
    }

    @Test func oneThatCannotBeMadeTakesNothingFromTheOthers() throws {
        let world = try StreamWorld()
        try append(world, 0..<900)
        try world.run("CREATE DETECTOR dx ON m(x) USING zscore")
        try world.run("CREATE DETECTOR dy ON m(y) USING zscore")
        #expect(throws: MartletError.self) { try world.run("CREATE DETECTOR bad ON m(x) USING oracle") }
        #expect(throws: MartletError.self) { try world.run("CREATE DETECTOR bad ON m(x, nothing) USING zscore") }
        #expect(throws: MartletError.self) { try world.run("CREATE DETECTOR bad ON m(x, y) USING zscore") }
        try append(world, 900..<901, odd: "x")
        try world.expect("SELECT detector, host FROM _anomalies", [["dx", "a"]])
    }

    @Test func aDetectorThatGoesTakesItsValuesWithIt() throws {
        let world = try StreamWorld()
        try append(world, 0..<900)
        try world.run("CREATE DETECTOR dx ON m(x) USING zscore")
        try world.run("CREATE DETECTOR dy ON m(y) USING zscore")
        try world.run("DROP DETECTOR dy")
        try world.run("ALTER TABLE m DROP COLUMN y")
        try append(world, 900..<901, odd: "x")
        try world.expect("SELECT detector, host FROM _anomalies", [["dx", "a"]])
    }
}
