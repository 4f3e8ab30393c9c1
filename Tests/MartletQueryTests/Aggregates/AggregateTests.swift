import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct AggregateTests {
    @Test func `count counts rows, or values that are not NULL`() throws {
        #expect(try AggregateHarness("count").run([], count: 3) == [.int64(3)])
        let values = Columns.ints([1, nil, 3, nil])
        #expect(
            try AggregateHarness("count").run([values], groups: [0, 0, 1, 2]) == [.int64(1), .int64(1), .int64(0)])
    }

    @Test func `sums of integers are exact and refuse to overflow`() throws {
        #expect(try AggregateHarness("sum").run([Columns.ints([.max, .min, 5, nil])]) == [.int64(4)])
        #expect(
            errorCode { () throws(MartletError) in try AggregateHarness("sum").run([Columns.ints([.max, 1])]) }
                == .outOfRange)
        #expect(try AggregateHarness("avg").float([Columns.ints([.max, .max])]) == 9.223372036854775807e18)
        #expect(try AggregateHarness("sum").run([Columns.uints([1 << 63, 5])]) == [.uint64((1 << 63) + 5)])
        #expect(try AggregateHarness("sum").run([Columns.bools([true, false, true])]) == [.int64(2)])
    }

    @Test func `aggregates of no values are NULL, counts are zero`() throws {
        let empty = Columns.floats([nil, nil])
        for name in ["sum", "avg", "min", "max", "spread", "first", "last", "median", "stddev", "mode", "rate", "twa"] {
            #expect(try AggregateHarness(name).run([empty]) == [nil], "\(name)")
        }
        for name in ["count", "count_distinct", "approx_count_distinct"] {
            #expect(try AggregateHarness(name).run([empty]) == [.int64(0)], "\(name)")
        }
    }

    @Test func `NaN is the greatest value`() throws {
        let values = Columns.floats([.nan, 2, .infinity, 3])
        #expect(try AggregateHarness("min").float([values]) == 2)
        #expect(try AggregateHarness("max").float([values])!.isNaN)
        #expect(try AggregateHarness("min").float([Columns.floats([.nan, .nan])])!.isNaN)
        #expect(try AggregateHarness("median").float([Columns.floats([1, .nan, 2])]) == 2)
    }

    @Test func `min, max and spread know every type`() throws {
        #expect(try AggregateHarness("min").run([Columns.texts(["b", nil, "a"])]) == [.string("a")])
        #expect(try AggregateHarness("max").run([Columns.dictionary(["b", nil, "a"])]) == [.string("b")])
        #expect(try AggregateHarness("max").run([Columns.bools([false, true])]) == [.bool(true)])
        #expect(try AggregateHarness("max").run([Columns.uints([.max, 1])]) == [.uint64(.max)])
        let times = Columns.times(["2024-01-03", "2024-01-01 12:00:00"])
        #expect(
            try AggregateHarness("spread").run([times]) == [
                .interval(Interval(days: 1, nanoseconds: 43_200_000_000_000))
            ])
        #expect(try AggregateHarness("spread").run([Columns.ints([-5, 7])]) == [.int64(12)])
    }

    @Test func `first and last go by time, not by the order of the rows`() throws {
        let values = Columns.ints([1, 2, nil, 4])
        let times: [Int64] = [30, 10, 5, 20]
        #expect(try AggregateHarness("first", times: times).run([values]) == [.int64(2)])
        #expect(try AggregateHarness("last", times: times).run([values]) == [.int64(1)])
        #expect(try AggregateHarness("first", times: [7, 7, 7, 7]).run([values]) == [.int64(1)])
        #expect(try AggregateHarness("last", times: [7, 7, 7, 7]).run([values]) == [.int64(4)])
    }

    @Test func `arg_min and arg_max give the value beside the least and greatest key`() throws {
        let values = Columns.texts(["a", "b", "c", nil])
        let keys = Columns.floats([2, 1, 3, 0])
        #expect(try AggregateHarness("arg_min").run([values, keys]) == [.string("b")])
        #expect(try AggregateHarness("arg_max").run([values, keys]) == [.string("c")])
        #expect(try AggregateHarness("any_value").run([Columns.ints([nil, 4, 5])]) == [.int64(4)])
    }

    @Test func `variances, skewness and kurtosis are those of DuckDB`() throws {
        let values = Columns.floats([1, 2, 3, 10])
        let expected: [(String, Double)] = [
            ("stddev", 4.08248290463863), ("var_pop", 12.5), ("variance", 50.0 / 3), ("stddev_pop", 12.5.squareRoot()),
            ("skewness", 1.763632614803888), ("kurtosis", 3.228), ("kurtosis_pop", -0.7696),
        ]
        for (name, value) in expected {
            #expect(close(.float64(try AggregateHarness(name).float([values])!), .float64(value)), "\(name)")
        }
        #expect(try AggregateHarness("stddev").float([Columns.floats([1])]) == nil)
        #expect(try AggregateHarness("var_pop").float([Columns.floats([1])]) == 0)
    }

    @Test func `a variance survives a large mean`() throws {
        let values = Columns.floats([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])
        #expect(try AggregateHarness("var_samp").float([values]) == 30)
    }

    @Test func `correlation and regression are those of PostgreSQL`() throws {
        let y = Columns.floats([2, 3, 5, nil])
        let x = Columns.ints([1, 2, 3, 4])
        let expected: [(String, Double)] = [
            ("regr_slope", 1.5), ("regr_intercept", 1.0 / 3), ("regr_r2", 0.9642857142857145),
            ("corr", 0.9819805060619659), ("covar_pop", 1), ("covar_samp", 1.5),
        ]
        for (name, value) in expected {
            #expect(close(.float64(try AggregateHarness(name).float([y, x])!), .float64(value)), "\(name)")
        }
        #expect(try AggregateHarness("regr_count").run([y, x]) == [.int64(3)])
    }

    @Test func `continuous quantiles interpolate, discrete ones do not`() throws {
        let values = Columns.ints([4, 1, 3, 2])
        #expect(try AggregateHarness("median").float([values]) == 2.5)
        #expect(close(try AggregateHarness("quantile_cont", constants: [.float64(0.3)]).run([values]), [.float64(1.9)]))
        #expect(try AggregateHarness("quantile_disc", constants: [.float64(0.3)]).run([values]) == [.int64(2)])
        #expect(try AggregateHarness("quantile_disc", constants: [.float64(0.25)]).run([values]) == [.int64(1)])
        #expect(try AggregateHarness("quantile_disc", constants: [.int64(0)]).run([values]) == [.int64(1)])
        #expect(
            try AggregateHarness("quantile_disc", constants: [.float64(0.5)]).run([Columns.texts(["b", "c", "a"])])
                == [.string("b")])
        #expect(try AggregateHarness("median").float([Columns.floats([-.infinity, 1])]) == -.infinity)
        let times = Columns.times(["2024-01-01", "2024-01-03"])
        #expect(try AggregateHarness("median").run([times]) == Columns.times(["2024-01-02"]).list)
        #expect(
            errorCode { () throws(MartletError) in
                try AggregateHarness("quantile_cont", constants: [.int64(2)]).run([values])
            } == .semantic)
    }

    @Test func `the mode is the most frequent value, the least among equals`() throws {
        #expect(try AggregateHarness("mode").run([Columns.ints([3, 1, 3, 1, 2])]) == [.int64(1)])
        #expect(try AggregateHarness("mode").run([Columns.texts(["x", "y", "y"])]) == [.string("y")])
    }

    @Test func `string_agg joins in the order of the rows`() throws {
        let values = Columns.texts(["b", nil, "a"])
        #expect(try AggregateHarness("string_agg", constants: [.string("; ")]).run([values]) == [.string("b; a")])
        #expect(try AggregateHarness("string_agg").run([Columns.ints([1, 2])]) == [.string("1,2")])
    }

    @Test func `a histogram counts below, in and above its buckets`() throws {
        let values = Columns.floats([-1, 0, 4.99, 5, 9.999, 10, .nan, nil])
        let constants: [FieldValue?] = [.int64(0), .int64(10), .int64(2)]
        #expect(try AggregateHarness("histogram", constants: constants).run([values]) == [.string("[1,2,2,2]")])
        #expect(
            errorCode { () throws(MartletError) in
                try AggregateHarness("histogram", constants: [.int64(1), .int64(0), .int64(2)]).run([values])
            } == .semantic)
    }

    @Test func `boolean aggregates skip NULL`() throws {
        #expect(try AggregateHarness("bool_and").run([Columns.bools([true, nil, true])]) == [.bool(true)])
        #expect(try AggregateHarness("bool_and").run([Columns.bools([true, false])]) == [.bool(false)])
        #expect(try AggregateHarness("bool_or").run([Columns.bools([false, nil])]) == [.bool(false)])
    }

    @Test func `arguments of the wrong type are refused with the accepted form`() {
        do {
            _ = try AggregateHarness("sum").run([Columns.texts(["a"])])
            Issue.record("no error")
        } catch {
            #expect(error.code == .semantic)
            #expect(error.hint == "the form is sum(number)")
        }
    }

    @Test func `a selection limits the rows that are added`() throws {
        let values = Columns.floats([1, 2, 4, 8])
        #expect(try AggregateHarness("sum").run([values], selection: [1, 3]) == [.float64(10)])
        #expect(try AggregateHarness("count").run([values], selection: [1, 3]) == [.int64(2)])
        #expect(try AggregateHarness("max").run([values], selection: [0, 1]) == [.float64(2)])
    }
}
