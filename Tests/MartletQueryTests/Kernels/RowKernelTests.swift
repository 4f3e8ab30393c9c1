import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct RowKernelTests {
    @Test(arguments: ColumnType.allCases)
    func `filter, take, slice and concat give the rows they name`(_ type: ColumnType) throws {
        for seed in 0..<40 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 1..<150, using: &generator)
            let column = Columns.random(type, count: count, using: &generator)
            let list = column.list
            let indices = (0..<Int.random(in: 0..<100, using: &generator)).map { _ in
                Int32.random(in: -1..<Int32(count), using: &generator)
            }
            let taken = ColumnKernels.take(column, indices)
            #expect(same(taken.list, indices.map { $0 < 0 ? nil : list[Int($0)] }), "seed \(seed)")
            let kept = indices.filter { $0 >= 0 }
            #expect(same(ColumnKernels.filter(column, kept).list, kept.map { list[Int($0)] }), "seed \(seed)")
            let low = Int.random(in: 0...count, using: &generator)
            let high = Int.random(in: low...count, using: &generator)
            let slice = ColumnKernels.slice(column, low..<high)
            #expect(same(slice.list, Array(list[low..<high])), "seed \(seed)")
            let other = Columns.random(type, count: 37, using: &generator)
            let joined = try ColumnKernels.concat([slice, other, column], type: type)
            #expect(same(joined.list, slice.list + other.list + list), "seed \(seed)")
            #expect(joined.nullCount == joined.list.filter { $0 == nil }.count, "seed \(seed)")
        }
    }

    @Test func `a selection lists the rows that are true, not those that are NULL`() {
        var values: [Bool?] = []
        for row in 0..<200 { values.append(row % 3 == 0 ? nil : row % 2 == 0) }
        let expected = (0..<200).filter { values[$0] == true }.map { Int32($0) }
        #expect(ColumnKernels.selectedRows(Columns.bools(values)) == expected)
        #expect(ColumnKernels.selectedRows(ColumnKernels.not(Columns.bools([nil, false]))) == [1])
    }

    @Test func `dictionaries are unified when they meet`() throws {
        let joined = try ColumnKernels.concat(
            [Columns.dictionary(["a", "b"]), Columns.dictionary(["b", "c", nil]), .nulls(.string, count: 1)],
            type: .string)
        #expect(joined.dictionary?.strings == ["a", "b", "c"])
        #expect(joined.texts == ["a", "b", "b", "c", nil, nil])
    }

    @Test func `CASE takes the first branch that is true`() throws {
        let result = try ColumnKernels.select(
            [
                (condition: Columns.bools([true, nil, false, false]), value: Columns.texts(["x"])),
                (condition: Columns.bools([true, true, false, true]), value: Columns.texts(["p", "q", "r", nil])),
            ], otherwise: nil, type: .string, rowCount: 4)
        #expect(result.texts == ["x", "q", nil, nil])
    }

    @Test func `COALESCE takes the first value that is there`() throws {
        let result = try ColumnKernels.coalesce(
            [Columns.ints([nil, 1, nil]), Columns.ints([nil, nil, 2]), Columns.ints([9])], type: .int64, rowCount: 3)
        #expect(result.ints == [9, 1, 2])
    }

    @Test func `parts computed on some of the rows come together`() throws {
        let result = try ColumnKernels.scatter(
            [(column: Columns.ints([1, 2]), rows: [3, 0]), (column: Columns.ints([7]), rows: [2])], type: .int64,
            rowCount: 4)
        #expect(result.ints == [2, nil, 7, 1])
    }

    @Test func `a constant fills a column of any type`() throws {
        for value: FieldValue in [
            .int64(-1), .uint64(.max), .float64(1.5), .bool(true), .string("é"), .timestamp(.max),
            .interval(Interval(months: 2, days: 1, nanoseconds: 3)),
        ] {
            let column = try ColumnKernels.constant(value, type: value.type, count: 67)
            #expect(column.list == [FieldValue?](repeating: value, count: 67))
        }
        #expect(try ColumnKernels.constant(nil, type: .string, count: 2).list == [nil, nil])
    }
}

/// Equality where NaN equals NaN.
func same(_ a: [FieldValue?], _ b: [FieldValue?]) -> Bool {
    a.count == b.count
        && zip(a, b).allSatisfy { x, y in
            if case .float64(let p)? = x, case .float64(let q)? = y { return p.bitPattern == q.bitPattern }
            return x == y
        }
}
