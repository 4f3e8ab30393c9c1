import MartletModel

/// The files of one table that is being exported, by day.
final class TableExport {
    /// The files finished so far.
    private(set) var files: [ExportManifest.Entry] = []
    /// Timestamps that lost what is finer than the unit they are written in.
    private(set) var truncatedTimestamps = 0
    /// Values and rows that the format has no form for.
    private(set) var omittedValues = 0
    private(set) var omittedRows = 0

    private let table: ExportManifest.Table
    private let sink: any SegmentSink
    private let format: any ExportFormat
    private let options: PartitionedExportOptions
    private let timeColumn: Int?
    /// The open files; the key is the day, or `nil` where the table has no time.
    private var parts: [Int64?: Part] = [:]
    private var nextNumbers: [Int64?: Int] = [:]
    private var bufferedBytes = 0
    private var uses = 0

    init(
        _ table: ExportManifest.Table, sink: any SegmentSink, format: any ExportFormat,
        options: PartitionedExportOptions
    ) {
        self.table = table
        self.sink = sink
        self.format = format
        self.options = options
        timeColumn = table.columns.firstIndex { $0.role == .time }
    }

    /// A file that is being written.
    private final class Part {
        let file: any ExportFile
        let path: String
        var lastUse = 0
        private(set) var timeRange: TimeRange?

        init(_ file: any ExportFile, path: String) {
            self.file = file
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
        let before = part.file.bufferedBytes
        try part.file.append(batch, rows: rows)
        bufferedBytes += part.file.bufferedBytes - before
        if let timeColumn { part.cover(batch.columns[timeColumn], rows) }
        if part.file.writtenBytes >= options.fileBytes { try finish(day) }
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

    /// Where a part of a day's rows goes.
    static func path(
        of table: ExportManifest.Table, day: Int64?, partName: String?, _ number: Int, _ ending: String
    ) -> String {
        var folders = [
            HivePath.folder(table.partitionKeys[0], table.namespace),
            HivePath.folder(table.partitionKeys[1], table.table),
        ]
        if let day { folders.append(HivePath.folder(table.partitionKeys[2], CivilTime.date(day: day))) }
        let name = partName.map { "part-\($0)-\(number)" } ?? "part-\(number)"
        return (folders + ["\(name).\(ending)"]).joined(separator: "/")
    }

    private func begin(_ day: Int64?) throws(MartletError) -> Part {
        func path(_ number: Int) -> String {
            Self.path(of: table, day: day, partName: options.partName, number, format.fileExtension)
        }
        var number = nextNumbers[day] ?? 1
        while try sink.contains(path(number)) { number += 1 }
        nextNumbers[day] = number + 1
        let path = path(number)
        let file = try format.begin(try sink.create(path), table: table.table, schema: table.columns)
        bufferedBytes += file.bufferedBytes
        return Part(file, path: path)
    }

    private func endFullestRowGroup() throws(MartletError) {
        let held = { (part: Part) in part.file.bufferedBytes }
        guard let fullest = parts.values.max(by: { held($0) < held($1) }) else { return }
        let before = held(fullest)
        try fullest.file.flush()
        bufferedBytes += held(fullest) - before
    }

    private func finish(_ day: Int64?) throws(MartletError) {
        guard let part = parts[day] else { return }
        let buffered = part.file.bufferedBytes
        let result = try part.file.finish()
        parts[day] = nil
        bufferedBytes -= buffered
        truncatedTimestamps += result.truncatedTimestamps
        omittedValues += result.omittedValues
        omittedRows += result.omittedRows
        let unit = format.timeUnit
        files.append(
            ExportManifest.Entry(
                namespace: table.namespace, table: table.table, path: part.path, rowCount: result.rowCount,
                byteCount: result.byteCount, crc32c: result.crc32c,
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
        for part in parts.values { try part.file.cancel() }
        parts = [:]
    }
}
