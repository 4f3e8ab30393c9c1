import MartletModel

/// How a partitioned export is written.
package struct PartitionedExportOptions: Sendable {
    /// How each file is written.
    package var writer = ParquetWriterOptions()
    /// The bytes at which a file is finished and the next part begun.
    package var fileBytes: Int64 = 512 << 20
    /// The bytes of rows that all open files together may buffer; beyond that the fullest one ends a row group.
    package var bufferBytes = 64 << 20
    /// The most files open at once; beyond that the one that was written to longest ago is finished.
    package var openFiles = 64
    /// What the names of parts and of the manifest contain, so that `PartitionedExport.remove` finds them again.
    package var partName: String?

    /// The defaults.
    package init() {}
}

/// Writes tables as a folder tree `namespace=N/table=T/date=YYYY-MM-DD/part-K.parquet` with a manifest.
///
/// Rows may come in any order; the fewest and densest files come of rows in the order of time, for then one file is open at
/// a time. A part has its name only once it is whole and durable, and the manifest is written last: a folder with a
/// manifest is complete. Exports into the same sink add parts and a further manifest and never replace anything.
/// Not safe for use by two threads at once.
package final class PartitionedExport {
    private let sink: any SegmentSink
    private let format: any ExportFormat
    private let options: PartitionedExportOptions
    private var manifest: ExportManifest
    private var table: TableExport?
    private var isFinished = false

    /// Begins an export of Parquet into `directory`, which is made if it does not exist.
    package convenience init(
        directory: String, options: PartitionedExportOptions = PartitionedExportOptions(), fileSystem: any FileSystem,
        clock: any Clock
    ) throws(MartletError) {
        try self.init(
            DirectorySink(directory, fileSystem: fileSystem), format: ParquetExportFormat(options.writer),
            options: options, clock: clock)
    }

    /// Begins an export in any format into any sink.
    package init(
        _ sink: any SegmentSink, format: any ExportFormat,
        options: PartitionedExportOptions = PartitionedExportOptions(), clock: any Clock
    ) throws(MartletError) {
        guard options.fileBytes >= 1, options.bufferBytes >= 1, options.openFiles >= 1 else {
            throw MartletError(.invalidArgument, "the limits of an export must be positive")
        }
        self.sink = sink
        self.format = format
        self.options = options
        manifest = ExportManifest(created: clock.now(), fileFormat: format.name)
    }

    /// Rows of files finished so far, for showing progress.
    package var finishedRows: Int64 { finishedFiles.reduce(0) { $0 + $1.rowCount } }

    /// The number of files finished so far.
    package var finishedCount: Int { manifest.files.count + (table?.files.count ?? 0) }

    /// The files finished so far, in that order. O(their number).
    package var finishedFiles: [ExportManifest.Entry] { manifest.files + (table?.files ?? []) }

    /// Begins a table, after finishing the one before it. Its rows are partitioned by the `.time` column, if it has one.
    package func beginTable(
        _ name: String, namespace: String, schema: [ColumnDescription]
    ) throws(MartletError) {
        guard !isFinished else { throw MartletError(.closed, "the export is finished") }
        try endTable()
        let description = Self.describe(name, namespace: namespace, schema: schema)
        manifest.tables.append(description)
        table = TableExport(
            description, sink: sink, format: format, options: options)
    }

    private static func describe(
        _ name: String, namespace: String, schema: [ColumnDescription]
    ) -> ExportManifest.Table {
        var keys = [key("namespace", schema), key("table", schema)]
        if schema.contains(where: { $0.role == .time }) { keys.append(key("date", schema)) }
        return ExportManifest.Table(namespace: namespace, table: name, columns: schema, partitionKeys: keys)
    }

    /// A key that no column bears, whatever its case: readers would take one for the other.
    private static func key(_ wanted: String, _ schema: [ColumnDescription]) -> String {
        var key = wanted
        while schema.contains(where: { $0.name.lowercased() == key }) { key = "_" + key }
        return key
    }

    /// Appends rows to the table that was begun last.
    ///
    /// - Throws: `.typeConflict` when the batch doesn't fit the table's schema; what the file system throws. An export
    ///   that threw can only be cancelled.
    package func append(_ batch: RecordBatch) throws(MartletError) {
        guard let table else { throw MartletError(.invalidArgument, "rows before the first table of an export") }
        try table.append(batch)
    }

    private func endTable() throws(MartletError) {
        guard let table else { return }
        try table.finish()
        manifest.files += table.files
        manifest.truncatedTimestamps += table.truncatedTimestamps
        manifest.omittedValues += table.omittedValues
        manifest.omittedRows += table.omittedRows
        self.table = nil
    }

    /// Finishes the last table and writes the manifest: `_manifest.json`, or `_manifest-2.json` and so on where the
    /// directory has one of an earlier export. The underscore keeps readers of the folder from taking it for data.
    package func finish() throws(MartletError) -> ExportManifest {
        guard !isFinished else { throw MartletError(.closed, "the export is finished already") }
        try endTable()
        isFinished = true
        var name = options.partName.map(Self.manifestName) ?? "_manifest.json"
        var number = 2
        while options.partName == nil, try sink.contains(name) {
            name = Self.manifestName("\(number)")
            number += 1
        }
        let object = try sink.create(name)
        do throws(MartletError) {
            let text = Buffer(Array(manifest.json.utf8))
            try object.write(text.bytes)
            withExtendedLifetime(text) {}
            try object.finish()
        } catch {
            try object.cancel()
            throw error
        }
        return manifest
    }

    private static func manifestName(_ part: String) -> String { "_manifest-\(part).json" }

    /// Removes the Parquet parts and the manifest of an export under a name of its own: finished or not, and also where an
    /// earlier removal came half-way. O(days of the range).
    ///
    /// - Parameter time: the rows that the export was of.
    package static func remove(
        _ partName: String, from sink: any SegmentSink, table: String, schema: [ColumnDescription],
        namespace: String, time: TimeRange
    ) throws(MartletError) {
        // Without its manifest it is no whole export any more.
        try sink.remove(manifestName(partName))
        if time.isEmpty { return }
        let description = describe(table, namespace: namespace, schema: schema)
        for day in CivilTime.day(of: time.lowerBound)...CivilTime.day(of: time.upperBound) {
            var count = 0
            func path(_ number: Int) -> String {
                TableExport.path(
                    of: description, day: day, partName: partName, number, ParquetExportFormat.fileExtension)
            }
            while try sink.contains(path(count + 1)) { count += 1 }
            // The last one first: the others are found by counting up.
            for number in (0..<count).reversed() { try sink.remove(path(number + 1)) }
        }
    }

    /// Gives up: removes the files that are not finished. Parts that are finished stay, without a manifest.
    package func cancel() throws(MartletError) {
        isFinished = true
        try table?.cancel()
        table = nil
    }
}
