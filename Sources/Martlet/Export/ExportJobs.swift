import MartletModel
import MartletParquet
import MartletQuery

/// An export into a folder, by namespace, table and day, with a manifest.
final class FolderExportJob: ExportJob {
    private let export: PartitionedExport
    private let buffers: ExportBuffers
    private var told = 0

    init(_ export: PartitionedExport, buffers: ExportBuffers) {
        self.export = export
        self.buffers = buffers
    }

    var bufferBytes: Int { buffers.bytes }
    // Half of the open files, so that rows at the border of two windows don't close one that is needed again.
    var windowDays: Int { buffers.openFiles / 2 }

    func beginTable(_ name: String, namespace: String, schema: [ColumnDescription]) throws(MartletError) {
        try export.beginTable(name, namespace: namespace, schema: schema)
    }

    func append(_ batch: RecordBatch) throws(MartletError) { try export.append(batch) }

    func takeFinished() -> [ExportedPart] {
        guard export.finishedCount > told else { return [] }
        let files = export.finishedFiles[told...]
        told += files.count
        return files.map { file in
            ExportedPart(
                path: file.path, table: file.table, rows: file.rowCount, bytes: file.byteCount, crc32c: file.crc32c,
                time: file.timeRange)
        }
    }

    func finish() throws(MartletError) -> [String] {
        let manifest = try export.finish()
        return ExportNotices.of(
            truncated: manifest.truncatedTimestamps, values: manifest.omittedValues, rows: manifest.omittedRows)
    }

    func cancel() throws(MartletError) { try export.cancel() }
}

/// An export into one file.
final class FileExportJob: ExportJob {
    private let sink: any SegmentSink
    private let name: String
    private let format: any ExportFormat
    private let buffers: ExportBuffers
    private var file: (any ExportFile)?
    private var table = ""
    private var timeColumn: Int?
    private var time = TimeRange.empty
    private var finished: [ExportedPart] = []

    init(_ sink: any SegmentSink, name: String, format: any ExportFormat, buffers: ExportBuffers) {
        self.sink = sink
        self.name = name
        self.format = format
        self.buffers = buffers
    }

    // One file takes rows of any days, in whatever order they are read fastest.
    var bufferBytes: Int { .max }
    var windowDays: Int { 1_000_000 }

    func beginTable(_ name: String, namespace: String, schema: [ColumnDescription]) throws(MartletError) {
        guard file == nil else { throw MartletError(.invalidArgument, "a second table for one file") }
        table = name
        timeColumn = schema.firstIndex { $0.role == .time }
        file = try format.begin(try sink.create(self.name), table: name, schema: schema)
    }

    func append(_ batch: RecordBatch) throws(MartletError) {
        guard let file else { throw MartletError(.invalidArgument, "rows before the table of an export") }
        if let timeColumn {
            let column = batch.columns[timeColumn]
            let times = column.values.pointer(to: Int64.self)
            for row in 0..<batch.rowCount where column.isValid(row) {
                time = TimeRange(min(time.lowerBound, times[row]), max(time.upperBound, times[row]))
            }
            withExtendedLifetime(column) {}
        }
        try file.append(batch, rows: 0..<batch.rowCount)
    }

    func takeFinished() -> [ExportedPart] {
        defer { finished = [] }
        return finished
    }

    func finish() throws(MartletError) -> [String] {
        guard let file else { return [] }
        let result = try file.finish()
        let path = sink.location == "." ? name : sink.location == "/" ? "/" + name : sink.location + "/" + name
        finished.append(
            ExportedPart(
                path: path, table: table, rows: result.rowCount, bytes: result.byteCount, crc32c: result.crc32c,
                time: time.isEmpty ? nil : time))
        return ExportNotices.of(
            truncated: result.truncatedTimestamps, values: result.omittedValues, rows: result.omittedRows)
    }

    func cancel() throws(MartletError) { try file?.cancel() }
}

/// What a person should know of an export's losses.
enum ExportNotices {
    static func of(truncated: Int, values: Int, rows: Int) -> [String] {
        var notices: [String] = []
        if truncated > 0 {
            notices.append(
                "\(truncated) timestamps lost what is finer than a microsecond; (TIMESTAMPS nanos) keeps it")
        }
        if values + rows > 0 {
            notices.append(
                "line protocol cannot say \(values) NaN or infinite values and \(rows) rows without a value; "
                    + "they were left out")
        }
        return notices
    }
}
