import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct ComparisonTests {
    private func run(_ op: ComparisonOperator, _ a: Column, _ b: Column) throws(MartletError) -> [Bool?] {
        try ColumnKernels.compare(op, a, b, rowCount: max(a.count, b.count)).bools
    }

    @Test func `NaN equals itself and is greater than everything, minus zero equals zero`() throws {
        let a = Columns.floats([.nan, .nan, -0.0, 1, .infinity])
        let b = Columns.floats([.nan, .infinity, 0, .nan, .nan])
        #expect(try run(.equal, a, b) == [true, false, true, false, false])
        #expect(try run(.greater, a, b) == [false, true, false, false, false])
        #expect(try run(.less, a, b) == [false, false, false, true, true])
        #expect(try run(.lessOrEqual, a, b) == [true, false, true, true, true])
    }

    @Test func `BIGINT and UBIGINT compare exactly`() throws {
        #expect(try run(.less, Columns.ints([-1, .max]), Columns.uints([0, .max])) == [true, true])
        #expect(try run(.equal, Columns.uints([.max]), Columns.ints([-1])) == [false])
    }

    @Test func `dictionary-encoded and plain text compare alike`() throws {
        let words: [String?] = ["b", "a", nil, "b", "", "é"]
        for op in ComparisonOperator.allCases {
            let plain = try run(op, Columns.texts(words), Columns.texts(["b"]))
            #expect(try run(op, Columns.dictionary(words, extra: ["x"]), Columns.texts(["b"])) == plain)
            #expect(try run(op.swapped, Columns.texts(["b"]), Columns.dictionary(words)) == plain)
        }
    }

    @Test func `text is converted to the other side's type`() throws {
        #expect(try run(.equal, Columns.ints([1, 2]), Columns.texts(["2"])) == [false, true])
        #expect(
            errorCode { () throws(MartletError) in try run(.equal, Columns.ints([1]), Columns.texts(["x"])) }
                == .invalidArgument)
        #expect(
            errorCode { () throws(MartletError) in try run(.equal, Columns.ints([1]), Columns.times(["2024-01-01"])) }
                == .semantic)
    }

    @Test func `a month is as long as thirty days`() throws {
        let month = Columns.intervals([Interval(months: 1)])
        #expect(try run(.equal, month, Columns.intervals([Interval(days: 30)])) == [true])
        #expect(try run(.greater, month, Columns.intervals([Interval(days: 29)])) == [true])
    }

    @Test func `AND and OR follow three-valued logic even where a NULL's slot holds ones`() {
        let values: [Bool?] = [true, true, true, false, false, false, nil, nil, nil]
        let others: [Bool?] = [true, false, nil, true, false, nil, true, false, nil]
        let a = ColumnKernels.not(Columns.bools(values.map { $0.map { !$0 } }))
        let b = Columns.bools(others)
        #expect(ColumnKernels.and(a, b, rowCount: 9).bools == [true, false, nil, false, false, false, nil, false, nil])
        #expect(ColumnKernels.or(a, b, rowCount: 9).bools == [true, true, true, true, false, nil, true, nil, nil])
        #expect(ColumnKernels.isNull(a).bools == values.map { $0 == nil })
    }

    @Test func `IS DISTINCT FROM never gives NULL`() throws {
        let a = Columns.ints([1, 1, nil, nil])
        let b = Columns.ints([1, 2, 1, nil])
        #expect(try ColumnKernels.isDistinct(a, b, rowCount: 4).bools == [false, true, true, false])
    }

    @Test func `IN gives NULL when nothing is found and the list has a NULL`() throws {
        let column = Columns.ints([1, 3, nil])
        #expect(try ColumnKernels.isIn(column, Columns.ints([1, 2]), rowCount: 3).bools == [true, false, nil])
        #expect(try ColumnKernels.isIn(column, Columns.ints([1, nil]), rowCount: 3).bools == [true, nil, nil])
        let many = Columns.ints((10..<40).map { $0 } + [3])
        #expect(try ColumnKernels.isIn(column, many, rowCount: 3).bools == [false, true, nil])
        let words = Columns.dictionary(["a", "b", nil])
        #expect(try ColumnKernels.isIn(words, Columns.texts(["b", "c"]), rowCount: 3).bools == [false, true, nil])
        #expect(
            try ColumnKernels.isIn(Columns.uints([.max, 1]), Columns.ints([1, -1]), rowCount: 2).bools == [false, true])
    }

    @Test(arguments: ColumnType.allCases)
    func `sorting, matching and hashing agree with comparing`(_ type: ColumnType) throws {
        for seed in 0..<40 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 1..<70, using: &generator)
            let a = Columns.random(type, count: count, using: &generator)
            let b = Columns.random(.int64, count: count, using: &generator)
            let directions = [
                SortDirection(descending: .random(using: &generator), nullsFirst: .random(using: &generator)),
                SortDirection(descending: .random(using: &generator), nullsFirst: .random(using: &generator)),
            ]
            let rows = ColumnKernels.sortedRows([a, b], directions, rowCount: count)
            let ordering = RowOrdering([a, b], [a, b], directions)
            let expected = (0..<Int32(count)).sorted { x, y in
                let order = ordering.compare(Int(x), Int(y))
                return order != 0 ? order < 0 : x < y
            }
            #expect(rows == expected, "seed \(seed)")
            let hashes = ColumnKernels.hashRows([a, b], rowCount: count)
            let matcher = RowMatcher([a, b], [a, b], nullsEqual: true)
            let equal = try ColumnKernels.isDistinct(a, ColumnKernels.slice(a, 0..<1), rowCount: count)
            for row in 0..<count {
                let other = Int.random(in: 0..<count, using: &generator)
                let same = ordering.compare(row, other) == 0
                #expect(matcher.equal(row, other) == same, "seed \(seed)")
                if same { #expect(hashes[row] == hashes[other], "seed \(seed)") }
                let first = RowOrdering([a], [a], [directions[0]]).compare(row, 0) == 0
                #expect(equal.bools[row] == !first, "seed \(seed)")
            }
        }
    }
}
