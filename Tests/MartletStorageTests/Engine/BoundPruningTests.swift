import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Bounds on fields spare row groups by their statistics and change no answer.
@Suite struct BoundPruningTests {
    @Test func aBlockOutOfBoundsIsNotRead() throws {
        let database = try TestDatabase()
        for commit in 0..<4 {
            try database.append(
                (0..<2000).map { TestRow([:], Int64(commit * 2000 + $0), ["v": .int64(Int64(commit))]) })
        }
        let reader = try TestReader(database.namespace)
        let scan = try reader.snapshot.scan(
            ScanRequest(table: "t", fields: ["v"], bounds: [FieldBound(field: "v", lowerBound: .int64(3))]),
            context: reader.context)
        var rows = 0
        while case .rows(let batch)? = try scan.next() { rows += batch.rowCount }
        #expect(rows == 2000)
        // Three commits of 2,000 rows are spared; of the fourth, time and value are read.
        #expect(scan.statistics.vectorsPruned == 6)
        #expect(scan.statistics.vectorsRead == 4)
    }

    @Test func aNewerRowOutOfBoundsHidesTheOlderOne() throws {
        let database = try TestDatabase()
        try database.append([TestRow([:], 1, ["v": .int64(95)]), TestRow([:], 2, ["v": .int64(97)])])
        try database.append([TestRow([:], 1, ["v": .int64(5)])])
        #expect(try database.matching([FieldBound(field: "v", lowerBound: .int64(90))]).map(\.time) == [2])
    }

    @Test func anOlderRowGivesTheValueThatTheNewerOneLacks() throws {
        let database = try TestDatabase()
        try database.append([TestRow([:], 1, ["v": .int64(95)])])
        try database.append([TestRow([:], 1, ["w": .int64(5)])])
        // Each group alone fails one of the bounds; the row that both make meets them.
        let bounds = [
            FieldBound(field: "v", lowerBound: .int64(90)), FieldBound(field: "w", upperBound: .int64(10)),
        ]
        #expect(
            try database.matching(bounds) == [TestRow([:], 1, ["v": .int64(95), "w": .int64(5)])])
    }

    @Test func aBlockWithNaNIsReadWhateverTheBounds() throws {
        let database = try TestDatabase()
        try database.append([TestRow([:], 1, ["v": .float64(1)]), TestRow([:], 2, ["v": .float64(.nan)])])
        let reader = try TestReader(database.namespace)
        let request = ScanRequest(
            table: "t", fields: ["v"], bounds: [FieldBound(field: "v", lowerBound: .float64(90))])
        #expect(try reader.rows(request).count == 2)
    }

    @Test func aBlockOfAFormerTypeIsReadWhateverTheBounds() throws {
        let database = try TestDatabase()
        try database.append([TestRow([:], 1, ["v": .int64(95)])])
        try database.namespace.changeType(of: "v", in: "t", to: .float64)
        #expect(
            try database.matching([FieldBound(field: "v", lowerBound: .float64(90))])
                == [TestRow([:], 1, ["v": .float64(95)])])
    }

    @Test func aBoundOnAnUnknownFieldIsAnError() throws {
        let database = try TestDatabase()
        try database.append([TestRow([:], 1, ["v": .int64(95)])])
        #expect(throws: MartletError.self) {
            try database.matching([FieldBound(field: "nothing", lowerBound: .int64(1))])
        }
    }

    /// Random histories with duplicates, partial rows, erasures, merges and NaN: the rows within random bounds are the
    /// same with pruning as in a scan of everything.
    @Test(arguments: 0..<16)
    func pruningChangesNoAnswer(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var options = TestDatabase.plain
        options.hotSegmentLayers = Int.random(in: 2...9, using: &random)
        let database = try TestDatabase(options)
        var pruned = 0
        for step in 0..<40 {
            try database.append(Self.rows(&random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                let start = Int64.random(in: 0...200, using: &random)
                _ = try database.namespace.delete(from: "t", time: TimeRange(start, start + 20), series: .all)
            case 1: try database.namespace.compact()
            case 2: try database.reopen()
            case 3..<5: try #require(try database.namespace as? NamespaceStore).maintain()
            default: break
            }
            let reader = try TestReader(database.namespace)
            let fields = try #require(reader.snapshot.schema(of: "t")).fields.map(\.name)
            for _ in 0..<4 {
                let bounds = Self.bounds(&random, fields)
                let time = Bool.random(using: &random) ? TimeRange.all : TimeRange(40, 120)
                let newestFirst = Bool.random(using: &random)
                let whole = ScanRequest(table: "t", fields: fields, time: time, newestFirst: newestFirst)
                var narrow = whole
                narrow.bounds = bounds
                let expected = try reader.rows(whole).filter { $0.meets(bounds) }
                let found = try reader.rows(narrow)
                #expect(
                    found.filter { $0.meets(bounds) }.map(\.key) == expected.map(\.key),
                    "seed \(seed), step \(step), bounds \(bounds)")
                if found.count < (try reader.rows(whole)).count { pruned += 1 }
            }
        }
        #expect(pruned > 0, "no scan of seed \(seed) was spared anything")
    }

    private static func rows(_ random: inout SeededGenerator) -> [TestRow] {
        let level = Int64.random(in: 0...9, using: &random) * 10
        let start = Int64.random(in: 0...150, using: &random)
        return (0..<Int.random(in: 1...40, using: &random)).map { index in
            var fields: [String: FieldValue] = [:]
            let value = level + Int64.random(in: 0...12, using: &random)
            if Bool.random(using: &random) { fields["i"] = .int64(value - 50) }
            if Bool.random(using: &random) {
                let isNaN = Int.random(in: 0..<60, using: &random) == 0
                fields["f"] = .float64(isNaN ? .nan : Double(value) / 4)
            }
            if fields.isEmpty || Bool.random(using: &random) { fields["u"] = .uint64(UInt64(value)) }
            return TestRow(
                ["host": "h\(Int.random(in: 0..<3, using: &random))"], start + Int64(index / 2), fields)
        }
    }

    private static func bounds(_ random: inout SeededGenerator, _ fields: [String]) -> [FieldBound] {
        (0..<Int.random(in: 1...2, using: &random)).map { _ in
            let field = fields.randomElement(using: &random)!
            let level = Int64.random(in: 0...100, using: &random)
            let value: FieldValue =
                switch field {
                case "i": .int64(level - 50)
                case "f": .float64(Double(level) / 4)
                default: .uint64(UInt64(level))
                }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: return FieldBound(field: field, lowerBound: value)
            case 1: return FieldBound(field: field, upperBound: value)
            default: return FieldBound(field: field, lowerBound: value, upperBound: value)
            }
        }
    }
}

extension TestDatabase {
    fileprivate func append(_ rows: [TestRow]) throws {
        let outcome = try namespace.append([try TableBatch("t", rows)])
        #expect(outcome.rejected.isEmpty)
    }

    /// The rows that a query with these conditions would keep.
    fileprivate func matching(_ bounds: [FieldBound]) throws -> [TestRow] {
        let reader = try TestReader(namespace)
        let fields = try #require(reader.snapshot.schema(of: "t")).fields.map(\.name)
        return try reader.rows(ScanRequest(table: "t", fields: fields, bounds: bounds)).filter { $0.meets(bounds) }
    }
}

extension TestRow {
    /// What tells rows apart also where a value is NaN.
    fileprivate var key: String { "\(tags) \(time) \(fields.sorted { $0.key < $1.key })" }

    /// Whether every bound holds, as SQL has it: of NULL none, and NaN is greater than all other values.
    fileprivate func meets(_ bounds: [FieldBound]) -> Bool {
        bounds.allSatisfy { bound in
            guard let value = fields[bound.field] else { return false }
            return bound.lowerBound.map { !value.isLess(than: $0) } ?? true
                && bound.upperBound.map { !$0.isLess(than: value) } ?? true
        }
    }
}

extension FieldValue {
    fileprivate func isLess(than other: FieldValue) -> Bool {
        switch (self, other) {
        case (.int64(let left), .int64(let right)): left < right
        case (.uint64(let left), .uint64(let right)): left < right
        case (.float64(let left), .float64(let right)): left < right || (!left.isNaN && right.isNaN)
        default: false
        }
    }
}
