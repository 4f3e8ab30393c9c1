import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// Moving rows through the tiers changes no answer that rollups can give.
@Suite struct RollupTests {
    private static let second: Int64 = 1_000_000_000
    private static let minute = 60 * second
    private static let hour = 60 * minute
    private static let aggregates =
        ["f", "i", "u"].flatMap { field in
            ["count", "sum", "avg", "min", "max", "first", "last"].map { "\($0)(\(field))" }
        } + ["count(*)", "count(s)", "first(s)", "last(s)", "first(b)", "last(b)", "count(b)"]

    private let fixture: QueryFixture
    private var namespace: any NamespaceEngine { get throws { try fixture.storage.namespace("default") } }
    private var store: NamespaceStore { get throws { try #require(try namespace as? NamespaceStore) } }

    private func values(_ sql: String) throws -> [[FieldValue?]] { try fixture.engine.execute(sql).rows() }

    init() throws { fixture = try QueryFixture() }

    /// Six hours of three series, with nulls, NaN, infinities, resets, gaps and repeated times.
    private func fill(_ random: inout SeededGenerator, rows: Int = 1_200, from start: Int64 = 0) throws {
        var counter: UInt64 = .max - 5_000
        for part in 0..<4 {
            var values: [[FieldValue?]] = Array(repeating: [], count: 5)
            var times: [Int64] = []
            var hosts: [FieldValue?] = []
            for _ in 0..<rows / 4 {
                times.append(start + Int64.random(in: 0..<6 * Self.hour / Self.second, using: &random) * Self.second)
                hosts.append([.string("a"), .string("b"), nil].randomElement(using: &random)!)
                counter &+= UInt64.random(in: 0..<100, using: &random)
                let floats = [Double.random(in: -9...9, using: &random), -0.0, 4, .infinity]
                let isOdd = part == 1 && Int.random(in: 0..<300, using: &random) == 0
                values[0].append(isOdd ? .float64(.nan) : .float64(floats[Int.random(in: 0..<3, using: &random)]))
                values[1].append(Bool.random(using: &random) ? .int64(.max - 7) : .int64(-3))
                values[2].append(.uint64(counter))
                values[3].append(Int.random(in: 0..<4, using: &random) == 0 ? .string("state \(part)") : nil)
                values[4].append(Bool.random(using: &random) ? .bool(Bool.random(using: &random)) : nil)
            }
            let names: [(String, ColumnType)] = [
                ("f", .float64), ("i", .int64), ("u", .uint64), ("s", .string), ("b", .bool),
            ]
            var schema = [ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag)]
            var columns = [Column(.timestamp, unsafeElements: times), try Column(.string, hosts)]
            for (index, (name, type)) in names.enumerated() {
                schema.append(ColumnDescription(name, type, .field))
                columns.append(try Column(type, values[index]))
            }
            let batch = RecordBatch(schema: schema, columns: columns, rowCount: times.count)
            _ = try namespace.append([TableBatch(table: "t", batch: batch)])
        }
    }

    /// Sums of integers that leave 64 bits are an error of the query, so means stand for them here.
    private static let comparable = aggregates.filter { $0 != "sum(i)" && $0 != "sum(u)" }

    private func answers() throws -> [[[FieldValue?]]] {
        let list = Self.comparable.joined(separator: ", ")
        return try [
            "SELECT \(list) FROM t", "SELECT host, \(list) FROM t GROUP BY host ORDER BY host",
            "SELECT time_bucket('1 hour', time) b, host, \(list) FROM t GROUP BY 1, 2 ORDER BY 1, 2",
            "SELECT time_bucket('2 hours', time) b, count(*), min(f), max(u) FROM t GROUP BY 1 ORDER BY 1",
            "SELECT host, count(*), avg(u) FROM t WHERE host IS NOT NULL AND time >= '1970-01-01 01:00' "
                + "AND time < '1970-01-01 05:00' GROUP BY host ORDER BY host",
        ].map { try values($0) }
    }

    private func move(_ table: String = "t", hours: ClosedRange<Int64>, from: Int64?, to: Int64?) throws -> TierMove {
        try store.move(
            NamespaceStore.TierStep(
                table: table, series: .all,
                range: TimeRange(hours.lowerBound * Self.hour, (hours.upperBound + 1) * Self.hour - 1), source: from,
                target: to))
    }

    private func expectSame(_ found: [[[FieldValue?]]], _ expected: [[[FieldValue?]]], _ what: String) {
        #expect(found.count == expected.count)
        for (a, b) in zip(found, expected) {
            #expect(a.count == b.count, "\(what)")
            for (left, right) in zip(a, b) {
                for (x, y) in zip(left, right) { #expect(isClose(x, y), "\(what): \(left) for \(right)") }
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func aggregatesOverRollupsEqualThoseOverRows(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        try fill(&random)
        let expected = try answers()
        let first = try move(hours: 0...2, from: nil, to: Self.minute)
        #expect(first.rowCount > 0 && first.isComplete)
        expectSame(try answers(), expected, "one tier")
        _ = try move(hours: 0...0, from: Self.minute, to: Self.hour)
        expectSame(try answers(), expected, "two tiers")
        try namespace.compact()
        expectSame(try answers(), expected, "merged")
        _ = try move(hours: 0...5, from: nil, to: Self.minute)
        _ = try move(hours: 0...5, from: Self.minute, to: Self.hour)
        try namespace.compact()
        expectSame(try answers(), expected, "all in the coarsest tier")
    }

    @Test(arguments: [4, 5] as [UInt64])
    func lateRowsOfARolledUpPeriodAreCountedBeforeAndAfterTheyAreFoldedIn(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        try fill(&random)
        _ = try move(hours: 0...5, from: nil, to: Self.minute)
        // Half a second later than any row so far, so that none is overwritten.
        try fill(&random, from: Self.second / 2)
        let expected = try answers()
        let moved = try move(hours: 0...5, from: nil, to: Self.minute)
        #expect(moved.formerRowCount > 0 && moved.isComplete)
        expectSame(try answers(), expected, "folded in")
    }

    @Test func aRowThatArrivesWhileItsPeriodIsMovedIsNotLost() async throws {
        var random = SeededGenerator(seed: 6)
        try fill(&random)
        let before = try values("SELECT count(*) FROM t")
        let namespace = try namespace
        let writer = Task {
            for index in 0..<Int64(200) {
                let batch = RecordBatch(
                    schema: [
                        ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                        ColumnDescription("f", .float64, .field),
                    ],
                    columns: [
                        Column(.timestamp, unsafeElements: [index * 60 * 1_000_000_000 + 1]),
                        try Column(.string, [.string("late")]), Column(.float64, unsafeElements: [1.0]),
                    ], rowCount: 1)
                _ = try namespace.append([TableBatch(table: "t", batch: batch)])
            }
        }
        for _ in 0..<20 { _ = try move(hours: 0...5, from: nil, to: Self.minute) }
        try await writer.value
        guard case .int64(let count)? = before[0][0] else { throw MartletError(.internal, "no count") }
        #expect(try values("SELECT count(*) FROM t") == [[.int64(count + 200)]])
    }

    @Test func whatRollupsCannotAnswerIsSaid() throws {
        var random = SeededGenerator(seed: 7)
        try fill(&random)
        _ = try move(hours: 0...2, from: nil, to: Self.minute)
        let rows = try fixture.engine.execute("SELECT * FROM t")
        _ = try rows.rows()
        #expect(rows.notices.contains { $0.contains("rollups of 1 minute only") }, "\(rows.notices)")
        let finer = try fixture.engine.execute("SELECT time_bucket('1 second', time), count(*) FROM t GROUP BY 1")
        _ = try finer.rows()
        #expect(finer.notices.contains { $0.contains("each rollup counts where its first row lies") })
        let exact = try fixture.engine.execute("SELECT time_bucket('1 minute', time), count(*) FROM t GROUP BY 1")
        _ = try exact.rows()
        #expect(exact.notices.isEmpty)
    }

    @Test func aDeletionReachesTheRollups() throws {
        var random = SeededGenerator(seed: 8)
        try fill(&random)
        _ = try move(hours: 0...5, from: nil, to: Self.minute)
        _ = try move(hours: 0...1, from: Self.minute, to: Self.hour)
        _ = try values("DELETE FROM t WHERE host = 'a'")
        let rest = try values("SELECT DISTINCT host FROM (SELECT host, count(*) FROM t GROUP BY host) ORDER BY host")
        #expect(rest == [[.string("b")], [nil]])
        _ = try values("DROP TABLE t")
        #expect(try namespace.snapshot().tables.isEmpty)
        try fill(&random, rows: 4)
        #expect(try values("SELECT count(*) FROM t").count == 1)
        #expect(try values("SELECT count(*) <= 4 FROM t") == [[.bool(true)]])
    }
}
