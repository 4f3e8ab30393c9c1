import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// What rollups know beside statistics: quantiles, the most frequent text, the growth of counters.
@Suite struct RollupDetailTests {
    private static let second: Int64 = 1_000_000_000
    private static let minute = 60 * second
    private static let hour = 60 * minute

    private let fixture: QueryFixture
    private var namespace: any NamespaceEngine { get throws { try fixture.storage.namespace("default") } }
    private var store: NamespaceStore { get throws { try #require(try namespace as? NamespaceStore) } }

    init() throws { fixture = try QueryFixture() }

    private func values(_ sql: String) throws -> [[FieldValue?]] { try fixture.engine.execute(sql).rows() }

    /// Six hours of two hosts, a row in ten seconds: a gauge, two counters with resets, a state, a flag; all with nulls.
    private func fill(_ seed: UInt64, from start: Int64 = 0, step: Int64 = 10 * second) throws {
        var random = SeededGenerator(seed: seed)
        let names: [(String, ColumnType)] = [
            ("usage", .float64), ("requests", .uint64), ("energy", .float64), ("state", .string), ("ok", .bool),
        ]
        for host in ["a", "b"] {
            var times: [Int64] = []
            var values: [[FieldValue?]] = Array(repeating: [], count: names.count)
            var (requests, energy): (UInt64, Double) = (1_000, 0)
            var time = start
            while time < start + 6 * Self.hour {
                times.append(time)
                time += step
                requests += UInt64.random(in: 0...9, using: &random)
                energy += Double.random(in: 0...0.1, using: &random)
                if Int.random(in: 0..<300, using: &random) == 0 { (requests, energy) = (3, 0.01) }
                let row: [FieldValue] = [
                    .float64(Double.random(in: -5...100, using: &random)), .uint64(requests), .float64(energy),
                    .string(["idle", "run", "run", "hold"].randomElement(using: &random)!),
                    .bool(Int.random(in: 0..<10, using: &random) < 6),
                ]
                for (index, value) in row.enumerated() {
                    values[index].append(Int.random(in: 0..<9, using: &random) == 0 ? nil : value)
                }
            }
            var schema = [ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag)]
            var columns = [
                Column(.timestamp, unsafeElements: times),
                try Column(.string, [FieldValue](repeating: .string(host), count: times.count)),
            ]
            for (index, (name, type)) in names.enumerated() {
                schema.append(ColumnDescription(name, type, .field))
                columns.append(try Column(type, values[index]))
            }
            let batch = RecordBatch(schema: schema, columns: columns, rowCount: times.count)
            _ = try namespace.append([TableBatch(table: "t", batch: batch)])
        }
    }

    /// Writes rows of a tier's table as a move does, beside an erasure of nothing.
    private func writeRollups(_ batch: TableBatch) throws {
        try store.change(
            reading: { (state) throws(MartletError) in state.catalog["t"]?.id ?? 0 },
            whileStill: { _, _, _ in true },
            writing: { (writer, table) throws(MartletError) in
                try writer.commit([try AppendBatch(batch)]) { commit in
                    Tombstone(commit: commit, table: table, time: TimeRange(-2, -1), series: nil)
                }
            })
    }

    private func move(_ hours: ClosedRange<Int64>, from: Int64?, to: Int64?) throws {
        let range = TimeRange(hours.lowerBound * Self.hour, (hours.upperBound + 1) * Self.hour - 1)
        let step = NamespaceStore.TierStep(table: "t", series: .all, range: range, source: from, target: to)
        #expect(try store.move(step).isComplete)
    }

    private static let counters = [
        "increase(requests)", "rate(requests)", "delta(requests)", "increase(energy)", "rate(energy)", "delta(usage)",
    ]
    private static let others = [
        "approx_quantile(usage, 0.5)", "approx_quantile(usage, 0.01)", "approx_quantile(requests, 0.9)",
        "approx_quantile(energy, 0)", "approx_quantile(energy, 1)", "mode(state)", "mode(ok)", "avg(usage)",
        "count(state)",
    ]

    private func answers(_ list: [String]) throws -> [[FieldValue?]] {
        let list = list.joined(separator: ", ")
        return try [
            "SELECT host, \(list) FROM t GROUP BY host ORDER BY host",
            "SELECT time_bucket('1 hour', time) b, host, \(list) FROM t GROUP BY 1, 2 ORDER BY 1, 2",
            "SELECT \(list) FROM t WHERE host = 'a' AND time >= '1970-01-01 01:00' AND time < '1970-01-01 05:00'",
        ].flatMap { (sql) throws in
            let result = try fixture.engine.execute(sql)
            let rows = try result.rows()
            #expect(result.notices.isEmpty, "\(result.notices)")
            #expect(rows.joined().allSatisfy { $0?.number?.isNaN != true })
            return rows
        }
    }

    private func expectSame(_ found: [[FieldValue?]], _ expected: [[FieldValue?]], _ what: String) {
        #expect(found.count == expected.count)
        for (left, right) in zip(found, expected) {
            for (a, b) in zip(left, right) { #expect(isClose(a, b), "\(what): \(left) for \(right)") }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func quantilesModesAndCountersOverRollupsEqualThoseOverRows(seed: UInt64) throws {
        try fill(seed)
        let all = Self.counters + Self.others
        let expected = try answers(all)
        try move(0...2, from: nil, to: Self.minute)
        expectSame(try answers(all), expected, "one tier")
        try move(0...0, from: Self.minute, to: Self.hour)
        expectSame(try answers(all), expected, "two tiers")
        try namespace.compact()
        try move(0...5, from: nil, to: Self.minute)
        try move(0...5, from: Self.minute, to: Self.hour)
        try namespace.compact()
        expectSame(try answers(all), expected, "all in the coarsest tier")
    }

    @Test func lateRowsAreFoldedIntoQuantilesAndModes() throws {
        try fill(4)
        try move(0...5, from: nil, to: Self.minute)
        try move(0...2, from: Self.minute, to: Self.hour)
        try fill(5, from: Self.second / 2, step: 70 * Self.second)
        let expected = try answers(Self.others)
        try move(0...5, from: nil, to: Self.minute)
        expectSame(try answers(Self.others), expected, "folded in")
        try move(0...5, from: Self.minute, to: Self.hour)
        expectSame(try answers(Self.others), expected, "folded into the coarsest")
    }

    @Test func whatIsNoCounterHasNoGrowthAndThatIsSaid() throws {
        try fill(6)
        try move(0...5, from: nil, to: Self.minute)
        let result = try fixture.engine.execute("SELECT increase(usage) FROM t WHERE host = 'a'")
        #expect(try result.rows() == [[nil]])
        #expect(result.notices.contains { $0.contains("do not know this of usage") }, "\(result.notices)")
    }

    @Test func ofManyTextsTheFrequentOnesStayAndDoubtIsSaid() throws {
        let rows = (0..<1_000).map { second -> String in
            "(\(second) * INTERVAL '1 second' + TIMESTAMP '1970-01-01', \(second % 3 == 0 ? "'often'" : "'x\(second)'"))"
        }
        _ = try values("CREATE TABLE texts (word TEXT)")
        _ = try values("INSERT INTO texts(time, word) VALUES \(rows.joined(separator: ", "))")
        let step = NamespaceStore.TierStep(
            table: "texts", series: .all, range: TimeRange(0, Self.hour - 1), source: nil, target: Self.hour)
        _ = try store.move(step)
        let result = try fixture.engine.execute("SELECT mode(word), count(word) FROM texts")
        #expect(try result.rows() == [[.string("often"), .int64(1_000)]])
        #expect(result.notices.contains { $0.contains("do not know this of word") }, "\(result.notices)")
    }

    @Test func rollupsOfAnEarlierVersionSayThatTheyDoNotKnow() throws {
        _ = try values("CREATE TABLE t (host TAG, v BIGINT)")
        _ = try values("INSERT INTO t(time, host, v) VALUES ('1970-01-01 05:00', 'a', 7)")
        let columns: [(String, ColumnType, FieldValue)] = [
            ("|rows", .int64, .int64(3)), ("|first_time", .int64, .int64(0)), ("|last_time", .int64, .int64(2)),
            ("v|sum", .int64, .int64(9)), ("v|min", .int64, .int64(1)), ("v|max", .int64, .int64(5)),
            ("v|first", .int64, .int64(1)), ("v|last", .int64, .int64(5)),
        ]
        var schema = [ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag)]
        var data = [Column(.timestamp, unsafeElements: [Int64(0)]), try Column(.string, [.string("a")])]
        for (name, type, value) in columns {
            schema.append(ColumnDescription(name, type, .field))
            data.append(try Column(type, [value]))
        }
        let table = TierTable(of: "t", width: Self.minute).name
        let batch = TableBatch(table: table, batch: RecordBatch(schema: schema, columns: data, rowCount: 1))
        try writeRollups(batch)
        let result = try fixture.engine.execute("SELECT approx_quantile(v, 1), increase(v), max(v), count(*) FROM t")
        #expect(try result.rows() == [[.float64(7), nil, .int64(7), .int64(4)]])
        #expect(result.notices.contains { $0.contains("do not know this of v") }, "\(result.notices)")
    }
}
