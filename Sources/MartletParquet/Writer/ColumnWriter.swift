import MartletModel

/// Writes the chunks of one column, one per row group.
final class ColumnWriter {
    let description: ColumnDescription
    let element: SchemaElement
    let chunk: any ChunkBuffer
    private let options: ParquetWriterOptions
    private let workspace: PageWorkspace
    private let hasBloomFilter: Bool

    /// - Throws: `.unsupported` for a type that Parquet cannot hold, naming the column.
    init(
        _ description: ColumnDescription, options: ParquetWriterOptions, workspace: PageWorkspace
    ) throws(MartletError) {
        self.description = description
        self.options = options
        self.workspace = workspace
        element = try SchemaElement.column(description, timestampUnit: options.timestampUnit)
        switch description.type {
        case .timestamp:
            chunk = FixedChunk(.time(unit: options.timestampUnit == .microseconds ? 1_000 : 1))
        case .int64: chunk = FixedChunk(.signed)
        case .uint64: chunk = FixedChunk(.unsigned)
        case .float64: chunk = FixedChunk(.double)
        case .bool: chunk = BoolChunk()
        case .string, .interval: chunk = StringChunk()
        }
        hasBloomFilter =
            switch options.bloomFilters {
            case .none: false
            case .tags: description.role == .tag
            case .columns(let names): names.contains(description.name) && description.type != .bool
            }
    }

    /// Timestamps that lost what is finer than the unit they are written in.
    var truncatedTimestamps: Int { (chunk as? FixedChunk)?.truncatedCount ?? 0 }

    /// What a written chunk leaves behind for the end of the file.
    struct WrittenChunk {
        var metadata: ColumnChunkMetadata
        var columnIndex: Buffer?
        var offsetIndex: Buffer?
    }

    /// Writes the rows that the chunk holds, and forgets them.
    func flush(to sink: any ByteSink, keepingCapacity: Bool) throws(MartletError) -> WrittenChunk {
        let chooser = EncodingChooser(
            allowed: options.encodings, dictionaryBytes: options.dictionaryBytes, compressor: workspace.compressor)
        let encoding = try chunk.chooseEncoding(chooser)
        var metadata = ColumnMetadata()
        metadata.typeNumber = element.type?.rawValue ?? -1
        metadata.path = [element.name]
        metadata.codecNumber = workspace.compressor.compression.codec.rawValue
        metadata.valueCount = Int64(chunk.levels.rowCount)
        let start = sink.byteCount
        if encoding == .dictionary {
            metadata.dictionaryPageOffset = start
            try writeDictionaryPage(to: sink, &metadata)
        }
        metadata.dataPageOffset = sink.byteCount
        var pages = PageCollector(statisticsBytes: options.statisticsBytes)
        var row = 0
        var value = 0
        while row < chunk.levels.rowCount {
            let length = chunk.pageLength(from: value, bytes: options.pageBytes, encoding)
            let end = chunk.levels.end(from: row, values: length, limit: options.pageRows)
            let valid = chunk.levels.validCount(row..<end)
            try writeDataPage(rows: row..<end, values: value..<value + valid, encoding, to: sink, &metadata, &pages)
            row = end
            value += valid
        }
        finish(&metadata, encoding, pages)
        metadata.totalCompressedSize = sink.byteCount - start
        if hasBloomFilter { try writeBloomFilter(to: sink, &metadata) }
        var result = WrittenChunk(metadata: ColumnChunkMetadata())
        result.metadata.fileOffset = 0
        result.metadata.metadata = metadata
        if options.writesPageIndex {
            result.columnIndex = pages.columnIndex.map { ThriftWriter.encode($0) }
            result.offsetIndex = ThriftWriter.encode(OffsetIndex(pages: pages.locations))
        }
        chunk.reset(keepingCapacity: keepingCapacity)
        return result
    }

    private func finish(_ metadata: inout ColumnMetadata, _ encoding: ChunkEncoding, _ pages: PageCollector) {
        let data = Self.dataEncoding(encoding)
        metadata.encodings = encoding == .dictionary ? [.plain, .rle, data] : data == .rle ? [.rle] : [data, .rle]
        metadata.statistics = pages.bounds.statistics(
            nullCount: chunk.levels.nullCount, distinctCount: encoding == .dictionary ? chunk.distinctCount : nil,
            limit: options.statisticsBytes)
        let dataType: PageType = options.pageVersion == .v1 ? .data : .dataV2
        if encoding == .dictionary {
            metadata.encodingStatistics.append(
                PageEncodingStatistics(pageType: .dictionary, encoding: .plain, count: 1))
        }
        metadata.encodingStatistics.append(
            PageEncodingStatistics(pageType: dataType, encoding: data, count: Int32(pages.locations.count)))
    }

    private static func dataEncoding(_ encoding: ChunkEncoding) -> ParquetEncoding {
        switch encoding {
        case .dictionary: .rleDictionary
        case .values(let encoding): encoding
        }
    }

    private func writeDictionaryPage(
        to sink: any ByteSink, _ metadata: inout ColumnMetadata
    ) throws(MartletError) {
        workspace.body.byteCount = 0
        workspace.packed.byteCount = 0
        var header = PageHeader()
        header.type = .dictionary
        header.encodingNumber = ParquetEncoding.plain.rawValue
        header.valueCount = Int32(chunk.encodeDictionary(into: &workspace.body))
        try workspace.compressor.compress(workspace.body.bytes, into: &workspace.packed)
        header.uncompressedSize = Int32(workspace.body.byteCount)
        try write(header, to: sink, &metadata)
    }

    private func writeDataPage(
        rows: Range<Int>, values: Range<Int>, _ encoding: ChunkEncoding, to sink: any ByteSink,
        _ metadata: inout ColumnMetadata, _ pages: inout PageCollector
    ) throws(MartletError) {
        workspace.body.byteCount = 0
        workspace.packed.byteCount = 0
        let nullCount = rows.count - values.count
        let bounds = chunk.bounds(values)
        var header = PageHeader()
        header.valueCount = Int32(rows.count)
        header.encodingNumber = Self.dataEncoding(encoding).rawValue
        // The page index says the same and is what readers use; the format advises against writing both.
        if !options.writesPageIndex {
            header.statistics = bounds.statistics(
                nullCount: nullCount, distinctCount: nil, limit: options.statisticsBytes)
        }
        if options.pageVersion == .v1 {
            if element.repetition == .optional {
                workspace.body.append(UInt32(0))
                chunk.levels.encode(rows, validCount: values.count, into: &workspace.body)
                workspace.body.base.storeBytes(of: UInt32(workspace.body.byteCount - 4).littleEndian, as: UInt32.self)
            }
            chunk.encode(values, encoding, into: &workspace.body)
            try workspace.compressor.compress(workspace.body.bytes, into: &workspace.packed)
            header.uncompressedSize = try pageSize(workspace.body.byteCount)
        } else {
            header.type = .dataV2
            header.version2.nullCount = Int32(nullCount)
            header.version2.rowCount = Int32(rows.count)
            header.version2.isCompressed = workspace.compressor.compression != .none
            if element.repetition == .optional {
                chunk.levels.encode(rows, validCount: values.count, into: &workspace.packed)
            }
            header.version2.definitionLevelsByteCount = Int32(workspace.packed.byteCount)
            chunk.encode(values, encoding, into: &workspace.body)
            header.uncompressedSize = try pageSize(workspace.packed.byteCount + workspace.body.byteCount)
            try workspace.compressor.compress(workspace.body.bytes, into: &workspace.packed)
        }
        let offset = sink.byteCount
        try write(header, to: sink, &metadata)
        pages.add(
            PageLocation(
                offset: offset, compressedSize: Int32(sink.byteCount - offset), firstRow: Int64(rows.lowerBound)),
            bounds: bounds, nullCount: nullCount, valueCount: values.count)
    }

    private func pageSize(_ bytes: Int) throws(MartletError) -> Int32 {
        guard let size = Int32(exactly: bytes), bytes < 0x7e00_0000 else {
            throw MartletError(
                .outOfRange, "a page of \(bytes) bytes is more than Parquet allows",
                at: .column(table: "", column: description.name))
        }
        return size
    }

    /// Writes a header and the page in the workspace.
    private func write(
        _ page: PageHeader, to sink: any ByteSink, _ metadata: inout ColumnMetadata
    ) throws(MartletError) {
        var header = page
        header.compressedSize = Int32(workspace.packed.byteCount)
        if options.writesChecksums { header.crc = Int32(bitPattern: CRC32.checksum(workspace.packed.bytes)) }
        let encoded = ThriftWriter.encode(header)
        metadata.totalUncompressedSize += Int64(encoded.byteCount) + Int64(header.uncompressedSize)
        try sink.write(encoded.bytes)
        withExtendedLifetime(encoded) {}
        try sink.write(workspace.packed.bytes)
    }

    private func writeBloomFilter(to sink: any ByteSink, _ metadata: inout ColumnMetadata) throws(MartletError) {
        guard let filter = chunk.bloomFilter(falsePositiveRate: options.bloomFalsePositiveRate) else { return }
        var bytes = MutableBuffer(capacity: filter.byteCount + 32)
        let header = ThriftWriter.encode(BloomFilterHeader(byteCount: Int32(filter.byteCount)))
        bytes.append(header.bytes)
        withExtendedLifetime(header) {}
        filter.encode(into: &bytes)
        metadata.bloomFilterOffset = sink.byteCount
        metadata.bloomFilterLength = Int32(bytes.byteCount)
        try sink.write(bytes.bytes)
    }
}

/// Gathers what the page index and the chunk's statistics need of each data page.
struct PageCollector {
    let statisticsBytes: Int
    private(set) var locations: [PageLocation] = []
    private(set) var bounds = ValueBounds.none
    private var index = ColumnIndex()
    private var last: (minimum: BoundValue, maximum: BoundValue)?
    private var ascending = true
    private var descending = true
    private var hasUnorderedPage = false

    init(statisticsBytes: Int) { self.statisticsBytes = statisticsBytes }

    mutating func add(_ location: PageLocation, bounds page: ValueBounds, nullCount: Int, valueCount: Int) {
        locations.append(location)
        bounds.merge(page)
        index.nullPages.append(valueCount == 0)
        index.nullCounts.append(Int64(nullCount))
        guard let range = page.range else {
            // Values, but none that can be ordered: the format then wants no column index at all.
            if valueCount > 0 { hasUnorderedPage = true }
            index.minimums.append([])
            index.maximums.append([])
            return
        }
        index.minimums.append(ValueBounds.lower(range.minimum, limit: statisticsBytes).0)
        index.maximums.append(ValueBounds.upper(range.maximum, limit: statisticsBytes).0)
        if let last {
            if BoundValue.isLess(range.minimum, last.minimum) || BoundValue.isLess(range.maximum, last.maximum) {
                ascending = false
            }
            if BoundValue.isLess(last.minimum, range.minimum) || BoundValue.isLess(last.maximum, range.maximum) {
                descending = false
            }
        }
        last = range
    }

    /// The column index, unless a page holds values without an order.
    var columnIndex: ColumnIndex? {
        if hasUnorderedPage { return nil }
        var result = index
        result.order = ascending ? .ascending : descending ? .descending : .unordered
        return result
    }
}
