import MartletModel

/// Writes one Parquet file that gets its name only once it is whole and durable.
///
/// Until `finish()` the bytes lie beside it under a name that begins with a dot, which readers of folders pass over. An
/// export that is cancelled removes them; what a killed one leaves, the next one of the same name removes.
package final class ParquetFileExport {
    /// What became of a finished file.
    package struct Result: Sendable, Equatable {
        /// Rows, bytes and row groups.
        package var summary: ParquetFileSummary
        /// The CRC32C of the whole file.
        package var crc32c: UInt32
    }

    private let fileSystem: any FileSystem
    private let directory: String
    private let path: String
    private let partialPath: String
    private let file: any File
    private let sink: FileSink
    /// The writer that rows go to.
    let writer: ParquetWriter
    private var isDone = false

    /// Begins the file `directory/name`, which must not exist, in a directory that does.
    ///
    /// - Throws: `.alreadyExists`; what `ParquetWriter.init` and the file system throw.
    package convenience init(
        directory: String, name: String, schema: [ColumnDescription],
        options: ParquetWriterOptions = ParquetWriterOptions(), fileSystem: any FileSystem
    ) throws(MartletError) {
        try self.init(
            directory: directory, name: name, schema: schema, options: options,
            workspace: PageWorkspace(options.compression), fileSystem: fileSystem)
    }

    init(
        directory: String, name: String, schema: [ColumnDescription], options: ParquetWriterOptions,
        workspace: PageWorkspace, fileSystem: any FileSystem
    ) throws(MartletError) {
        let path = "\(directory)/\(name)"
        let partialPath = "\(directory)/.\(name).partial"
        guard !fileSystem.exists(path) else {
            throw MartletError(
                .alreadyExists, "there is a file of that name", at: .file(path: path, offset: nil),
                hint: "choose another name, or remove it")
        }
        if fileSystem.exists(partialPath) { try fileSystem.remove(partialPath) }
        let file = try fileSystem.open(partialPath, .create)
        let sink = FileSink(file, bufferSize: 64 << 10)
        do throws(MartletError) {
            writer = try ParquetWriter(schema: schema, options: options, workspace: workspace, to: sink)
        } catch {
            try file.close()
            try fileSystem.remove(partialPath)
            throw error
        }
        self.directory = directory
        self.path = path
        self.partialPath = partialPath
        self.file = file
        self.sink = sink
        self.fileSystem = fileSystem
    }

    /// Bytes handed to the file so far.
    package var writtenBytes: Int64 { writer.writtenBytes }

    /// Appends the rows of a batch; throws as `ParquetWriter.append` does.
    package func append(_ batch: RecordBatch) throws(MartletError) { try writer.append(batch) }

    /// Completes the file, makes it durable and gives it its name.
    package func finish() throws(MartletError) -> Result {
        let summary = try writer.finish()
        try sink.synchronize()
        try file.close()
        try fileSystem.rename(partialPath, to: path)
        try fileSystem.syncDirectory(directory)
        isDone = true
        return Result(summary: summary, crc32c: sink.crc32c)
    }

    /// Gives the file up and removes what was written. Does nothing to a finished file.
    package func cancel() throws(MartletError) {
        guard !isDone else { return }
        isDone = true
        // A `finish` that failed late may have closed the file.
        do throws(MartletError) {
            try file.close()
        } catch {
            guard error.code == .closed else { throw error }
        }
        try fileSystem.remove(partialPath)
    }
}
