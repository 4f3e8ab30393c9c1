import Martlet
import MartletTestSupport
import Testing

/// Rows that are erased take what continuous queries made of them with them, whatever happens in between.
@Suite struct ErasureTests {
    private func world() throws -> StreamWorld {
        let world = try StreamWorld()
        try world.append(0, ["a": 1, "b": 2])
        try world.append(70, ["a": 3])
        try world.run(
            "CREATE CONTINUOUS QUERY minutes AS SELECT time_bucket('1 minute', time) AS time, host, count(*) AS n "
                + "FROM cpu GROUP BY 1, 2 INTO cpu_minutes WITH BACKFILL")
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT host, n FROM cpu_minutes ORDER BY time, host", [["a", 1], ["b", 1], ["a", 1]])
        return world
    }

    @Test func whileTheQueryIsDisabledAndThePowerIsCut() throws {
        let world = try world()
        try world.run("ALTER CONTINUOUS QUERY minutes DISABLE")
        try world.run("DELETE FROM cpu WHERE host = 'b'")
        try world.crash()
        try world.run("ALTER CONTINUOUS QUERY minutes ENABLE")
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT host, n FROM cpu_minutes ORDER BY time, host", [["a", 1], ["a", 1]])
        // What was accounted for is forgotten.
        try world.expect("SELECT count(*) FROM _stream_erasures", [[0]])
    }

    @Test func rightBeforeThePowerIsCut() throws {
        for _ in 0..<5 {
            let world = try world()
            try world.run("DELETE FROM cpu WHERE host = 'b'")
            try world.crash()
            world.clock.advance(by: 300 * StreamWorld.second)
            try world.expect("SELECT host, n FROM cpu_minutes ORDER BY time, host", [["a", 1], ["a", 1]])
        }
    }

    @Test func anErasureThatCannotBeWrittenDownDoesNotHappen() throws {
        let world = try world()
        try world.run("ALTER CONTINUOUS QUERY minutes DISABLE")
        for _ in 0..<5 { try world.wait() }
        world.disk.inject(.storageFull, atOperation: world.disk.operationCount)
        #expect(throws: MartletError.self) { try world.run("DELETE FROM cpu WHERE host = 'b'") }
        #expect(try world.run("SELECT count(*) FROM cpu WHERE host = 'b'") == [[1]])
        // The next one does, and is accounted for.
        try world.run("DELETE FROM cpu WHERE host = 'b'")
        try world.run("ALTER CONTINUOUS QUERY minutes ENABLE")
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect("SELECT host, n FROM cpu_minutes ORDER BY time, host", [["a", 1], ["a", 1]])
    }

    @Test func fromATableThatNoQueryReadsWritesNothingDown() throws {
        let world = try world()
        try world.append(0, ["a": 1], table: "memory")
        try world.run("DELETE FROM memory")
        #expect(throws: MartletError.self) { try world.run("SELECT * FROM _stream_erasures") }
    }
}
