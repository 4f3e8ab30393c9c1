import Foundation
import MartletModel
import Testing

@testable import MartletStorage

/// Files that an earlier build wrote must read the same for ever. `MARTLET_WRITE_GOLDEN=DIR` writes new ones.
@Suite struct SeriesGoldenTests {
    private static func golden(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Golden/" + name, withExtension: nil))
        return [UInt8](try Data(contentsOf: url))
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, _ name: String) throws {
        guard let directory = ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] else { return }
        try Data(bytes).write(to: URL(fileURLWithPath: directory + "/" + name))
    }

    /// 3,000 series of two tables: a front-coded column, a dictionary column with absent values, no tags at all.
    private static func series() throws -> [(table: UInt32, tags: [UInt8])] {
        var series: [(table: UInt32, tags: [UInt8])] = [(1, [])]
        for index in 0..<2_999 {
            var tags = [("host", "host-\(index)")]
            if index % 3 > 0 { tags.append(("région", ["eu", "us"][index % 2])) }
            series.append((index < 2_500 ? 1 : 7, try TagSet(tags).canonicalBytes))
        }
        return series.sorted { $0.table != $1.table ? $0.table < $1.table : $0.tags.lexicographicallyPrecedes($1.tags) }
    }

    private static let bitmap = SeriesBitmap(ascending: [1, 5, 70_000, 70_002])
        .union(SeriesBitmap(131_072..<180_000))
        .union(SeriesBitmap(ascending: (0..<30_000).map { 262_144 + $0 * 2 }))

    @Test func `the series section of version 1 reads as ever`() throws {
        let series = try Self.series()
        var arena = MutableBuffer(capacity: 0)
        var offsets = [0]
        for (_, tags) in series {
            tags.withUnsafeBytes { arena.append($0) }
            offsets.append(arena.byteCount)
        }
        let bytes = arena.finish()
        var output = MutableBuffer(capacity: 0)
        try SeriesSection.encode(count: series.count, effort: .sealed, into: &output) { row in
            (series[row].table, UnsafeRawBufferPointer(rebasing: bytes.bytes[offsets[row]..<offsets[row + 1]]))
        }
        try Self.write(output.bytes, "series-section-v1.bin")
        withExtendedLifetime(bytes) {}

        var count = 0
        try Self.golden("series-section-v1.bin").withRawBytes { bytes throws(MartletError) in
            let reader = try SeriesSectionReader(bytes)
            #expect(reader.count == series.count && reader.byteCount == bytes.count)
            try reader.verify()
            try reader.forEach { row, table, tags throws(MartletError) in
                #expect(table == series[row].table && tags.elementsEqual(series[row].tags))
                count += 1
            }
        }
        #expect(count == series.count)
    }

    @Test func `a bitmap is stored as ever`() throws {
        var output = MutableBuffer(capacity: 0)
        Self.bitmap.serialize(into: &output)
        try Self.write(output.bytes, "series-bitmap-v1.bin")
        let golden = try Self.golden("series-bitmap-v1.bin")
        #expect(output.bytes.elementsEqual(golden))
        #expect(try golden.withRawBytes(SeriesBitmap.deserialize).bitmap == Self.bitmap)
    }
}
