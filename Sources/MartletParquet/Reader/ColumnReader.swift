import MartletModel

/// Reads one column chunk from its first row to its last, some rows at a time, page by page.
///
/// Nothing is decoded before it is asked for, so that a few bytes that stand for a billion rows cost nothing.
final class ColumnReader {
    let leaf: ColumnLeaf
    private var input: ChunkInput
    private let codec: CompressionCodec
    private let options: ParquetReaderOptions
    private let decompressor: PageDecompressor
    private var dictionary: PageDictionary?
    private var rowsLeft = 0
    private var levels: HybridRunDecoder?
    /// The page that `levels` points into.
    private var levelsPage = Buffer.empty
    private var values: ValueDecoder?

    /// - Throws: `.unsupported` for a chunk that is encrypted, elsewhere or compressed in an unknown way; `.corrupt` for
    ///   one that lies outside the file.
    init(
        _ leaf: ColumnLeaf, chunk: ColumnChunkMetadata, rowCount: Int64, file: any File, fileSize: Int64,
        options: ParquetReaderOptions, decompressor: PageDecompressor
    ) throws(MartletError) {
        self.leaf = leaf
        self.options = options
        self.decompressor = decompressor
        guard !chunk.isEncrypted else { throw MartletError(.unsupported, "it is encrypted") }
        guard chunk.filePath == nil else { throw MartletError(.unsupported, "it is stored in another file") }
        guard let metadata = chunk.metadata else { throw MartletError(.corrupt, "a column chunk is not described") }
        guard metadata.typeNumber == leaf.physical.rawValue else {
            throw MartletError(
                .corrupt, "a column chunk is of physical type \(metadata.typeNumber), not \(leaf.physical.name)")
        }
        guard metadata.valueCount == rowCount else {
            throw MartletError(
                .corrupt, "a column chunk has \(metadata.valueCount) values in a row group of \(rowCount) rows")
        }
        guard let codec = CompressionCodec(rawValue: metadata.codecNumber) else {
            throw MartletError(.unsupported, "compression number \(metadata.codecNumber) is not known")
        }
        self.codec = codec
        // Some writers put 0 where there is no dictionary; no page can start there.
        let first = metadata.dictionaryPageOffset.flatMap { $0 > 0 ? min($0, metadata.dataPageOffset) : nil }
        let start = first ?? metadata.dataPageOffset
        guard start >= 0, metadata.totalCompressedSize >= 0, start <= fileSize,
            metadata.totalCompressedSize <= fileSize - start
        else {
            throw MartletError(.corrupt, "a column chunk lies outside the file")
        }
        input = ChunkInput(file, from: start, to: start + metadata.totalCompressedSize)
    }

    /// The next `rows` rows, of which the chunk must have as many left.
    func read(_ rows: Int) throws(MartletError) -> Column {
        var assembler = ColumnAssembler(leaf, capacity: rows, limit: min(options.memoryLimit, Int(Int32.max)))
        var left = rows
        while left > 0 {
            while rowsLeft == 0 { try nextPage() }
            let take = min(left, rowsLeft)
            let valid = try assembler.appendLevels(take, &levels)
            if valid > 0 {
                guard values != nil else { throw MartletError(.corrupt, "a page has rows but no values") }
                try assembler.appendValues(valid, rows: take, &values!, dictionary)
            } else {
                assembler.appendNulls(take)
            }
            rowsLeft -= take
            left -= take
        }
        return try assembler.finish()
    }

    private func nextPage() throws(MartletError) {
        guard !input.isAtEnd else { throw MartletError(.corrupt, "a column chunk ends before its last row") }
        let header = try input.header()
        let size = Int(header.uncompressedSize)
        guard size <= options.memoryLimit, Int(header.compressedSize) <= options.memoryLimit else {
            throw MartletError(
                .resourceExhausted,
                "a page of \(header.uncompressedSize) bytes is larger than the limit of \(options.memoryLimit)",
                hint: "raise the reader's memory limit")
        }
        let bytes = try input.take(Int(header.compressedSize))
        if options.verifiesChecksums, let expected = header.crc {
            guard CRC32.checksum(bytes) == UInt32(bitPattern: expected) else {
                throw MartletError(.corrupt, "a page fails its CRC-32")
            }
        }
        switch header.type {
        case .index: return
        case .dictionary: try readDictionary(header, bytes)
        case .data: try beginPage(header, try decompressor.decompress(bytes, size: size, codec: codec))
        case .dataV2: try beginPageV2(header, bytes)
        }
    }

    private func readDictionary(_ header: PageHeader, _ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard dictionary == nil else { throw MartletError(.corrupt, "a column chunk has two dictionaries") }
        guard
            header.encodingNumber == ParquetEncoding.plain.rawValue
                || header.encodingNumber == ParquetEncoding.plainDictionary.rawValue
        else {
            throw MartletError(.unsupported, "dictionary encoding number \(header.encodingNumber) is not known")
        }
        let page = try decompressor.decompress(bytes, size: Int(header.uncompressedSize), codec: codec)
        dictionary = try PageDictionary(page, count: Int(header.valueCount), leaf: leaf, limit: options.memoryLimit)
    }

    private func beginPage(_ header: PageHeader, _ page: Buffer) throws(MartletError) {
        var start = 0
        levels = nil
        if leaf.isOptional {
            guard header.definitionLevelEncodingNumber == ParquetEncoding.rle.rawValue else {
                throw MartletError(.unsupported, "definition levels in the deprecated BIT_PACKED encoding are not read")
            }
            guard page.byteCount >= 4 || header.valueCount == 0 else {
                throw MartletError(.corrupt, "a page of \(page.byteCount) bytes has no levels")
            }
            if page.byteCount >= 4 {
                let length = Int(page.baseAddress.loadUnaligned(as: UInt32.self).littleEndian)
                guard length <= page.byteCount - 4 else {
                    throw MartletError(.corrupt, "a page's levels end past it")
                }
                levels = HybridRunDecoder(page.baseAddress, 4..<4 + length, width: 1)
                start = 4 + length
            }
        }
        levelsPage = page
        rowsLeft = Int(header.valueCount)
        values = try ValueDecoder(page, start..<page.byteCount, encodingNumber: header.encodingNumber, leaf: leaf)
    }

    private func beginPageV2(_ header: PageHeader, _ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        let levelBytes = Int(header.version2.definitionLevelsByteCount)
        guard header.version2.repetitionLevelsByteCount == 0 else {
            throw MartletError(.corrupt, "a flat column has repetition levels")
        }
        guard levelBytes >= 0, levelBytes <= bytes.count, levelBytes <= header.uncompressedSize else {
            throw MartletError(.corrupt, "a page's levels end past it")
        }
        levels = nil
        if leaf.isOptional {
            levelsPage = Buffer(copying: UnsafeRawBufferPointer(rebasing: bytes[..<levelBytes]))
            levels = HybridRunDecoder(levelsPage.baseAddress, 0..<levelBytes, width: 1)
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[levelBytes...])
        let size = Int(header.uncompressedSize) - levelBytes
        // A page of nulls alone may have nothing to decompress.
        let page =
            size == 0 && rest.isEmpty
            ? Buffer.empty
            : try decompressor.decompress(
                rest, size: size, codec: header.version2.isCompressed ? codec : .uncompressed)
        rowsLeft = Int(header.valueCount)
        values = try ValueDecoder(page, 0..<page.byteCount, encodingNumber: header.encodingNumber, leaf: leaf)
    }
}

/// The entries of a chunk's dictionary page, converted to what the column becomes.
struct PageDictionary {
    /// The entries of a column of 64-bit values.
    let words: Buffer
    /// The entries of a column of text.
    let strings: StringDictionary?
    let count: Int

    /// - Throws: `.corrupt` when the page holds fewer entries than it claims.
    init(_ page: Buffer, count: Int, leaf: ColumnLeaf, limit: Int) throws(MartletError) {
        self.count = count
        // Every entry takes at least 4 bytes, so that the claim is bounded by the page.
        guard leaf.physical != .boolean, count <= page.byteCount / 4 else {
            throw MartletError(.corrupt, "a dictionary page of \(page.byteCount) bytes claims \(count) entries")
        }
        var decoder = try ValueDecoder(
            page, 0..<page.byteCount, encodingNumber: ParquetEncoding.plain.rawValue, leaf: leaf)
        if leaf.type == .string {
            var bytes = MutableBuffer(capacity: page.byteCount)
            var offsets = MutableBuffer(capacity: (count + 1) * 4)
            offsets.append(Int32(0))
            try decoder.strings(count, bytes: &bytes, ends: &offsets, limit: min(limit, Int(Int32.max)))
            try UTF8Check.check(
                bytes.bytes, offsets: UnsafePointer(offsets.base.assumingMemoryBound(to: Int32.self)), count: count)
            strings = StringDictionary(offsets: offsets.finish(), bytes: bytes.finish(), count: count)
            words = Buffer.empty
        } else {
            var target = MutableBuffer(capacity: count * 8)
            let pointer = target.base.assumingMemoryBound(to: UInt64.self)
            try decoder.words(count, leaf, into: pointer)
            try leaf.conversion.apply(pointer, count: count)
            target.byteCount = count * 8
            words = target.finish()
            strings = nil
        }
    }
}
