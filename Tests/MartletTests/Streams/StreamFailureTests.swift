import Martlet
import MartletTestSupport
import Testing

/// A commit of a stream that the disk refuses loses nothing: what it was to say is said by a later one.
@Suite struct StreamFailureTests {
    /// Operations that a commit of rows takes: the write of its layer and the sync.
    private static let operationsOfAnAppend = 2

    /// Waits until streams have nothing to do, then has the disk refuse the write after `operations` more.
    private func refuseWrite(_ world: StreamWorld, after operations: Int) throws {
        var count = -1
        while count != world.disk.operationCount {
            count = world.disk.operationCount
            for _ in 0..<5 { try world.wait() }
        }
        world.disk.inject(.storageFull, atOperation: count + operations)
    }

    @Test func anAnomalyWhoseCommitFailedIsFoundAgain() throws {
        let world = try StreamWorld()
        for second in Int64(0)..<300 { try world.append(second, ["a": Double(second % 7)]) }
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try refuseWrite(world, after: Self.operationsOfAnAppend)
        try world.append(300, ["a": 900])
        try world.expect("SELECT host, value, is_alarm FROM _anomalies", [["a", 900.0, true]])
    }

    @Test func aTransitionWhoseCommitFailedIsMadeAgain() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10])
        try world.run(
            "CREATE ALERT hot AS SELECT host, last(usage) AS value FROM cpu GROUP BY host HAVING last(usage) > 80")
        try refuseWrite(world, after: Self.operationsOfAnAppend)
        try world.append(1, ["a": 90])
        try world.expect("SELECT state, value FROM _alerts", [["firing", 90.0]])
    }

    @Test func aBucketWhoseCommitFailedIsWorkedOutAgain() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.run(
            "CREATE CONTINUOUS QUERY minutes AS SELECT time_bucket('1 minute', time) AS time, host, count(*) AS n "
                + "FROM cpu GROUP BY 1, 2 INTO cpu_minutes")
        try world.append(1, ["a": 2])
        try refuseWrite(world, after: 0)
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT n FROM cpu_minutes", [[2]])
    }

    @Test func seriesWhoseTagsReadAlikeKeepStatesOfTheirOwn() throws {
        let world = try StreamWorld()
        let tags: [[String: String]] = [["a": "1,b=2"], ["a": "1", "b": "2"]]
        func append(_ seconds: Range<Int64>) throws {
            try world.namespace.append(
                seconds.flatMap { second in
                    tags.enumerated().map { place, tags in
                        Row(
                            "m", tags: tags, fields: ["v": .float64(Double(second % 7) + Double(place) * 1000)],
                            time: Timestamp(nanoseconds: StreamWorld.start + second * StreamWorld.second))
                    }
                })
        }
        try append(0..<300)
        try world.run("CREATE DETECTOR d ON m(v) USING zscore")
        try append(300..<301)
        for _ in 0..<10 { try world.wait() }
        try world.reopen()
        #expect(try world.run("SHOW MODELS OF d").map { $0[4] } == [301, 301])
    }
}
