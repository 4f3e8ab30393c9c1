import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Random series of a few tables, with tags that some lack.
func randomTagSets(count: Int, using generator: inout SeededGenerator) throws -> [TagSet] {
    var seen: Set<TagSet> = []
    var result: [TagSet] = []
    while result.count < count {
        var tags: [(String, String)] = [("id", "n\(Int.random(in: 0..<count * 2, using: &generator))")]
        if Bool.random(using: &generator) { tags.append(("host", "h\(Int.random(in: 0..<50, using: &generator))")) }
        if Int.random(in: 0..<10, using: &generator) > 0 {
            tags.append(("region", ["eu", "us", "ap"].randomElement(using: &generator)!))
        }
        if Int.random(in: 0..<100, using: &generator) == 0 { tags.append(("rare", "é✓")) }
        let set = try TagSet(tags)
        if seen.insert(set).inserted { result.append(set) }
    }
    return result
}

/// A random predicate over the tags of `randomTagSets`.
func randomPredicate(depth: Int, using generator: inout SeededGenerator) -> TagPredicate {
    let key = ["id", "host", "region", "rare", "missing"].randomElement(using: &generator)!
    let number = Int.random(in: 0..<60, using: &generator)
    let values = ["n\(number)", "h\(number)", "eu", "us", "é✓", "nowhere"]
    switch Int.random(in: 0..<(depth == 0 ? 6 : 9), using: &generator) {
    case 0: return .all
    case 1: return .none
    case 2: return .equals(key, values.randomElement(using: &generator)!)
    case 3: return .isOneOf(key, Array(values.shuffled(using: &generator).prefix(3)))
    case 4: return .present(key)
    case 5:
        let suffix = "\(number % 10)"
        let acceptsAbsent = Bool.random(using: &generator)
        return .satisfies(key) { $0.map { $0.hasSuffix(suffix) } ?? acceptsAbsent }
    case 6: return .not(randomPredicate(depth: depth - 1, using: &generator))
    case 7:
        return .and(
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                randomPredicate(depth: depth - 1, using: &generator)
            })
    default:
        return .or(
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                randomPredicate(depth: depth - 1, using: &generator)
            })
    }
}

@Suite struct TagIndexTests {
    @Test(arguments: 0..<6) func `random predicates agree with evaluation set by set`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let sets = try randomTagSets(count: 700, using: &generator)
        var index = TagIndex(seed: 5)
        for (id, set) in sets.enumerated() {
            try set.canonicalBytes.withRawBytes { (bytes) throws(MartletError) in
                try index.add(series: UInt32(id), table: UInt32(id % 3), tags: bytes)
            }
        }
        for _ in 0..<150 {
            let predicate = randomPredicate(depth: 3, using: &generator)
            let table = Int.random(in: 0..<4, using: &generator)
            let expected = sets.indices.filter { $0 % 3 == table && predicate.holds(for: sets[$0]) }
            let found = try index.evaluate(predicate, table: UInt32(table))
            #expect(found.ids == expected.map(UInt32.init), "seed \(seed): \(predicate)")
        }
    }

    @Test func `keys and values are enumerated with their series counts`() throws {
        var index = TagIndex(seed: 6)
        for id in 0..<2_000 {
            let set = try TagSet([("host", "h\(id % 10)"), ("unique", "u\(id)")])
            try set.canonicalBytes.withRawBytes { (bytes) throws(MartletError) in
                try index.add(series: UInt32(id), table: 2, tags: bytes)
            }
        }
        #expect(index.tagKeys(of: 2) == ["host", "unique"])
        #expect(index.tagKeys(of: 1).isEmpty && index.tagKeys(of: 7).isEmpty)
        #expect(
            index.tagValues(of: "host", in: 2) == (0..<10).map { TagValueCount(value: "h\($0)", seriesCount: 200) })
        #expect(index.tagValues(of: "unique", in: 2).count == 2_000)
        #expect(index.tagValues(of: "nope", in: 2).isEmpty)
    }

    @Test func `a closure runs once for each distinct value and once for absence`() throws {
        var index = TagIndex(seed: 7)
        for id in 0..<1_000 {
            let set = try TagSet(id % 2 == 0 ? [("host", "h\(id % 8)")] : [("other", "x")])
            try set.canonicalBytes.withRawBytes { (bytes) throws(MartletError) in
                try index.add(series: UInt32(id), table: 0, tags: bytes)
            }
        }
        nonisolated(unsafe) var seen: [String?] = []
        let found = try index.evaluate(
            .satisfies("host") {
                seen.append($0)
                return $0 == nil || $0 == "h2"
            }, table: 0)
        #expect(Set(seen) == [nil, "h0", "h2", "h4", "h6"])
        #expect(seen.count == 5)
        #expect(found.count == 625)
    }

    @Test func `malformed tag bytes are refused and leave nothing behind`() {
        var index = TagIndex(seed: 8)
        for bytes: [UInt8] in [[5], [1, 0x61], [1, 0x61, 4, 0x62], [0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            #expect(throws: MartletError.self) {
                try bytes.withRawBytes { (bytes) throws(MartletError) in
                    try index.add(series: 0, table: 0, tags: bytes)
                }
            }
        }
        #expect(index.tagKeys(of: 0).isEmpty)
    }

    @Test func `a reader of the registry sees only the series below its limit`() throws {
        let registry = SeriesRegistry()
        for id in 0..<100 {
            let tags = try TagSet([("host", "h\(id % 4)")]).canonicalBytes + [1, 0x7a, 3] + Array("\(id + 100)".utf8)
            try registry.withState { (state: inout SeriesRegistry.State) throws(MartletError) in
                try tags.withRawBytes { (bytes) throws(MartletError) in
                    #expect(try state.insert(table: 0, tags: bytes) == (UInt32(id), true))
                    #expect(try state.insert(table: 0, tags: bytes) == (UInt32(id), false))
                }
            }
        }
        let predicate = TagPredicate.satisfies("host") { $0 == "h1" }
        #expect(try registry.evaluate(predicate, table: 0, limit: 10).ids == [1, 5, 9])
        #expect(try registry.evaluate(.not(predicate), table: 0, limit: 3).ids == [0, 2])
        #expect(try registry.evaluate(.satisfies("nope") { $0 == nil }, table: 0, limit: 100).count == 100)
    }
}
