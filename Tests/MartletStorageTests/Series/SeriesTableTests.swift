import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

@Suite struct SeriesTableTests {
    @Test func `ids are dense, stable and found again`() throws {
        var table = SeriesTable(seed: 1)
        var expected: [(UInt32, [UInt8])] = []
        for index in 0..<20_000 {
            let tags = try TagSet([("host", "host_\(index / 3)"), ("region", "eu-\(index % 7)")]).canonicalBytes
            let scope = UInt32(index % 3)
            let (id, isNew) = tags.withUnsafeBytes { table.insert(table: scope, tags: $0) }
            #expect(isNew && id == UInt32(index))
            expected.append((scope, tags))
        }
        for (id, (scope, tags)) in expected.enumerated() {
            tags.withUnsafeBytes { bytes in
                #expect(table.find(table: scope, tags: bytes) == UInt32(id))
                #expect(table.insert(table: scope, tags: bytes) == (UInt32(id), false))
                #expect(table.find(table: 99, tags: bytes) == nil)
            }
            #expect(Array(table.tags(of: UInt32(id))) == tags)
            #expect(table.table(of: UInt32(id)) == scope)
        }
        #expect(table.count == 20_000)
    }

    @Test func `a series without tags and keys of every length are kept apart`() {
        var table = SeriesTable(seed: 2)
        var bytes: [UInt8] = []
        for length in 0..<300 {
            let (id, isNew) = bytes.withUnsafeBytes { table.insert(table: 0, tags: $0) }
            #expect(isNew && id == UInt32(length))
            bytes.append(0)
        }
        bytes = []
        for length in 0..<300 {
            #expect(bytes.withUnsafeBytes { table.find(table: 0, tags: $0) } == UInt32(length))
            bytes.append(0)
        }
    }

    @Test func `a single changed bit changes the hash about every second output bit`() {
        var generator = SeededGenerator(seed: 3)
        for length in [1, 3, 4, 8, 15, 16, 17, 32, 48, 49, 64, 150, 1_000] {
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var flipped = 0
            let trials = 400
            for _ in 0..<trials {
                let before = bytes.withUnsafeBytes { SeriesHash.hash($0, seed: 7) }
                bytes[Int.random(in: 0..<length, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                let after = bytes.withUnsafeBytes { SeriesHash.hash($0, seed: 7) }
                flipped += (before ^ after).nonzeroBitCount
            }
            let mean = Double(flipped) / Double(trials)
            #expect(mean > 29 && mean < 35, "length \(length): \(mean) bits")
        }
    }

    @Test func `memory per series stays under 400 bytes with keys of 150 bytes, index included`() throws {
        let registry = SeriesRegistry()
        let count = 30_000
        for index in 0..<count {
            let tags = try TagSet([
                ("arch", "x64"), ("datacenter", "eu-central-1\(index % 3)"), ("hostname", "host_\(index)"),
                ("os", "Ubuntu16.04LTS"), ("rack", "\(index % 100)"), ("region", "eu-central-1"),
                ("service", "\(index % 20)"), ("service_environment", "production"),
                ("service_version", "\(index % 2)"), ("team", "CHI"),
            ]).canonicalBytes
            _ = try registry.withState { (state: inout SeriesRegistry.State) throws(MartletError) in
                try tags.withRawBytes { (bytes) throws(MartletError) in try state.insert(table: 0, tags: bytes) }
            }
        }
        #expect(registry.count == count)
        #expect(registry.memoryFootprint / count < 400, "\(registry.memoryFootprint / count) bytes a series")
    }
}
