import MartletCodec
import MartletModel

/// Writes a sealed segment from row groups that come in canonical order: table by table, series by series. Memory: a
/// mebibyte of bytes to write, the descriptors of the row groups and the numbers of the series.
final class SealedSegmentWriter {
    private static let flushBytes = 1 << 20

    let number: UInt64
    let path: String
    private let file: any File
    private var writer = ByteWriter(capacity: SealedSegmentWriter.flushBytes)
    /// Where `writer`'s first byte goes.
    private var flushed: Int64 = 0
    private var series: [UInt32] = []
    private var tables: [SegmentFooter.Table] = []
    private var index = ByteWriter(capacity: 1024)
    private(set) var rowCount = 0
    private var time = TimeRange.empty

    init(number: UInt64, directory: String, salt: UInt64, files: any FileSystem) throws(MartletError) {
        self.number = number
        path = directory + "/" + SealedSegment.fileName(number)
        file = try files.open(path, .create)
        FileHeader(kind: .sealed, segment: number, salt: salt).encode(into: &writer)
    }

    /// Bytes written or about to be.
    var byteCount: Int64 { flushed + Int64(writer.count) }

    /// Begins the rows of a table; tables come in the order of their numbers.
    func begin(_ table: TableDefinition) {
        precondition(tables.last.map { $0.definition.id < table.id } ?? true, "tables come in order")
        tables.append(
            SegmentFooter.Table(
                definition: table, rowCount: 0, groupCount: 0, time: .empty,
                index: BlockReference(offset: 0, length: 0, checksum: 0), indexLength: 0))
        index = ByteWriter(capacity: 1024)
    }

    /// Appends a row group of the table that was begun last.
    func append(
        _ runs: RunIndex, times: Column, fields: [(definition: FieldDefinition, column: Column)]
    ) throws(MartletError) {
        let base = writer.count
        let draft = try RowGroupDraft.encode(
            table: tables[tables.count - 1].definition.id, runs: runs, times: times, fields: fields, effort: .sealed,
            base: base, into: &writer)
        var local = runs
        for run in 0..<runs.count {
            if series.last != runs.series[run] { series.append(runs.series[run]) }
            local.series[run] = UInt32(series.count - 1)
        }
        var timeBlock = draft.timeBlock
        timeBlock.offset += flushed + Int64(base)
        RowGroupDescriptor.encode(
            runs: local, localSeries: { $0 }, timeBlock: timeBlock, fields: draft.fields, base: 0, into: &index)
        let last = tables.count - 1
        tables[last].rowCount += times.count
        tables[last].groupCount += 1
        tables[last].time = tables[last].time.union(runs.time)
        rowCount += times.count
        time = time.union(runs.time)
        if writer.count >= Self.flushBytes { try flush() }
    }

    /// Ends the table that was begun last; one without rows is left out.
    func end() throws(MartletError) {
        let last = tables.count - 1
        if tables[last].groupCount == 0 {
            tables.removeLast()
            return
        }
        tables[last].indexLength = index.count
        let start = writer.count
        try Compression.compress(index.bytes, method: .zstd, level: 9, into: &writer.buffer)
        tables[last].index = reference(from: start)
    }

    /// Writes series and footer and makes the file durable.
    func finish(
        catalog: SeriesCatalog, commits: ClosedRange<UInt64>, tombstonesAppliedThrough: UInt64
    ) throws(MartletError) -> Manifest.Sealed {
        let start = writer.count
        try encodeSeries(catalog)
        let section = reference(from: start)
        let footerStart = writer.count
        SegmentFooter(
            firstCommit: commits.lowerBound, lastCommit: commits.upperBound,
            tombstonesAppliedThrough: tombstonesAppliedThrough, seriesCount: series.count, series: section,
            tables: tables
        ).encode(into: &writer)
        SegmentFooter.encodeTrailer(reference(from: footerStart), into: &writer)
        try flush()
        try file.sync()
        try file.close()
        return Manifest.Sealed(
            number: number, byteCount: UInt64(flushed), firstCommit: commits.lowerBound,
            lastCommit: commits.upperBound, tombstonesAppliedThrough: tombstonesAppliedThrough, time: time,
            rowCount: UInt64(rowCount), seriesCount: UInt64(series.count), tableCount: UInt32(tables.count))
    }

    private func encodeSeries(_ catalog: SeriesCatalog) throws(MartletError) {
        var bytes = MutableBuffer(capacity: series.count * 64)
        var offsets = [0]
        offsets.reserveCapacity(series.count + 1)
        try catalog.forEach(series) { (_, tags) throws(MartletError) in
            bytes.append(tags)
            offsets.append(bytes.byteCount)
        }
        let tables = try catalog.tables(of: series)
        let all = bytes.finish()
        defer { withExtendedLifetime(all) {} }
        try SeriesSection.encode(count: series.count, effort: .sealed, into: &writer.buffer) { index in
            (tables[index], UnsafeRawBufferPointer(rebasing: all.bytes[offsets[index]..<offsets[index + 1]]))
        }
    }

    private func reference(from start: Int) -> BlockReference {
        let bytes = UnsafeRawBufferPointer(rebasing: writer.bytes[start...])
        return BlockReference(
            offset: flushed + Int64(start), length: bytes.count, checksum: CRC32C.checksum(bytes))
    }

    private func flush() throws(MartletError) {
        try file.write(writer.bytes, at: flushed)
        flushed += Int64(writer.count)
        writer.buffer.byteCount = 0
    }
}
