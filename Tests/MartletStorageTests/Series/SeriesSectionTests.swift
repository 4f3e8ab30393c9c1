import MartletCodec
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

private typealias Series = (table: UInt32, tags: [UInt8])

private func encode(_ series: [Series], effort: Effort = .sealed) throws(MartletError) -> [UInt8] {
    var arena = MutableBuffer(capacity: 0)
    var places: [(UInt32, Range<Int>)] = []
    for (table, tags) in series {
        let start = arena.byteCount
        for byte in tags { arena.append(byte) }
        places.append((table, start..<arena.byteCount))
    }
    let bytes = arena.finish()
    defer { withExtendedLifetime(bytes) {} }
    var output = MutableBuffer(capacity: 0)
    try SeriesSection.encode(count: series.count, effort: effort, into: &output) { row in
        (places[row].0, UnsafeRawBufferPointer(rebasing: bytes.bytes[places[row].1]))
    }
    return [UInt8](output.bytes)
}

private func decode(_ bytes: [UInt8]) throws(MartletError) -> [Series] {
    try bytes.withRawBytes { bytes throws(MartletError) in
        let reader = try SeriesSectionReader(bytes)
        var series: [Series] = []
        try reader.forEach { row, table, tags throws(MartletError) in
            #expect(row == series.count)
            series.append((table, [UInt8](tags)))
        }
        return series
    }
}

private func sorted(_ series: [Series]) -> [Series] {
    series.sorted { $0.table != $1.table ? $0.table < $1.table : $0.tags.lexicographicallyPrecedes($1.tags) }
}

@Suite struct SeriesSectionTests {
    @Test(arguments: 0..<5) func `series read back as they were written`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var series: [Series] = [(3, []), (900, [])]
        for table in [UInt32(0), 3, 70] {
            for set in try randomTagSets(count: 1_500, using: &generator) { series.append((table, set.canonicalBytes)) }
        }
        series = sorted(series)
        for effort in Effort.allCases {
            let read = try decode(encode(series, effort: effort))
            #expect(read.map(\.table) == series.map(\.table), "seed \(seed)")
            #expect(read.map(\.tags) == series.map(\.tags), "seed \(seed)")
        }
    }

    @Test func `no series make an empty section`() throws {
        let bytes = try encode([])
        #expect(try decode(bytes).isEmpty)
        #expect(
            try bytes.withRawBytes { bytes throws(MartletError) in try SeriesSectionReader(bytes).byteCount }
                == bytes.count)
    }

    @Test func `more series than a group holds read back`() throws {
        var series: [Series] = []
        for index in 0..<70_000 {
            series.append((1, try TagSet([("h", "host-\(index)"), ("r", "r\(index % 5)")]).canonicalBytes))
        }
        series = sorted(series)
        let bytes = try encode(series)
        #expect(try decode(bytes).map(\.tags) == series.map(\.tags))
        #expect(bytes.count < series.count * 4, "\(Double(bytes.count) / Double(series.count)) bytes a series")
    }

    @Test func `series out of order are refused`() throws {
        let (a, b) = (try TagSet([("k", "a")]).canonicalBytes, try TagSet([("k", "b")]).canonicalBytes)
        #expect(throws: MartletError.self) { try encode([(1, b), (1, a)]) }
        #expect(throws: MartletError.self) { try encode([(1, a), (1, a)]) }
        #expect(throws: MartletError.self) { try encode([(2, a), (1, b)]) }
    }

    @Test func `any changed byte is noticed`() throws {
        var generator = SeededGenerator(seed: 11)
        let series = sorted(try randomTagSets(count: 300, using: &generator).map { (1, $0.canonicalBytes) })
        let bytes = try encode(series)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            #expect(throws: MartletError.self, "byte \(index)") { try decode(damaged) }
        }
        for cut in 0..<bytes.count {
            #expect(throws: MartletError.self, "cut at \(cut)") { try decode(Array(bytes[..<cut])) }
        }
    }

    @Test func `damage under a matching checksum is refused or read as some series, and never crashes`() throws {
        var generator = SeededGenerator(seed: 12)
        let series = sorted(try randomTagSets(count: 200, using: &generator).map { (1, $0.canonicalBytes) })
        let bytes = try encode(series)
        let headerLength = Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
        var refused = 0
        for _ in 0..<3_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 8..<8 + headerLength, using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            let checksum = damaged[8..<8 + headerLength].withUnsafeBytes { CRC32C.checksum($0) }
            withUnsafeBytes(of: checksum) { damaged.replaceSubrange(4..<8, with: $0) }
            do {
                _ = try decode(damaged)
            } catch {
                #expect(error.code == .corrupt || error.code == .unsupportedVersion, "\(error)")
                refused += 1
            }
        }
        #expect(refused > 1_000)
    }
}
