import MartletModel

/// A format that tables are exported in. One object serves one export and one thread at a time.
package protocol ExportFormat: AnyObject {
    /// The format's name, as the manifest gives it.
    var name: String { get }
    /// What the names of its files end in, without the first dot.
    var fileExtension: String { get }
    /// The nanoseconds to which times are rounded down.
    var timeUnit: Int64 { get }
    /// Begins a file of rows of `table`.
    ///
    /// - Throws: `.unsupported` or `.invalidArgument` for a schema that the format cannot carry; what `object` throws.
    ///   The object is cancelled then.
    func begin(
        _ object: any SinkObject, table: String, schema: [ColumnDescription]
    ) throws(MartletError) -> any ExportFile
}

/// A file that rows are written to, in the order in which they come.
package protocol ExportFile: AnyObject {
    /// Bytes of rows that are held in memory.
    var bufferedBytes: Int { get }
    /// Bytes handed to the file so far.
    var writtenBytes: Int64 { get }
    /// Appends some rows of a batch of the file's schema.
    func append(_ batch: RecordBatch, rows: Range<Int>) throws(MartletError)
    /// Writes out what is held in memory.
    func flush() throws(MartletError)
    /// Completes the file, makes it durable and gives it its name.
    func finish() throws(MartletError) -> ExportedFile
    /// Gives the file up and removes what was written. Does nothing to a finished file.
    func cancel() throws(MartletError)
}

/// What became of a finished file.
package struct ExportedFile: Sendable, Equatable {
    /// Rows in it.
    package var rowCount: Int64
    /// Its bytes.
    package var byteCount: Int64
    /// The CRC32C of the whole file.
    package var crc32c: UInt32
    /// Timestamps that lost what is finer than the unit they are written in.
    package var truncatedTimestamps = 0
    /// Values that the format has no form for and that were left out.
    package var omittedValues = 0
    /// Rows left out because no value of theirs was left.
    package var omittedRows = 0

    package init(rowCount: Int64, byteCount: Int64, crc32c: UInt32) {
        self.rowCount = rowCount
        self.byteCount = byteCount
        self.crc32c = crc32c
    }
}
