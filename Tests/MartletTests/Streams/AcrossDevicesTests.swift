import Martlet
import MartletTestSupport
import Testing

/// What docs/streams.md says of comparing the devices of a group: a continuous query puts them side by side, a detector
/// judges its rows.
@Suite struct AcrossDevicesTests {
    @Test func aDeviceThatNoLongerFollowsTheOthersIsNamed() throws {
        let world = try StreamWorld()
        var random = SeededGenerator(seed: 6)
        // Three pumps of a site share a load and report at moments of their own; from minute 900 on pump b does not follow.
        func rows(_ minutes: Range<Int64>) -> [Row] {
            minutes.flatMap { minute -> [Row] in
                let load = Double.random(in: 0...10, using: &random)
                return ["a", "b", "c"].enumerated().map { place, pump in
                    let follows = pump == "b" && minute >= 900 ? 10 - load : load
                    return Row(
                        "pump", tags: ["site": "north", "pump": pump],
                        fields: [
                            "flow": .float64(
                                follows * Double(place + 1) + Double.random(in: -0.2...0.2, using: &random))
                        ],
                        time: Timestamp(
                            nanoseconds: StreamWorld.start + (minute * 60 + Int64(place) * 7) * StreamWorld.second))
                }
            }
        }
        try world.namespace.append(rows(0..<800))
        try world.run(
            """
            CREATE CONTINUOUS QUERY side_by_side AS
                SELECT time_bucket('1 minute', time) AS time, site, avg(flow) FILTER (WHERE pump = 'a') AS a,
                    avg(flow) FILTER (WHERE pump = 'b') AS b, avg(flow) FILTER (WHERE pump = 'c') AS c
                FROM pump GROUP BY 1, 2 INTO pumps_side_by_side WITH BACKFILL
            """)
        world.clock.advance(by: 800 * 60 * StreamWorld.second)
        try world.expect("SELECT count(*) > 790 FROM pumps_side_by_side", [[true]])
        try world.run("CREATE DETECTOR apart ON pumps_side_by_side(a, b, c) USING correlation_break")
        try world.namespace.append(rows(800..<950))
        world.clock.advance(by: 200 * 60 * StreamWorld.second)
        try world.expect(
            "SELECT DISTINCT site, split_part(contributors, ', ', 1) FROM _anomalies WHERE is_alarm", [["north", "b"]])
        #expect(try world.run("SELECT count(*) FROM _anomalies WHERE time < '2023-11-15 13:12:00'") == [[0]])
    }
}
