import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

/// Seeded mutation of every statement of the SQL scripts: whatever comes in, the parser answers with a tree or with an
/// error that points into the text.
@Suite struct ParserFuzzTests {
    private static let corpus: [[UInt8]] = SQLScript.all.flatMap { $0.records.map { Array($0.sql.utf8) } }

    private static let fragments = [
        "SELECT", "FROM", "WHERE", "(", ")", "((", "))", ",", "'", "\"", "--", "/*", "*/", "NULL", "CASE WHEN", "END",
        "OVER (", "PARTITION BY", "ROWS BETWEEN", "INTERVAL '1 hour'", "::", "$1", "?", "1e999", "0x", "..", "a.b.c.d",
        "IN (", "NOT", "IS DISTINCT FROM", "UNION ALL", "JOIN", "ASOF", "USING (", "GROUP BY ALL", "FILL (LINEAR)",
        "\u{0}", "\u{e9}", ";", "LIMIT", "EXPLAIN ANALYZE", "CAST(", "AS", "AT TIME ZONE", "9223372036854775808",
    ]

    private func mutated(_ text: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = text
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where place < bytes.count: bytes.remove(at: place)
            case 1 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2:
                let fragment = Self.fragments.randomElement(using: &random) ?? ""
                bytes.insert(contentsOf: Array(" \(fragment) ".utf8), at: place)
            case 3 where place < bytes.count: bytes.removeSubrange(place...)
            case 4:
                let other = Self.corpus.randomElement(using: &random) ?? []
                bytes.insert(contentsOf: other.prefix(Int.random(in: 0...other.count, using: &random)), at: place)
            default:
                let end = min(bytes.count, place + Int.random(in: 1...20, using: &random))
                bytes.insert(contentsOf: bytes[place..<end], at: place)
            }
        }
        return bytes
    }

    @Test("mutated statements never crash the parser, and every error points into the text", arguments: 0..<8)
    func parserSurvives(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for round in 0..<1_500 {
            let base = try #require(Self.corpus.randomElement(using: &random))
            let text = String(decoding: mutated(base, &random), as: UTF8.self)
            let length = text.utf8.count
            do throws(MartletError) {
                _ = try Parser.statement(in: SourceText(text))
            } catch {
                guard case .statement(let offset, let line, let column) = error.location else {
                    Issue.record("seed \(seed), round \(round): no place in \(error) for \(text)")
                    return
                }
                #expect(offset >= 0 && offset <= length && line >= 1 && column >= 1, "seed \(seed), round \(round)")
                #expect(error.excerpt(of: text) != nil, "seed \(seed), round \(round): \(text)")
            }
        }
    }

    @Test("mutated queries that parse run or fail with an error", arguments: 100..<104)
    func engineSurvives(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var options = QueryOptions()
        options.maximumRows = 10_000
        options.memoryLimit = 32 << 20
        let fixture = try QueryFixture(options: options)
        try fixture.run(
            "CREATE TABLE cpu (time TIMESTAMP, host TAG, region TAG, usage DOUBLE, cores BIGINT, up BOOLEAN, note VARCHAR)",
            "CREATE TABLE m (time TIMESTAMP, host TAG, rack TAG, v DOUBLE, n BIGINT, s VARCHAR)",
            "INSERT INTO cpu VALUES ('2024-01-01', 'a', 'eu', 1, 2, true, 'x'), ('2024-01-02', 'b', 'us', 3, 4, NULL, 'y')",
            "INSERT INTO m VALUES ('2024-01-01', 'a', 'r', 1, 2, 'x'), ('2024-01-01 01:00:00', 'b', NULL, 3, NULL, 'y')"
        )
        for _ in 0..<400 {
            let base = try #require(Self.corpus.randomElement(using: &random))
            let text = String(decoding: mutated(base, &random), as: UTF8.self)
            // Definitions would change what later rounds meet; queries are what is fuzzed here.
            guard case .query? = try? Parser.statement(in: SourceText(text)).0 else { continue }
            do throws(MartletError) {
                _ = try fixture.engine.execute(text).rows()
            } catch {
                #expect(error.code != .internal, "seed \(seed): \(error) for \(text)")
            }
        }
    }

    @Test("long chains and deep nesting are refused before they exhaust the stack")
    func limitsHold() throws {
        let fixture = try QueryFixture()
        let deep = String(repeating: "(", count: 100_000) + "1"
        #expect(fixture.failure("SELECT " + deep)?.code == .outOfRange)
        let not = String(repeating: "NOT ", count: 100_000) + "TRUE"
        #expect(fixture.failure("SELECT " + not)?.code == .outOfRange)
        let sum = "1" + String(repeating: " + 1", count: 100_000)
        #expect(fixture.failure("SELECT " + sum)?.code == .outOfRange)
        let union = "SELECT 1" + String(repeating: " UNION SELECT 1", count: 10_000)
        #expect(fixture.failure(union)?.code == .outOfRange)
        let or = "1 = 2" + String(repeating: " OR 1 = 2", count: 5_000)
        #expect(try fixture.rows("SELECT \(or)") == ["false"])
        let long = "SELECT '" + String(repeating: "x", count: Parser.maximumLength) + "'"
        #expect(fixture.failure(long)?.code == .outOfRange)
    }

    @Test("entries of WITH that multiply are refused")
    func commonTablesDoNotExplode() throws {
        let fixture = try QueryFixture()
        var sql = "WITH t0 AS (SELECT 1 AS x)"
        for level in 1...20 { sql += ", t\(level) AS (SELECT a.x FROM t\(level - 1) a CROSS JOIN t\(level - 1) b)" }
        #expect(fixture.failure(sql + " SELECT * FROM t20")?.code == .outOfRange)
    }
}
