import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

@Suite("Statistics and aggregates over blocks")
struct StatisticsTests {
    @Test("statistics of integers with nulls name every figure")
    func integers() throws {
        let column = try Column(.int64, [nil, .int64(5), .int64(-3), nil, .int64(9)])
        let found = ColumnStatistics.of(column, rows: 0..<5)
        #expect(
            found
                == ColumnStatistics(
                    count: 5, nullCount: 2, min: .int64(-3), max: .int64(9), sum: .int64(11), first: .int64(5),
                    last: .int64(9)))
    }

    @Test("a sum of integers that overflows is absent, and one that comes back is exact")
    func overflow() {
        let high = Column(.int64, unsafeElements: [Int64.max, 1, 5])
        #expect(ColumnStatistics.of(high, rows: 0..<3).sum == nil)
        let back = Column(.int64, unsafeElements: [Int64.max, 1, -1])
        #expect(ColumnStatistics.of(back, rows: 0..<3).sum == .int64(.max))
        let unsigned = Column(.uint64, unsafeElements: [UInt64.max, 0])
        #expect(ColumnStatistics.of(unsigned, rows: 0..<2).sum == .uint64(.max))
        #expect(ColumnStatistics.of(unsigned, rows: 0..<2).max == .uint64(.max))
    }

    @Test("NaNs are left out of the extremes and reported")
    func notANumber() {
        for count in [3, 40] {
            var values = [Double](repeating: 2, count: count)
            values[1] = .nan
            values[2] = -7
            let found = ColumnStatistics.of(Column(.float64, unsafeElements: values), rows: 0..<count)
            #expect(found.min == .float64(-7) && found.max == .float64(2) && found.hasNaN)
        }
        let only = ColumnStatistics.of(Column(.float64, unsafeElements: [Double.nan]), rows: 0..<1)
        #expect(only.min == nil && only.max == nil && only.hasNaN)
        let infinite = ColumnStatistics.of(
            Column(.float64, unsafeElements: [Double.infinity, -.infinity]), rows: 0..<2)
        #expect(!infinite.hasNaN && infinite.min == .float64(-.infinity) && infinite.max == .float64(.infinity))
    }

    @Test("statistics of part of the rows see only those")
    func part() {
        let column = Column(.float64, unsafeElements: (0..<100).map { Double($0) })
        let found = ColumnStatistics.of(column, rows: 10..<20)
        #expect(found.sum == .float64(145) && found.first == .float64(10) && found.last == .float64(19))
        #expect(ColumnStatistics.of(column, rows: 5..<5) == ColumnStatistics(count: 0))
    }

    @Test("extremes of strings are those of their bytes, of bools false before true")
    func stringsAndBools() throws {
        let strings = try Column(.string, [.string("b"), nil, .string("ä"), .string("")])
        let text = ColumnStatistics.of(strings, rows: 0..<4)
        #expect(text.min == .string("") && text.max == .string("ä") && text.sum == nil)
        let bools = try Column(.bool, [.bool(true), .bool(false), nil])
        let flags = ColumnStatistics.of(bools, rows: 0..<3)
        #expect(flags.min == .bool(false) && flags.max == .bool(true) && flags.nullCount == 1)
    }

    @Test("an aggregate over a block equals that over its decoded rows", arguments: Effort.allCases)
    func aggregates(effort: Effort) throws {
        let length = 5000
        let none = Array(repeating: false, count: length)
        var columns: [(String, Column)] = []
        for (name, make) in ColumnSamples.integerShapes {
            var generator = SeededGenerator(seed: 51)
            columns.append((name, ColumnSamples.column(.int64, values: make(length, &generator), nulls: none)))
        }
        for (name, make) in ColumnSamples.floatShapes where name != "bits" && name != "specials" {
            var generator = SeededGenerator(seed: 51)
            columns.append((name, Column(.float64, unsafeElements: make(length, &generator))))
        }
        for (name, column) in columns {
            let bytes = try ColumnSamples.encoded(column, effort)
            for rows in [0..<length, 100..<4000, 7..<8, 1024..<3072, 3..<3] {
                let expected = ColumnStatistics.of(column, rows: rows)
                let found = try bytes.withUnsafeBytes { try BlockCodec.aggregate($0, rows: rows) }
                #expect(found.min == expected.min && found.max == expected.max, "'\(name)' \(rows) \(effort), seed 51")
                let sum = try bytes.withUnsafeBytes { try BlockCodec.aggregate($0, rows: rows, of: .sum).sum }
                if case .float64(let a)? = sum, case .float64(let b)? = expected.sum {
                    #expect(a.bitPattern == b.bitPattern || a.isNaN && b.isNaN, "'\(name)' \(rows) \(effort), seed 51")
                } else {
                    #expect(sum == expected.sum, "'\(name)' \(rows) \(effort), seed 51")
                }
            }
        }
    }
}
