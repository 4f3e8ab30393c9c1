import MartletModel
import MartletStorage
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct AggregateMergeTests {
    /// Every aggregate with arguments that it takes.
    static let calls: [(name: String, types: [ColumnType], constants: [FieldValue?])] = {
        var calls: [(name: String, types: [ColumnType], constants: [FieldValue?])] = []
        for type in ColumnType.allCases {
            for name in ["count", "min", "max", "first", "last", "any_value", "approx_count_distinct"] {
                calls.append((name, [type], []))
            }
            calls.append(("arg_min", [.string, type], []))
            calls.append(("arg_max", [type, .int64], []))
        }
        for type in ColumnType.allCases where type != .interval {
            calls.append(("count_distinct", [type], []))
            calls.append(("mode", [type], []))
            calls.append(("quantile_disc", [type], [.float64(0.4)]))
        }
        for type: ColumnType in [.int64, .uint64, .float64] {
            for name in [
                "avg", "stddev", "var_pop", "skewness", "kurtosis", "median", "rate", "increase", "delta", "derivative",
                "irate", "resets", "changes", "twa",
            ] { calls.append((name, [type], [])) }
            calls.append(("quantile_cont", [type], [.float64(0.9)]))
            calls.append(("approx_quantile", [type], [.float64(0.5)]))
            calls.append(("twa", [type], [.string("linear")]))
            calls.append(("histogram", [type], [.int64(-1), .int64(3), .int64(4)]))
        }
        calls.append(("bool_and", [.bool], []))
        calls.append(("bool_or", [.bool], []))
        calls.append(("sum", [.bool], []))
        calls.append(("string_agg", [.string], [.string("|")]))
        for name in ["corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept", "regr_r2", "regr_count"] {
            calls.append((name, [.float64, .int64], []))
        }
        return calls
    }()

    @Test func `two halves merge into the whole, and groups do not mix`() throws {
        for (name, types, constants) in Self.calls {
            for seed in 0..<6 as Range<UInt64> {
                var generator = SeededGenerator(seed: seed)
                let count = Int.random(in: 1..<60, using: &generator)
                let columns = types.map { type -> Column in
                    // Sums of wild numbers depend on their order, so numbers are tame here.
                    type == .float64
                        ? Columns.floats((0..<count).map { _ in Double(Int.random(in: -8...8, using: &generator)) / 2 })
                        : type == .int64
                            ? Columns.ints((0..<count).map { _ in .random(in: -8...8, using: &generator) })
                            : Columns.random(type, count: count, using: &generator)
                }
                let groups = (0..<count).map { _ in UInt32.random(in: 0..<4, using: &generator) }
                let harness = AggregateHarness(name, constants: constants)
                let whole = try harness.run(columns, groups: groups)
                let cut = Int.random(in: 0...count, using: &generator)
                let merged = try harness.runMerged(columns, groups: groups, cut: cut)
                #expect(close(merged, whole), "\(name)\(types) seed \(seed)")
                for group in 0..<UInt32(whole.count) {
                    let rows = (0..<Int32(count)).filter { groups[Int($0)] == group }
                    if rows.isEmpty { continue }
                    let alone = try AggregateHarness(
                        name, constants: constants, times: rows.map { Int64($0) * 1_000_000_000 }
                    ).run(columns.map { ColumnKernels.filter($0, rows) })
                    #expect(close(alone[0], whole[Int(group)]), "\(name)\(types) seed \(seed) group \(group)")
                }
            }
        }
    }

    @Test func `a block's statistics stand for its rows`() throws {
        let values = Columns.ints([3, nil, -2, 9])
        let summary = FieldSummary(
            count: 3, sum: .int64(10), min: .int64(-2), max: .int64(9), first: .int64(3), last: .int64(9))
        for name in ["count", "sum", "avg", "min", "max", "spread", "first", "last"] {
            let function = FunctionRegistry.builtIn.aggregate(name)!
            let state = try function.makeAccumulator(argumentTypes: [.int64], constants: [nil])
            state.grow(toGroups: 1)
            let summarised = try #require(state as? any SummaryAccumulator)
            try summarised.add(summary, rowCount: 4, time: TimeRange(0, 3_000_000_000), group: 0)
            #expect(try state.finish(groupCount: 1).list == AggregateHarness(name).run([values]), "\(name)")
        }
        let rows = CountAccumulator()
        rows.grow(toGroups: 1)
        rows.add(nil, rowCount: 4, time: .all, group: 0)
        #expect(try rows.finish(groupCount: 1).ints == [4])
    }

    @Test func `NaN hidden in a block's statistics is still the greatest value`() throws {
        let function = FunctionRegistry.builtIn.aggregate("max")!
        let state = try function.makeAccumulator(argumentTypes: [.float64], constants: [nil])
        state.grow(toGroups: 1)
        let summary = FieldSummary(
            count: 3, sum: .float64(.nan), min: .float64(1), max: .float64(2), first: nil, last: nil)
        try (state as! any SummaryAccumulator).add(summary, rowCount: 3, time: .all, group: 0)
        #expect(try state.finish(groupCount: 1).floats[0]!.isNaN)
    }
}
