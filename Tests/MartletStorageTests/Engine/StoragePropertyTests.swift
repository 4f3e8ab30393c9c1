import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Random histories of appends, erasures, seals, merges and reopenings against a dictionary.
@Suite struct StoragePropertyTests {
    @Test(arguments: 0..<10)
    func aScanDeliversWhatTheModelHolds(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var options = TestDatabase.plain
        options.hotSegmentLayers = Int.random(in: 2...9, using: &random)
        let database = try TestDatabase(options)
        var model = StorageModel()
        for step in 0..<50 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<12:
                let batches = (0..<Int.random(in: 1...2, using: &random)).map { _ in
                    (["cpu", "net"].randomElement(using: &random)!, Self.rows(&random))
                }
                for (table, rows) in batches { model.append(table, rows) }
                let outcome = try database.namespace.append(try batches.map { try TableBatch($0.0, $0.1) })
                #expect(outcome.rejected.isEmpty, "seed \(seed), step \(step)")
            case 12..<14:
                let time = Self.time(&random)
                let series = Self.predicate(&random)
                guard try database.namespace.snapshot().schema(of: "cpu") != nil else { break }
                let expected = try model.delete("cpu", time, series)
                let count = try database.namespace.delete(from: "cpu", time: time, series: series)
                #expect(count == expected, "seed \(seed), step \(step)")
            case 14: try database.namespace.compact()
            case 15..<17: try database.reopen()
            default: try #require(try database.namespace as? NamespaceStore).maintain()
            }
            if step % 2 == 0 { try Self.compare(database, model, &random, "seed \(seed), step \(step)") }
        }
    }

    private static func compare(
        _ database: TestDatabase, _ model: StorageModel, _ random: inout SeededGenerator, _ place: String
    ) throws {
        let reader = try TestReader(database.namespace)
        let table = ["cpu", "net"].randomElement(using: &random)!
        guard let schema = reader.snapshot.schema(of: table) else {
            #expect(try model.rows(table).isEmpty, "\(place)")
            return
        }
        let fields = schema.fields.map(\.name)
        let all = try reader.rows(ScanRequest(table: table, fields: fields))
        #expect(Set(all) == (try model.rows(table)), "all of \(table), \(place)")
        #expect(all.count == Set(all).count, "\(place)")
        let request = ScanRequest(
            table: table, fields: fields, time: time(&random), series: predicate(&random),
            newestFirst: Bool.random(using: &random))
        let some = try reader.rows(request)
        #expect(Set(some) == (try model.rows(table, request.time, request.series)), "some of \(table), \(place)")
        var newest: [[String: String]: TestRow] = [:]
        for row in all where row.time >= newest[row.tags]?.time ?? .min { newest[row.tags] = row }
        #expect(Set(try reader.latest(table)) == Set(newest.values), "latest of \(table), \(place)")
    }

    private static func time(_ random: inout SeededGenerator) -> TimeRange {
        if Bool.random(using: &random) { return .all }
        let start = Int64.random(in: -10...300, using: &random)
        return TimeRange(start, start + Int64.random(in: 0...200, using: &random))
    }

    private static func predicate(_ random: inout SeededGenerator) -> TagPredicate {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .equals("host", "h\(Int.random(in: 0..<6, using: &random))")
        case 1: .not(.present("dc"))
        default: .all
        }
    }

    private static func rows(_ random: inout SeededGenerator) -> [TestRow] {
        let start = Int64.random(in: 0...250, using: &random)
        let isOrdered = Bool.random(using: &random)
        return (0..<Int.random(in: 1...60, using: &random)).map { index in
            var tags = ["host": "h\(Int.random(in: 0..<6, using: &random))"]
            if Int.random(in: 0..<3, using: &random) == 0 { tags["dc"] = "east" }
            var fields: [String: FieldValue] = [:]
            if Bool.random(using: &random) { fields["load"] = .float64(Double(Int.random(in: 0...99, using: &random))) }
            if Bool.random(using: &random) { fields["used"] = .int64(Int64.random(in: 0...1 << 40, using: &random)) }
            if Int.random(in: 0..<4, using: &random) == 0 { fields["up"] = .bool(Bool.random(using: &random)) }
            if Int.random(in: 0..<4, using: &random) == 0 {
                fields["note"] = .string("n\(Int.random(in: 0..<5, using: &random))")
            }
            if fields.isEmpty { fields["used"] = .int64(1) }
            return TestRow(
                tags, isOrdered ? start + Int64(index) : start + Int64.random(in: 0...60, using: &random), fields)
        }
    }
}
