import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct CastTests {
    private func cast(_ column: Column, _ type: ColumnType) throws(MartletError) -> Column {
        try ColumnKernels.cast(column, to: type)
    }

    @Test func `floats become integers by rounding to even, and refuse what does not fit`() throws {
        #expect(try cast(Columns.floats([2.5, 3.5, -2.5, nil]), .int64).ints == [2, 4, -2, nil])
        #expect(errorCode { () throws(MartletError) in try cast(Columns.floats([1e20]), .int64) } == .outOfRange)
        #expect(errorCode { () throws(MartletError) in try cast(Columns.floats([.nan]), .int64) } == .outOfRange)
        #expect(try ColumnKernels.cast(Columns.floats([.nan, 1]), to: .int64, isTry: true).ints == [nil, 1])
    }

    @Test func `text becomes numbers`() throws {
        let words = Columns.texts([" 12 ", "2.5", "1e3", "-9223372036854775808", "+5", nil])
        #expect(try cast(words, .int64).ints == [12, 3, 1000, .min, 5, nil])
        for wrong in ["", "12 a", "9223372036854775808", "--1", "1.2.3", "e5", "."] {
            #expect(
                errorCode { () throws(MartletError) in try cast(Columns.texts([wrong]), .int64) } == .invalidArgument,
                "\(wrong)")
        }
        let floats = Columns.texts([".5", "5.", "1.5e3", "-inf", "0.1", "123456789012345678901234567890", "1e-400"])
        #expect(try cast(floats, .float64).floats == [0.5, 5, 1500, -.infinity, 0.1, 1.2345678901234568e29, 0])
        #expect(try cast(Columns.texts(["NaN"]), .float64).floats[0]!.isNaN)
        #expect(
            errorCode { () throws(MartletError) in try cast(Columns.texts(["0x10"]), .float64) } == .invalidArgument)
    }

    @Test func `every float reads back from its text`() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            if value.isNaN { continue }
            let text = try cast(Columns.floats([value]), .string)
            #expect(try cast(text, .float64).floats == [value], "\(value)")
        }
        for exponent in -30...30 {
            let text = "\(Int.random(in: 1..<1_000_000, using: &generator))e\(exponent)"
            #expect(try cast(Columns.texts([text]), .float64).floats == [Double(text)!], "\(text)")
        }
    }

    @Test func `values are written as DuckDB writes them`() throws {
        #expect(
            try cast(Columns.floats([0.1, 1e20, 1, 1e-5, -0.0, .nan, .infinity]), .string).texts
                == ["0.1", "1e+20", "1.0", "1e-05", "-0.0", "nan", "inf"])
        #expect(try cast(Columns.ints([.min, 0, 42]), .string).texts == ["-9223372036854775808", "0", "42"])
        #expect(try cast(Columns.uints([.max]), .string).texts == ["18446744073709551615"])
        #expect(try cast(Columns.bools([true, false, nil]), .string).texts == ["true", "false", nil])
        let intervals = [
            "14 months", "-14 months", "0 days", "1 month 2 days 03:04:05.5", "-1 day -02:00:00", "25:00:00",
        ]
        #expect(
            try cast(Columns.intervals(intervals.map(Columns.interval)), .string).texts == [
                "1 year 2 months", "-1 year -2 months", "00:00:00", "1 month 2 days 03:04:05.5", "-1 day -02:00:00",
                "25:00:00",
            ])
    }

    @Test func `timestamps are read in all common forms`() throws {
        let forms = [
            "2024-01-02T03:04:05.123456789Z", "2024-01-02 03:04:05.123456789", "2024-01-02 05:04:05.123456789+02:00",
            "2024-01-01 21:34:05.123456789-0530", "2024-1-2 3:04:05.1234567891", "2024-01-02 03:04:05.123456789 UTC",
        ]
        for form in forms { #expect(TimeText.format(Columns.time(form)) == "2024-01-02 03:04:05.123456789", "\(form)") }
        #expect(TimeText.format(Columns.time("2024-01-02")) == "2024-01-02 00:00:00")
        #expect(TimeText.format(Columns.time("2024-01-02 24:00:00")) == "2024-01-03 00:00:00")
        #expect(TimeText.format(Columns.time("1969-12-31 23:59:59.5"), style: .rfc3339) == "1969-12-31T23:59:59.5Z")
        for wrong in [
            "2024-02-30", "2024-13-01", "24-01-01", "2024-01-01 25:00", "2024-01-01x", "2024-01-01 10", "9999-01-01",
        ] {
            #expect(
                errorCode { () throws(MartletError) in try cast(Columns.texts([wrong]), .timestamp) }
                    == .invalidArgument, "\(wrong)")
        }
    }

    @Test func `every timestamp reads back from its text`() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let time = Int64(bitPattern: generator.next())
            #expect(Columns.time(TimeText.format(time)) == time, "\(time)")
        }
        for edge in [Int64.min, .max, 0, -1] { #expect(Columns.time(TimeText.format(edge)) == edge) }
    }

    @Test func `intervals are read with units and clock times`() {
        #expect(Columns.interval("1.5 days") == Interval(days: 1, nanoseconds: 43_200_000_000_000))
        #expect(Columns.interval("5m") == Interval(nanoseconds: 300_000_000_000))
        #expect(
            Columns.interval("1 mon -2 weeks 1h30m") == Interval(months: 1, days: -14, nanoseconds: 5_400_000_000_000))
        #expect(Columns.interval("-1:30") == Interval(nanoseconds: -5_400_000_000_000))
        for wrong in ["", "x", "5", "5 parsecs", "1:60", "99999999999 years"] {
            var text = wrong
            #expect(text.withUTF8 { TimeText.parseInterval(UnsafeRawBufferPointer($0)) } == nil, "\(wrong)")
        }
    }

    @Test func `a dictionary's unused entries do not disturb a cast`() throws {
        let words = Columns.dictionary(["1", "2", nil, "1"], extra: ["nonsense"])
        #expect(try cast(words, .int64).ints == [1, 2, nil, 1])
        #expect(
            errorCode { () throws(MartletError) in try cast(Columns.dictionary(["1", "x", "1"]), .int64) }
                == .invalidArgument)
    }

    @Test func `booleans are read from words and numbers`() throws {
        #expect(try cast(Columns.texts(["TRUE", "f", "yes", "0"]), .bool).bools == [true, false, true, false])
        #expect(try cast(Columns.floats([0, 0.5]), .bool).bools == [false, true])
        #expect(try cast(Columns.bools([true, nil]), .float64).floats == [1, nil])
        #expect(errorCode { () throws(MartletError) in try cast(Columns.texts(["on"]), .bool) } == .invalidArgument)
    }

    @Test func `timestamps and numbers are not cast into each other`() {
        #expect(errorCode { () throws(MartletError) in try cast(Columns.ints([1]), .timestamp) } == .semantic)
        #expect(errorCode { () throws(MartletError) in try cast(Columns.times(["2024-01-01"]), .float64) } == .semantic)
    }
}
