import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// A million series: run by hand in release mode with `MARTLET_SCALE=1000000`; a small number otherwise.
@Suite struct SeriesScaleTests {
    private static let count = ProcessInfo.processInfo.environment["MARTLET_SCALE"].flatMap(Int.init) ?? 5_000

    /// The ten tags of the TSBS devops host, in canonical order.
    private static func tags(_ index: Int) throws(MartletError) -> [UInt8] {
        let region = ["us-east-1", "us-west-1", "eu-west-1", "eu-central-1", "ap-southeast-1"][index % 5]
        return try TagSet([
            ("arch", index % 2 == 0 ? "x64" : "x86"), ("datacenter", region + ["a", "b", "c"][index / 5 % 3]),
            ("hostname", "host_\(index)"), ("os", ["Ubuntu16.04LTS", "Ubuntu15.10", "Ubuntu16.10"][index % 3]),
            ("rack", "\(index * 7 % 100)"), ("region", region), ("service", "\(index * 11 % 20)"),
            ("service_environment", ["production", "staging", "test"][index % 3]), ("service_version", "\(index % 2)"),
            ("team", ["NYC", "LON", "SF", "CHI"][index % 4]),
        ]).canonicalBytes
    }

    private func timed<Result>(
        _ what: String, per count: Int, _ body: () throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds()
        let result = try body()
        let elapsed = clock.monotonicNanoseconds() - start
        if ProcessInfo.processInfo.environment["MARTLET_SCALE"] != nil {
            print("\(what): \(elapsed / 1_000_000) ms, \(elapsed / Int64(count)) ns each")
        }
        return result
    }

    @Test func `many series are registered, found, selected, stored and read back within bounded memory`() throws {
        let count = Self.count
        var keys: [[UInt8]] = []
        keys.reserveCapacity(count)
        for index in 0..<count { keys.append(try Self.tags(index)) }
        let registry = SeriesRegistry()
        for round in ["register", "find"] {
            try timed(round, per: count) { () throws(MartletError) in
                try registry.withState { state throws(MartletError) in
                    for (index, key) in keys.enumerated() {
                        let (id, isNew) = try key.withRawBytes { bytes throws(MartletError) in
                            try state.insert(table: 0, tags: bytes)
                        }
                        guard id == UInt32(index), isNew == (round == "register") else {
                            throw MartletError(.internal, "series \(index) got the id \(id)")
                        }
                    }
                }
            }
        }
        #expect(registry.memoryFootprint / count < 400, "\(registry.memoryFootprint / count) bytes a series")

        let predicates: [(String, TagPredicate, Int)] = [
            ("hostname = one", .equals("hostname", "host_\(count / 2)"), 1),
            ("region = eu-west-1", .equals("region", "eu-west-1"), (count + 2) / 5),
            ("not region and team", .and([.not(.equals("region", "us-east-1")), .equals("team", "SF")]), count / 5),
            ("hostname ends in 7", .satisfies("hostname") { $0?.utf8.last == 0x37 }, count / 10),
        ]
        for (name, predicate, expected) in predicates {
            let found = try timed("select \(name)", per: 1) { () throws(MartletError) in
                try registry.evaluate(predicate, table: 0, limit: UInt32(count))
            }
            #expect(found.count == expected, "\(name)")
        }

        let sorted = keys.sorted { $0.lexicographicallyPrecedes($1) }
        var arena = MutableBuffer(capacity: count * 160)
        var offsets = [0]
        for key in sorted {
            key.withUnsafeBytes { arena.append($0) }
            offsets.append(arena.byteCount)
        }
        let bytes = arena.finish()
        var section = MutableBuffer(capacity: 0)
        try timed("store", per: count) { () throws(MartletError) in
            try SeriesSection.encode(count: count, effort: .cold, into: &section) { row in
                (0, UnsafeRawBufferPointer(rebasing: bytes.bytes[offsets[row]..<offsets[row + 1]]))
            }
        }
        let stored = section.finish()
        var read = 0
        try timed("read", per: count) { () throws(MartletError) in
            try SeriesSectionReader(stored.bytes).forEach { row, _, tags throws(MartletError) in
                if tags.count == offsets[row + 1] - offsets[row] { read += 1 }
            }
        }
        #expect(read == count)
        if ProcessInfo.processInfo.environment["MARTLET_SCALE"] != nil {
            print("key \(bytes.byteCount / count) B, memory \(registry.memoryFootprint / count) B a series,")
            print("stored \(Double(stored.byteCount) / Double(count)) B a series")
        }
        withExtendedLifetime((bytes, stored)) {}
    }
}
