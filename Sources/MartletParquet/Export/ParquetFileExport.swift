import MartletModel

/// Parquet as a format of exports.
package final class ParquetExportFormat: ExportFormat {
    private let options: ParquetWriterOptions
    private let workspace: PageWorkspace

    /// - Throws: `.invalidArgument` for options that contradict themselves.
    package init(_ options: ParquetWriterOptions = ParquetWriterOptions()) throws(MartletError) {
        try options.validate()
        self.options = options
        workspace = try PageWorkspace(options.compression)
    }

    package var name: String { "parquet" }
    static let fileExtension = "parquet"
    package var fileExtension: String { Self.fileExtension }
    package var timeUnit: Int64 { options.timestampUnit == .microseconds ? 1000 : 1 }

    package func begin(
        _ object: any SinkObject, table: String, schema: [ColumnDescription]
    ) throws(MartletError) -> any ExportFile {
        let sink = ObjectSink(object)
        do throws(MartletError) {
            let writer = try ParquetWriter(schema: schema, options: options, workspace: workspace, to: sink)
            return ParquetFileExport(writer, sink)
        } catch {
            try object.cancel()
            throw error
        }
    }
}

/// Writes one Parquet file to an object of a sink.
final class ParquetFileExport: ExportFile {
    private let writer: ParquetWriter
    private let sink: ObjectSink

    init(_ writer: ParquetWriter, _ sink: ObjectSink) {
        self.writer = writer
        self.sink = sink
    }

    var bufferedBytes: Int { writer.bufferedBytes }
    var writtenBytes: Int64 { writer.writtenBytes }

    func append(_ batch: RecordBatch, rows: Range<Int>) throws(MartletError) { try writer.append(batch, rows: rows) }

    func flush() throws(MartletError) { try writer.endRowGroup() }

    func finish() throws(MartletError) -> ExportedFile {
        let summary = try writer.finish()
        try sink.finish()
        var file = ExportedFile(rowCount: summary.rowCount, byteCount: summary.byteCount, crc32c: sink.crc32c)
        file.truncatedTimestamps = summary.truncatedTimestamps
        return file
    }

    func cancel() throws(MartletError) { try sink.object.cancel() }
}
