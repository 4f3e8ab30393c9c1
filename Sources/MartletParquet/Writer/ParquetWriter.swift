import MartletModel

/// What a finished file holds.
package struct ParquetFileSummary: Sendable, Equatable {
    /// Rows written.
    package var rowCount: Int64
    /// Bytes written, the footer included.
    package var byteCount: Int64
    /// Row groups written.
    package var rowGroupCount: Int
    /// Timestamps that lost what is finer than a microsecond.
    package var truncatedTimestamps: Int
}

/// Writes record batches as one Parquet file, row group by row group.
///
/// Memory is bounded by `ParquetWriterOptions.rowGroupBytes` and the largest batch, plus the footer, which grows by a few
/// hundred bytes per column and row group and about a hundred per page. Not safe for use by two threads at once.
package final class ParquetWriter {
    /// The columns that every batch must have.
    package let schema: [ColumnDescription]
    private let options: ParquetWriterOptions
    private let sink: any ByteSink
    private let columns: [ColumnWriter]
    private var file = FileMetadata()
    private var indexes: [[ColumnWriter.WrittenChunk]] = []
    private var bufferedRows = 0
    private var isFinished = false

    private static let magic: [UInt8] = Array("PAR1".utf8)
    /// Rows appended between two looks at the size of what is buffered.
    private static let sliceRows = 8192

    /// Begins a file on an empty sink.
    ///
    /// - Throws: `.invalidArgument` for options out of range, no columns, or two columns of one name; `.unsupported` for
    ///   a column that Parquet cannot hold.
    package convenience init(
        schema: [ColumnDescription], options: ParquetWriterOptions = ParquetWriterOptions(), to sink: any ByteSink
    ) throws(MartletError) {
        try self.init(schema: schema, options: options, workspace: PageWorkspace(options.compression), to: sink)
    }

    /// Begins a file with a workspace that other writers of the same thread use too.
    init(
        schema: [ColumnDescription], options: ParquetWriterOptions, workspace: PageWorkspace, to sink: any ByteSink
    ) throws(MartletError) {
        try options.validate()
        guard !schema.isEmpty else { throw MartletError(.invalidArgument, "a Parquet file needs a column") }
        var names: Set<String> = []
        for column in schema where !names.insert(column.name).inserted {
            throw MartletError(
                .invalidArgument, "two columns are called '\(column.name)'", hint: "rename one of them with AS")
        }
        self.schema = schema
        self.options = options
        self.sink = sink
        var columns: [ColumnWriter] = []
        for column in schema { columns.append(try ColumnWriter(column, options: options, workspace: workspace)) }
        self.columns = columns
        var root = SchemaElement(name: "schema")
        root.childCount = Int32(schema.count)
        file.schema = [root] + columns.map(\.element)
        file.keyValues = [KeyValue(key: SchemaNote.key, value: SchemaNote.encode(schema))]
        for (key, value) in options.keyValues.sorted(by: { $0.key < $1.key }) {
            file.keyValues.append(KeyValue(key: key, value: value))
        }
        file.createdBy = "martlet version 1.0.0 (build parquet)"
        try write(Self.magic)
    }

    /// Bytes that buffered rows occupy.
    package var bufferedBytes: Int { columns.reduce(0) { $0 + $1.chunk.byteCount } }

    /// Bytes handed to the sink so far; more follow when row groups and the footer are written.
    package var writtenBytes: Int64 { sink.byteCount }

    /// Appends the rows of a batch.
    ///
    /// - Throws: `.typeConflict` when the batch's columns are not the schema's or a `.time` column holds a null; what
    ///   the sink throws. A writer that threw must not be used on.
    package func append(_ batch: RecordBatch) throws(MartletError) {
        try append(batch, rows: 0..<batch.rowCount)
    }

    /// Appends some rows of a batch; throws as `append(_:)` does.
    package func append(_ batch: RecordBatch, rows: Range<Int>) throws(MartletError) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= batch.rowCount, "rows outside the batch")
        guard !isFinished else { throw MartletError(.closed, "the Parquet file is finished") }
        guard batch.schema.count == schema.count else {
            throw MartletError(
                .typeConflict, "a batch of \(batch.schema.count) columns does not fit a file of \(schema.count)")
        }
        for (column, expected) in zip(batch.schema, schema) {
            guard column.name == expected.name, column.type == expected.type else {
                throw MartletError(
                    .typeConflict,
                    "column '\(column.name)' of type \(column.type.name) stands where the file has "
                        + "'\(expected.name)' of type \(expected.type.name)")
            }
        }
        for (column, writer) in zip(batch.columns, columns) where writer.element.repetition == .required {
            guard column.nullCount == 0 else {
                throw MartletError(
                    .typeConflict, "the time column '\(writer.description.name)' holds \(column.nullCount) nulls")
            }
        }
        var row = rows.lowerBound
        while row < rows.upperBound {
            let end = min(rows.upperBound, row + Self.sliceRows, row + options.rowGroupRows - bufferedRows)
            for (column, writer) in zip(batch.columns, columns) { try writer.chunk.append(column, rows: row..<end) }
            bufferedRows += end - row
            row = end
            if bufferedRows >= options.rowGroupRows || bufferedBytes >= options.rowGroupBytes {
                try flush(keepingCapacity: true)
            }
        }
    }

    /// Writes what is buffered as a row group, the page index and the footer.
    package func finish() throws(MartletError) -> ParquetFileSummary {
        guard !isFinished else { throw MartletError(.closed, "the Parquet file is finished already") }
        isFinished = true
        try endRowGroup()
        try writePageIndex()
        let footer = ThriftWriter.encode(file)
        try sink.write(footer.bytes)
        let length = UInt32(footer.byteCount)
        try write(withUnsafeBytes(of: length.littleEndian) { Array($0) } + Self.magic)
        return ParquetFileSummary(
            rowCount: file.rowCount, byteCount: sink.byteCount, rowGroupCount: file.rowGroups.count,
            truncatedTimestamps: columns.reduce(0) { $0 + $1.truncatedTimestamps })
    }

    /// Writes what is buffered as a row group and gives back its memory.
    package func endRowGroup() throws(MartletError) {
        if bufferedRows > 0 { try flush(keepingCapacity: false) }
    }

    private func flush(keepingCapacity: Bool) throws(MartletError) {
        var group = RowGroupMetadata()
        group.rowCount = Int64(bufferedRows)
        group.fileOffset = sink.byteCount
        group.ordinal = Int16(exactly: file.rowGroups.count)
        var written: [ColumnWriter.WrittenChunk] = []
        var compressed: Int64 = 0
        for column in columns {
            let chunk = try column.flush(to: sink, keepingCapacity: keepingCapacity)
            compressed += chunk.metadata.metadata?.totalCompressedSize ?? 0
            group.totalByteSize += chunk.metadata.metadata?.totalUncompressedSize ?? 0
            group.columns.append(chunk.metadata)
            written.append(chunk)
        }
        group.totalCompressedSize = compressed
        file.rowCount += Int64(bufferedRows)
        file.rowGroups.append(group)
        indexes.append(written)
        bufferedRows = 0
    }

    /// All column indexes, then all offset indexes, as the format asks.
    private func writePageIndex() throws(MartletError) {
        for (group, chunks) in indexes.enumerated() {
            for (column, chunk) in chunks.enumerated() {
                guard let index = chunk.columnIndex else { continue }
                file.rowGroups[group].columns[column].columnIndexOffset = sink.byteCount
                file.rowGroups[group].columns[column].columnIndexLength = Int32(index.byteCount)
                try sink.write(index.bytes)
            }
        }
        for (group, chunks) in indexes.enumerated() {
            for (column, chunk) in chunks.enumerated() {
                guard let index = chunk.offsetIndex else { continue }
                file.rowGroups[group].columns[column].offsetIndexOffset = sink.byteCount
                file.rowGroups[group].columns[column].offsetIndexLength = Int32(index.byteCount)
                try sink.write(index.bytes)
            }
        }
    }

    private func write(_ bytes: [UInt8]) throws(MartletError) {
        let buffer = Buffer(bytes)
        try sink.write(buffer.bytes)
        withExtendedLifetime(buffer) {}
    }
}
