import MartletModel
import Testing

@testable import MartletQuery

@Suite struct ArithmeticTests {
    private func run(_ op: ArithmeticOperator, _ a: Column, _ b: Column) throws(MartletError) -> Column {
        try ColumnKernels.arithmetic(op, a, b, rowCount: max(a.count, b.count))
    }

    @Test func `integers add, subtract and multiply, and NULL stays NULL`() throws {
        let a = Columns.ints([1, nil, 7])
        let b = Columns.ints([2, 3, -4])
        #expect(try run(.add, a, b).ints == [3, nil, 3])
        #expect(try run(.subtract, a, b).ints == [-1, nil, 11])
        #expect(try run(.multiply, a, b).ints == [2, nil, -28])
    }

    @Test func `a single row stands for all rows, on either side`() throws {
        #expect(try run(.subtract, Columns.ints([10]), Columns.ints([1, 2, nil])).ints == [9, 8, nil])
        #expect(try run(.subtract, Columns.ints([1, 2, nil]), Columns.ints([10])).ints == [-9, -8, nil])
        #expect(try run(.add, Columns.ints([nil]), Columns.ints([1, 2])).ints == [nil, nil])
    }

    @Test func `the slash divides integers as floats and follows IEEE 754 at zero`() throws {
        #expect(
            try run(.divide, Columns.ints([1, -1, 7]), Columns.ints([0, 0, 2])).floats == [.infinity, -.infinity, 3.5])
        #expect(try run(.divide, Columns.ints([0]), Columns.ints([0])).floats[0]!.isNaN)
    }

    @Test func `integer division and remainder by zero are NULL and round towards zero`() throws {
        let a = Columns.ints([-7, 7, 1])
        let b = Columns.ints([2, -2, 0])
        #expect(try run(.integerDivide, a, b).ints == [-3, -3, nil])
        #expect(try run(.modulo, a, b).ints == [-1, 1, nil])
        #expect(try run(.modulo, Columns.ints([.min]), Columns.ints([-1])).ints == [0])
    }

    @Test func `an integer overflow is an error that names the operands`() {
        do {
            _ = try run(.add, Columns.ints([1, .max]), Columns.ints([1]))
            Issue.record("no error")
        } catch {
            #expect(error.code == .outOfRange)
            #expect(error.message.contains("9223372036854775807 + 1"))
        }
        #expect(
            errorCode { () throws(MartletError) in try run(.integerDivide, Columns.ints([.min]), Columns.ints([-1])) }
                == .outOfRange)
        #expect(
            errorCode { () throws(MartletError) in try run(.subtract, Columns.uints([1]), Columns.uints([2])) }
                == .outOfRange)
        #expect(errorCode { () throws(MartletError) in try ColumnKernels.negate(Columns.ints([.min])) } == .outOfRange)
    }

    @Test func `an overflow in a NULL's slot is nothing`() throws {
        let a = Column(
            type: .int64, count: 2, nullCount: 1, validity: Buffer([UInt8(0b10)]), values: Buffer([Int64.max, 1]))
        #expect(try run(.add, a, Columns.ints([1])).ints == [nil, 2])
    }

    @Test func `BIGINT with UBIGINT is exact`() throws {
        #expect(try run(.subtract, Columns.uints([1 << 63]), Columns.ints([1])).ints == [.max])
        #expect(
            errorCode { () throws(MartletError) in try run(.subtract, Columns.uints([.max]), Columns.ints([0])) }
                == .outOfRange)
        #expect(try run(.add, Columns.uints([5]), Columns.ints([-7])).ints == [-2])
    }

    @Test func `timestamps move by intervals, months clamped to the end of the month`() throws {
        let times = Columns.times(["2024-01-31 12:00:00", "2023-12-31", nil])
        let months = Columns.intervals([Interval(months: 1)])
        #expect(try run(.add, times, months).times == ["2024-02-29 12:00:00", "2024-01-31 00:00:00", nil])
        #expect(
            try run(.subtract, Columns.times(["2024-03-31"]), months).times == ["2024-02-29 00:00:00"])
    }

    @Test func `the difference of timestamps is in days and the rest`() throws {
        let difference = try run(
            .subtract, Columns.times(["2024-03-31 01:00:00"]), Columns.times(["2024-01-01 02:00:00"]))
        #expect(difference.times == ["89 days 23:00:00"])
    }

    @Test func `a timestamp that leaves its range is an error`() {
        let end = Columns.make(.timestamp, [.timestamp(.max)])
        #expect(
            errorCode { () throws(MartletError) in try run(.add, end, Columns.intervals([Interval(nanoseconds: 1)])) }
                == .outOfRange)
    }

    @Test func `an interval scales with its fractions handed down`() throws {
        let month = Columns.intervals([Interval(months: 1)])
        #expect(try run(.multiply, month, Columns.floats([1.5])).times == ["1 month 15 days"])
        #expect(try run(.divide, Columns.intervals([Interval(days: 1)]), Columns.ints([2])).times == ["12:00:00"])
        #expect(try run(.divide, month, Columns.ints([0])).times == [nil])
    }

    @Test func `operators that are not defined on the types are refused`() {
        #expect(
            errorCode { () throws(MartletError) in try run(.add, Columns.texts(["a"]), Columns.ints([1])) } == .semantic
        )
        #expect(
            errorCode { () throws(MartletError) in try ArithmeticOperator.modulo.resultType(.interval, .int64) }
                == .semantic)
    }
}
