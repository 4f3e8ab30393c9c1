import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

@Suite("Blocks keep every bit")
struct RoundTripTests {
    private func check(_ column: Column, _ effort: Effort, _ what: @autoclosure () -> String) throws {
        let bytes = try ColumnSamples.encoded(column, effort)
        #expect(try bytes.withUnsafeBytes { try BlockCodec.rowCount($0) } == column.count)
        let back = try ColumnSamples.decoded(bytes)
        if let difference = ColumnSamples.difference(column, back) {
            Issue.record("\(what()) at effort \(effort): \(difference)")
        }
    }

    @Test("integers of every shape and length", arguments: Effort.allCases)
    func integers(effort: Effort) throws {
        for (name, make) in ColumnSamples.integerShapes {
            for length in ColumnSamples.lengths {
                var generator = SeededGenerator(seed: 11)
                let values = make(length, &generator)
                let none = Array(repeating: false, count: length)
                let type: ColumnType = [.int64, .uint64, .timestamp][length % 3]
                try check(
                    ColumnSamples.column(type, values: values, nulls: none), effort,
                    "\(length) \(type) '\(name)', seed 11")
            }
        }
    }

    @Test("floats of every shape and length", arguments: Effort.allCases)
    func floats(effort: Effort) throws {
        for (name, make) in ColumnSamples.floatShapes {
            for length in ColumnSamples.lengths {
                var generator = SeededGenerator(seed: 12)
                let column = Column(.float64, unsafeElements: make(length, &generator))
                try check(column, effort, "\(length) doubles '\(name)', seed 12")
            }
        }
    }

    @Test("bools of every shape and length", arguments: Effort.allCases)
    func bools(effort: Effort) throws {
        for (name, make) in ColumnSamples.boolShapes {
            for length in ColumnSamples.lengths {
                var generator = SeededGenerator(seed: 13)
                let values = make(length, &generator)
                let none = Array(repeating: false, count: length)
                let column = ColumnSamples.column(.bool, length, none) { .bool(values[$0]) }
                try check(column, effort, "\(length) bools '\(name)', seed 13")
            }
        }
    }

    @Test("strings of every shape and length, plain and with a dictionary", arguments: Effort.allCases)
    func strings(effort: Effort) throws {
        for (name, make) in ColumnSamples.stringShapes {
            for length in ColumnSamples.lengths where length <= 2048 {
                var generator = SeededGenerator(seed: 14)
                let values = make(length, &generator)
                let none = Array(repeating: false, count: length)
                let column = ColumnSamples.column(.string, length, none) { .string(values[$0]) }
                try check(column, effort, "\(length) strings '\(name)', seed 14")
                try check(
                    ColumnSamples.dictionaryEncoded(column), effort, "\(length) dictionary strings '\(name)', seed 14")
            }
        }
    }

    @Test("nulls of every shape in every type", arguments: Effort.allCases)
    func nulls(effort: Effort) throws {
        for (name, make) in ColumnSamples.nullShapes {
            for length in [1, 9, 1025, 3000] {
                var generator = SeededGenerator(seed: 15)
                let nulls = make(length, &generator)
                for column in try ColumnSamples.oneOfEachType(length, nulls, &generator) {
                    try check(column, effort, "\(length) \(column.type) with nulls '\(name)', seed 15")
                }
            }
        }
    }

    @Test("a full block of 65,536 rows of each type", arguments: Effort.allCases)
    func fullBlocks(effort: Effort) throws {
        var generator = SeededGenerator(seed: 16)
        let none = Array(repeating: false, count: 65_536)
        for column in try ColumnSamples.oneOfEachType(65_536, none, &generator) {
            try check(column, effort, "65536 \(column.type), seed 16")
        }
    }

    @Test("decoding a range of rows gives that slice", arguments: Effort.allCases)
    func slices(effort: Effort) throws {
        var generator = SeededGenerator(seed: 17)
        let length = 5000
        for (name, make) in ColumnSamples.nullShapes {
            let nulls = make(length, &generator)
            for column in try ColumnSamples.oneOfEachType(length, nulls, &generator) {
                let bytes = try ColumnSamples.encoded(column, effort)
                for rows in [0..<0, 0..<1, 1023..<1025, 1024..<2048, 4999..<5000, 777..<4321, 0..<5000, 5000..<5000] {
                    let back = try ColumnSamples.decoded(bytes, rows: rows)
                    if let difference = ColumnSamples.difference(ColumnSamples.slice(column, rows), back) {
                        Issue.record("\(column.type), nulls '\(name)', rows \(rows), \(effort), seed 17: \(difference)")
                    }
                }
            }
        }
    }

    @Test("slices of every numeric shape", arguments: Effort.allCases)
    func numericSlices(effort: Effort) throws {
        let length = 3100
        let none = Array(repeating: false, count: length)
        var columns: [(String, Column)] = []
        for (name, make) in ColumnSamples.integerShapes {
            var generator = SeededGenerator(seed: 18)
            columns.append((name, ColumnSamples.column(.int64, values: make(length, &generator), nulls: none)))
        }
        for (name, make) in ColumnSamples.floatShapes {
            var generator = SeededGenerator(seed: 18)
            columns.append((name, Column(.float64, unsafeElements: make(length, &generator))))
        }
        for (name, column) in columns {
            let bytes = try ColumnSamples.encoded(column, effort)
            for rows in [5..<6, 1000..<1100, 1024..<3072, 2047..<3100, 3099..<3100] {
                let back = try ColumnSamples.decoded(bytes, rows: rows)
                if let difference = ColumnSamples.difference(ColumnSamples.slice(column, rows), back) {
                    Issue.record("\(column.type) '\(name)', rows \(rows), \(effort), seed 18: \(difference)")
                }
            }
        }
    }

    @Test("dictionary entries without a row are left out, the others keep their order")
    func dictionaryCompaction() throws {
        let column = Column(indices: [4, 1, 4], dictionary: StringDictionary(["a", "b", "c", "d", "e"]))
        let back = try ColumnSamples.decoded(try ColumnSamples.encoded(column, .hot))
        #expect(back.dictionary?.strings == ["b", "e"])
        #expect(ColumnSamples.difference(column, back) == nil)
    }

    @Test("rows that the block has not are refused")
    func rowsOutOfRange() throws {
        let bytes = try ColumnSamples.encoded(Column(.int64, unsafeElements: [Int64(1), 2, 3]), .hot)
        #expect(throws: MartletError.self) { try ColumnSamples.decoded(bytes, rows: 1..<4) }
    }

    @Test("more than 65,536 rows are refused")
    func tooManyRows() throws {
        let column = Column(.int64, unsafeElements: [Int64](repeating: 0, count: 65_537))
        #expect(throws: MartletError.self) { try ColumnSamples.encoded(column, .hot) }
    }
}

extension ColumnSamples {
    /// A lively column of each storable type, strings in both forms.
    static func oneOfEachType(
        _ length: Int, _ nulls: [Bool], _ generator: inout SeededGenerator
    ) throws -> [Column] {
        let integers = integerShapes.first { $0.name == "counter" }!.make(length, &generator)
        let floats = floatShapes.first { $0.name == "decimals with exceptions" }!.make(length, &generator)
        let bools = boolShapes.first { $0.name == "biased" }!.make(length, &generator)
        let strings = stringShapes.first { $0.name == "states" }!.make(length, &generator)
        let text = column(.string, length, nulls) { .string(strings[$0]) }
        return [
            column(.int64, values: integers, nulls: nulls),
            column(.uint64, values: integers, nulls: nulls),
            column(.timestamp, values: integers, nulls: nulls),
            column(.float64, length, nulls) { .float64(floats[$0]) },
            column(.bool, length, nulls) { .bool(bools[$0]) },
            text,
            dictionaryEncoded(text),
        ]
    }
}
