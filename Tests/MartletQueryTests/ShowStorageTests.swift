import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct ShowStorageTests {
    @Test func whatWasWrittenAndIsStoredIsListedWithItsMeaning() throws {
        let fixture = try QueryFixture()
        try fixture.run("CREATE TABLE cpu (time TIMESTAMP, host TAG, v DOUBLE)")
        try fixture.run("INSERT INTO cpu (time, host, v) VALUES (now(), 'a', 1), (now() - INTERVAL '1 hour', 'b', 2)")
        let rows = try fixture.engine.execute("SHOW STORAGE").rows()
        var figures: [String: Double] = [:]
        for row in rows {
            guard case .string(let name)? = row[0], case .float64(let value)? = row[1],
                case .string(let meaning)? = row[2]
            else {
                Issue.record("\(row)")
                continue
            }
            #expect(meaning.hasSuffix("."))
            figures[name] = value
        }
        #expect(figures["rows"] == 2)
        #expect(figures["series"] == 2)
        let (written, ingested) = (try #require(figures["written_bytes"]), try #require(figures["ingested_bytes"]))
        #expect(written > 0 && ingested > 0)
        #expect(figures["written_per_ingested_byte"] == written / ingested)
    }
}
