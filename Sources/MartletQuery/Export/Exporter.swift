import MartletModel

/// Writes rows to where a statement says. The facade gives the engine one, which knows the formats; the engine knows
/// the rows.
package protocol Exporter: Sendable {
    /// Begins an export.
    ///
    /// - Parameter memory: what the export's buffers are reserved from.
    /// - Throws: `.forbidden` where the destination is not allowed; `.alreadyExists`; `.unsupported` for a format or a
    ///   scheme; `.resourceExhausted`.
    func begin(_ request: ExportRequest, memory: MemoryBudget, clock: any Clock) throws(MartletError) -> any ExportJob

    /// Whether files of a folder can go to a destination, as far as that can be told without writing one.
    ///
    /// - Throws: as `begin` does.
    func checkFolder(_ destination: String) throws(MartletError)

    /// Removes what an export of a table's rows of some days wrote to a folder under a name of its own.
    ///
    /// - Parameters:
    ///   - request: as `begin` had it, with a name for its parts.
    ///   - schema: as `beginTable` had it.
    func remove(
        _ request: ExportRequest, table: String, schema: [ColumnDescription], namespace: String, time: TimeRange
    ) throws(MartletError)
}

/// What a statement asks an exporter for.
package struct ExportRequest: Sendable {
    /// The destination as it was written.
    package var destination: String
    /// How.
    package var options: ExportOptions
    /// Whether all rows are of one table or query, so that they fit one file.
    package var isSingleTable: Bool
    /// What the names of a folder's files are to contain, so that they can be told from other exports' and removed.
    package var partName: String?

    package init(destination: String, options: ExportOptions, isSingleTable: Bool, partName: String? = nil) {
        self.partName = partName
        self.destination = destination
        self.options = options
        self.isSingleTable = isSingleTable
    }
}

/// A file that an export finished.
package struct ExportedPart: Sendable, Equatable {
    /// Its path below the destination, or the destination where that is a file.
    package var path: String
    /// The table whose rows it holds.
    package var table: String
    /// Rows, bytes and the CRC32C of the bytes.
    package var rows: Int64
    package var bytes: Int64
    package var crc32c: UInt32
    /// The times of its rows, if they have any.
    package var time: TimeRange?

    package init(path: String, table: String, rows: Int64, bytes: Int64, crc32c: UInt32, time: TimeRange?) {
        self.path = path
        self.table = table
        self.rows = rows
        self.bytes = bytes
        self.crc32c = crc32c
        self.time = time
    }
}

/// A running export. One thread at a time.
package protocol ExportJob: AnyObject {
    /// The bytes of rows that the job buffers; rows that come in windows of about so many are written best.
    var bufferBytes: Int { get }
    /// The days that a window of rows should not exceed.
    var windowDays: Int { get }
    /// Begins a table; its rows follow.
    func beginTable(_ name: String, namespace: String, schema: [ColumnDescription]) throws(MartletError)
    /// Writes rows of the table that was begun last.
    func append(_ batch: RecordBatch) throws(MartletError)
    /// The files that were finished since the last call.
    func takeFinished() -> [ExportedPart]
    /// Completes everything; returns remarks for a person.
    func finish() throws(MartletError) -> [String]
    /// Gives up and removes what is not finished. Does nothing after `finish`.
    func cancel() throws(MartletError)
}
