import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// Statistics, page index and bloom filters, as a reader finds them in the file.
struct MetadataTests {
    private func metadata(
        _ type: ColumnType, _ values: [FieldValue?], role: ColumnRole = .field,
        options: ParquetWriterOptions = ParquetWriterOptions()
    ) throws -> (file: MemoryFile, chunk: ColumnChunkMetadata) {
        let schema = [ColumnDescription("v", type, role)]
        let batch = RecordBatch(schema: schema, columns: [try Column(type, values)], rowCount: values.count)
        let (bytes, _) = try RoundTrip.write([batch], schema: schema, options: options)
        let file = MemoryFile(bytes)
        let reader = try ParquetReader(file, path: "memory")
        return (file, reader.metadata.rowGroups[0].columns[0])
    }

    private func statistics(
        _ type: ColumnType, _ values: [FieldValue?], options: ParquetWriterOptions = ParquetWriterOptions()
    ) throws -> ValueStatistics {
        try #require(try metadata(type, values, options: options).chunk.metadata?.statistics)
    }

    private func bytes(_ value: Double) -> [UInt8] { BoundValue.double(value).plainBytes }

    @Test("NaN is left out of the bounds, and zeros are widened")
    func doubleBounds() throws {
        let mixed = try statistics(.float64, [.float64(.nan), .float64(0.0), .float64(3), nil])
        #expect(mixed.minimum == bytes(-0.0))
        #expect(mixed.maximum == bytes(3))
        #expect(mixed.nullCount == 1)
        let zeros = try statistics(.float64, [.float64(-0.0), .float64(-0.0)])
        #expect(zeros.minimum == bytes(-0.0))
        #expect(zeros.maximum == bytes(0.0))
        let nothing = try statistics(.float64, [.float64(.nan), .float64(.nan)])
        #expect(nothing.minimum == nil && nothing.maximum == nil)
    }

    @Test("A page of NaN alone leaves the chunk without a column index, and pages of nulls don't")
    func unorderedPages() throws {
        var options = ParquetWriterOptions()
        options.pageRows = 2
        let nan: [FieldValue?] = [.float64(.nan), .float64(.nan), .float64(1), .float64(2)]
        #expect(try metadata(.float64, nan, options: options).chunk.columnIndexOffset == nil)
        let nulls: [FieldValue?] = [nil, nil, .float64(1), .float64(2)]
        let (file, chunk) = try metadata(.float64, nulls, options: options)
        let index: ColumnIndex = try read(file, chunk.columnIndexOffset, chunk.columnIndexLength)
        #expect(index.nullPages == [true, false])
        #expect(index.nullCounts == [2, 0])
        #expect(index.minimums == [[], bytes(1)])
        #expect(index.order == .ascending)
    }

    private func read<T: ThriftDecodable>(_ file: MemoryFile, _ offset: Int64?, _ length: Int32?) throws -> T {
        let content = try file.readExactly(Int(#require(length)), at: #require(offset))
        var reader = ThriftReader(content.bytes)
        let result = try T(from: &reader)
        #expect(reader.position == content.byteCount)
        return result
    }

    @Test("Long text is cut in the bounds, at a character, with the upper one raised")
    func truncatedBounds() throws {
        var options = ParquetWriterOptions()
        options.statisticsBytes = 5
        let cut = try statistics(.string, [.string("abcdé-low"), .string("zzzzz-high")], options: options)
        #expect(cut.minimum == Array("abcd".utf8) && cut.isMinimumExact == false)
        #expect(cut.maximum == Array("zzzz{".utf8) && cut.isMaximumExact == false)
        let top = String(repeating: "\u{10ffff}", count: 9)
        let whole = try statistics(.string, [.string(top)], options: options)
        #expect(whole.maximum == Array(top.utf8) && whole.isMaximumExact == true)
        let surrogate = try statistics(.string, [.string("a\u{d7ff}bcdef")], options: options)
        #expect(surrogate.maximum == Array("a\u{d7ff}c".utf8))
        let edge = ValueBounds.upper(.bytes(Array("a\u{d7ff}\u{10ffff}x".utf8)), limit: 8)
        #expect(edge.0 == Array("a\u{e000}".utf8) && !edge.1)
    }

    @Test("Unsigned numbers are ordered as such")
    func unsignedBounds() throws {
        let result = try statistics(.uint64, [.uint64(.max), .uint64(1)])
        #expect(result.minimum == BoundValue.unsigned(1).plainBytes)
        #expect(result.maximum == BoundValue.unsigned(.max).plainBytes)
    }

    @Test("The offset index leads to the header of each page, and the column index bounds it", arguments: [1, 2])
    func pageIndex(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let values = (0..<1000).map {
            FieldValue?.some(.int64(Int64($0) * 10 + Int64.random(in: 0...9, using: &random)))
        }
        var options = ParquetWriterOptions()
        options.pageRows = 64
        let (file, chunk) = try metadata(.int64, values, options: options)
        let offsets: OffsetIndex = try read(file, chunk.offsetIndexOffset, chunk.offsetIndexLength)
        let columns: ColumnIndex = try read(file, chunk.columnIndexOffset, chunk.columnIndexLength)
        #expect(offsets.pages.map(\.firstRow) == stride(from: 0, to: 1000, by: 64).map(Int64.init))
        #expect(columns.order == .ascending)
        for (index, page) in offsets.pages.enumerated() {
            let content = try file.readExactly(Int(page.compressedSize), at: page.offset)
            var reader = ThriftReader(content.bytes)
            let header = try PageHeader(from: &reader)
            #expect(reader.position + Int(header.compressedSize) == Int(page.compressedSize))
            let first = Int(page.firstRow)
            #expect(columns.minimums[index] == BoundValue.signed(number(values[first])).plainBytes)
            let last = min(first + 63, 999)
            #expect(columns.maximums[index] == BoundValue.signed(number(values[last])).plainBytes)
        }
    }

    private func number(_ value: FieldValue?) -> Int64 {
        if case .int64(let number) = value { number } else { .min }
    }

    @Test("A tag's bloom filter holds every value and hardly another")
    func bloomFilter() throws {
        let values = (0..<5000).map { FieldValue?.some(.string("device-\($0 % 700)")) }
        let (file, chunk) = try metadata(.string, values, role: .tag)
        let description = try #require(chunk.metadata)
        let content = try file.readExactly(
            Int(try #require(description.bloomFilterLength)), at: try #require(description.bloomFilterOffset))
        var reader = ThriftReader(content.bytes)
        let header = try BloomFilterHeader(from: &reader)
        #expect(Int(header.byteCount) == content.byteCount - reader.position)
        let filter = try SplitBlockBloomFilter(UnsafeRawBufferPointer(rebasing: content.bytes[reader.position...]))
        func mayContain(_ text: String) -> Bool {
            Array(text.utf8).withUnsafeBytes { filter.mayContain(XXHash64.hash($0)) }
        }
        #expect((0..<700).allSatisfy { mayContain("device-\($0)") })
        #expect((700..<1700).count { mayContain("device-\($0)") } < 40)
    }

    @Test("Each kind of column gets the encoding that suits it")
    func encodings() throws {
        var options = ParquetWriterOptions()
        options.encodings = .densest
        func encoding(_ type: ColumnType, _ values: [FieldValue?]) throws -> Set<ParquetEncoding> {
            let chunk = try metadata(type, values, options: options).chunk
            return Set(try #require(chunk.metadata).encodings).subtracting([.plain, .rle])
        }
        var random = SeededGenerator(seed: 1)
        let rows = 0..<20_000
        #expect(try encoding(.int64, rows.map { .int64(Int64($0) * 1000) }) == [.deltaBinaryPacked])
        #expect(
            try encoding(.timestamp, rows.map { .timestamp(Timestamp(nanoseconds: Int64($0) * 1_000_000_000)) })
                == [.deltaBinaryPacked])
        let levels = (0..<5).map { _ in Int64(bitPattern: random.next()) }
        #expect(
            try encoding(.int64, rows.map { _ in .int64(levels.randomElement(using: &random)!) }) == [.rleDictionary])
        #expect(try encoding(.string, rows.map { .string("host-\($0 % 10)") }) == [.rleDictionary])
        #expect(try encoding(.string, rows.map { .string("/a/long/shared/prefix/\($0)") }) == [.deltaByteArray])
        var walk = 1000.0
        let walked = rows.map { _ -> FieldValue? in
            walk += Double.random(in: -0.001...0.001, using: &random)
            return .float64(walk)
        }
        #expect(try encoding(.float64, walked) == [.byteStreamSplit])
        let tenths = rows.map { _ in FieldValue?.some(.float64(Double(Int.random(in: 0..<300, using: &random)) / 10)) }
        #expect(try encoding(.float64, tenths) == [.rleDictionary])
    }
}
