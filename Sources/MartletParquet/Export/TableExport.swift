import MartletModel

/// The files of one table that is being exported, by day.
final class TableExport {
    /// The files finished so far.
    private(set) var files: [ExportManifest.Entry] = []
    /// Timestamps that lost what is finer than the unit they are written in.
    private(set) var truncatedTimestamps = 0

    private let table: ExportManifest.Table
    private let directory: String
    private let options: PartitionedExportOptions
    private let workspace: PageWorkspace
    private let fileSystem: any FileSystem
    private let timeColumn: Int?
    /// The open files; the key is the day, or `nil` where the table has no time.
    private var parts: [Int64?: Part] = [:]
    private var nextNumbers: [Int64?: Int] = [:]
    private var bufferedBytes = 0
    private var uses = 0

    init(
        _ table: ExportManifest.Table, directory: String, options: PartitionedExportOptions, workspace: PageWorkspace,
        fileSystem: any FileSystem
    ) {
        self.table = table
        self.directory = directory
        self.options = options
        self.workspace = workspace
        self.fileSystem = fileSystem
        timeColumn = table.columns.firstIndex { $0.role == .time }
    }

    /// A file that is being written.
    private final class Part {
        let export: ParquetFileExport
        let path: String
        var lastUse = 0
        private(set) var timeRange: TimeRange?

        init(_ export: ParquetFileExport, path: String) {
            self.export = export
            self.path = path
        }

        /// Widens the range of times by those of some rows.
        func cover(_ column: Column, _ rows: Range<Int>) {
            let times = column.values.pointer(to: Int64.self)
            var range = timeRange ?? .empty
            for row in rows {
                range.lowerBound = min(range.lowerBound, times[row])
                range.upperBound = max(range.upperBound, times[row])
            }
            timeRange = range
        }
    }

    /// Appends each run of rows of one day to that day's file.
    func append(_ batch: RecordBatch) throws(MartletError) {
        guard let timeColumn else { return try append(batch, rows: 0..<batch.rowCount, to: nil) }
        guard timeColumn < batch.columns.count, batch.columns[timeColumn].type == .timestamp,
            batch.columns[timeColumn].nullCount == 0
        else {
            throw MartletError(
                .typeConflict, "a batch lacks the times of its rows", at: .column(table: table.table, column: nil))
        }
        let column = batch.columns[timeColumn]
        let times = column.values.pointer(to: Int64.self)
        var start = 0
        while start < batch.rowCount {
            let day = CivilTime.day(of: times[start])
            var end = start + 1
            while end < batch.rowCount, CivilTime.day(of: times[end]) == day { end += 1 }
            try append(batch, rows: start..<end, to: day)
            start = end
        }
    }

    private func append(_ batch: RecordBatch, rows: Range<Int>, to day: Int64?) throws(MartletError) {
        guard !rows.isEmpty else { return }
        let part = try self.part(day)
        uses += 1
        part.lastUse = uses
        let before = part.export.writer.bufferedBytes
        try part.export.writer.append(batch, rows: rows)
        bufferedBytes += part.export.writer.bufferedBytes - before
        if let timeColumn { part.cover(batch.columns[timeColumn], rows) }
        if part.export.writtenBytes >= options.fileBytes { try finish(day) }
        if bufferedBytes > options.bufferBytes { try endFullestRowGroup() }
    }

    /// The open file of a day, after closing another one where too many are open.
    private func part(_ day: Int64?) throws(MartletError) -> Part {
        if let part = parts[day] { return part }
        if parts.count >= options.openFiles, let oldest = parts.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            try finish(oldest.key)
        }
        let part = try begin(day)
        parts[day] = part
        return part
    }

    private func begin(_ day: Int64?) throws(MartletError) -> Part {
        var folders = [
            HivePath.folder(table.partitionKeys[0], table.namespace),
            HivePath.folder(table.partitionKeys[1], table.table),
        ]
        if let day { folders.append(HivePath.folder(table.partitionKeys[2], CivilTime.date(day: day))) }
        var path = directory
        for folder in folders {
            let parent = path
            path += "/" + folder
            if !fileSystem.exists(path) {
                try fileSystem.createDirectory(path)
                try fileSystem.syncDirectory(parent)
            }
        }
        var number = nextNumbers[day] ?? 1
        while fileSystem.exists("\(path)/part-\(number).parquet") { number += 1 }
        nextNumbers[day] = number + 1
        let name = "part-\(number).parquet"
        let export = try ParquetFileExport(
            directory: path, name: name, schema: table.columns, options: options.writer, workspace: workspace,
            fileSystem: fileSystem)
        bufferedBytes += export.writer.bufferedBytes
        return Part(export, path: (folders + [name]).joined(separator: "/"))
    }

    private func endFullestRowGroup() throws(MartletError) {
        let held = { (part: Part) in part.export.writer.bufferedBytes }
        guard let fullest = parts.values.max(by: { held($0) < held($1) }) else { return }
        let before = held(fullest)
        try fullest.export.writer.endRowGroup()
        bufferedBytes += held(fullest) - before
    }

    private func finish(_ day: Int64?) throws(MartletError) {
        guard let part = parts[day] else { return }
        let buffered = part.export.writer.bufferedBytes
        let result = try part.export.finish()
        parts[day] = nil
        bufferedBytes -= buffered
        truncatedTimestamps += result.summary.truncatedTimestamps
        let unit: Int64 = options.writer.timestampUnit == .microseconds ? 1000 : 1
        files.append(
            ExportManifest.Entry(
                namespace: table.namespace, table: table.table, path: part.path, rowCount: result.summary.rowCount,
                byteCount: result.summary.byteCount, crc32c: result.crc32c,
                timeRange: part.timeRange.map {
                    TimeRange(
                        FixedChunk.units($0.lowerBound, unit) * unit, FixedChunk.units($0.upperBound, unit) * unit)
                }))
    }

    /// Finishes every open file, in the order of days.
    func finish() throws(MartletError) {
        for day in parts.keys.sorted(by: { ($0 ?? .min) < ($1 ?? .min) }) { try finish(day) }
    }

    /// Removes every open file.
    func cancel() throws(MartletError) {
        for part in parts.values { try part.export.cancel() }
        parts = [:]
    }
}
