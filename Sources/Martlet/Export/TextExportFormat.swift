import MartletCodec
import MartletModel
import MartletParquet
import MartletQuery

/// CSV, JSON lines and line protocol as formats of exports, plain or as zstd frames one after the other, which every
/// zstd reader takes for one text.
final class TextExportFormat: ExportFormat {
    private let format: ExportOptions.Format
    private let level: Int32?

    /// - Parameter level: the level of zstd, or `nil` for plain text.
    init(_ format: ExportOptions.Format, level: Int32?) {
        precondition(format != .parquet, "Parquet is no text")
        self.format = format
        self.level = level
    }

    var name: String { format.rawValue }
    var fileExtension: String { (format == .line ? "line" : format.rawValue) + (level == nil ? "" : ".zst") }
    var timeUnit: Int64 { 1 }

    func begin(
        _ object: any SinkObject, table: String, schema: [ColumnDescription]
    ) throws(MartletError) -> any ExportFile {
        do throws(MartletError) {
            let formatter: any ResultFormatter
            switch format {
            case .csv: formatter = CSVFormatter()
            case .jsonl: formatter = JSONFormatter(shape: .lines)
            case .line, .parquet: formatter = LineProtocolFormatter(measurement: table)
            }
            return try TextExportFile(formatter, schema: schema, object: object, level: level)
        } catch {
            try object.cancel()
            throw error
        }
    }
}

/// A file of text that is being written.
private final class TextExportFile: ExportFile {
    /// Bytes of text that are gathered before they are compressed and handed on.
    private static let blockBytes = 256 << 10
    private var formatter: any ResultFormatter
    private let sink: ObjectSink
    private let level: Int32?
    private var text = MutableBuffer(capacity: 0)
    private var packed = MutableBuffer(capacity: 0)
    private var rows: Int64 = 0

    init(
        _ formatter: any ResultFormatter, schema: [ColumnDescription], object: any SinkObject, level: Int32?
    ) throws(MartletError) {
        self.formatter = formatter
        self.level = level
        sink = ObjectSink(object)
        try self.formatter.begin(schema, into: &text)
    }

    var bufferedBytes: Int { text.byteCount }
    var writtenBytes: Int64 { sink.byteCount }

    func append(_ batch: RecordBatch, rows range: Range<Int>) throws(MartletError) {
        try formatter.append(batch.rows(range), into: &text)
        rows += Int64(range.count)
        if text.byteCount >= Self.blockBytes { try flush() }
    }

    func flush() throws(MartletError) {
        guard text.byteCount > 0 else { return }
        if let level {
            packed.byteCount = 0
            try Compression.compress(text.bytes, method: .zstd, level: level, into: &packed)
            try sink.write(packed.bytes)
        } else {
            try sink.write(text.bytes)
        }
        text.byteCount = 0
    }

    func finish() throws(MartletError) -> ExportedFile {
        try formatter.finish(into: &text)
        try flush()
        try sink.finish()
        let line = formatter as? LineProtocolFormatter
        let omitted = line?.omittedRows ?? 0
        var file = ExportedFile(rowCount: rows - Int64(omitted), byteCount: sink.byteCount, crc32c: sink.crc32c)
        file.omittedRows = omitted
        file.omittedValues = line?.omittedValues ?? 0
        return file
    }

    func cancel() throws(MartletError) { try sink.object.cancel() }
}
