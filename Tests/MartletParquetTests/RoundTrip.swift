import MartletModel
import Testing

@testable import MartletParquet

/// Writing to memory and reading back.
enum RoundTrip {
    static func write(
        _ batches: [RecordBatch], schema: [ColumnDescription], options: ParquetWriterOptions = ParquetWriterOptions()
    ) throws(MartletError) -> (bytes: Buffer, summary: ParquetFileSummary) {
        let sink = MemorySink()
        let writer = try ParquetWriter(schema: schema, options: options, to: sink)
        for batch in batches { try writer.append(batch) }
        let summary = try writer.finish()
        return (Buffer(copying: sink.bytes), summary)
    }

    static func read(
        _ bytes: Buffer, options: ParquetReaderOptions = ParquetReaderOptions()
    ) throws(MartletError) -> (schema: [ColumnDescription], batches: [RecordBatch]) {
        let reader = try ParquetReader(MemoryFile(bytes), path: "memory", options: options)
        var batches: [RecordBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return (reader.schema, batches)
    }

    static func dump(_ batches: [RecordBatch]) -> String {
        var text = ""
        for batch in batches { RowDump.append(batch, to: &text) }
        return text
    }

    /// A one-column file, read back.
    static func column(
        _ type: ColumnType, _ values: [FieldValue?], options: ParquetWriterOptions = ParquetWriterOptions()
    ) throws(MartletError) -> [FieldValue?] {
        let schema = [ColumnDescription("v", type, .field)]
        let batch = RecordBatch(schema: schema, columns: [try Column(type, values)], rowCount: values.count)
        let (bytes, _) = try write([batch], schema: schema, options: options)
        return try read(bytes).batches.flatMap { batch in (0..<batch.rowCount).map { batch.columns[0].value(at: $0) } }
    }
}
