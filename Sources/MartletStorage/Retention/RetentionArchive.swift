import MartletModel

/// Rows that a policy writes out before it lets them go: those of one step of a run.
package struct ArchiveLot: Sendable, Hashable {
    /// Sixteen hexadecimal digits, drawn at random: parts of other lots, namespaces and databases in the same place have
    /// other names.
    package var id: String
    package var policy: String
    package var table: String
    /// As the policy names it.
    package var destination: String
    /// When it was begun.
    package var begun: Int64
    /// The first and last time of its rows.
    package var time: TimeRange

    package init(
        id: String, policy: String, table: String, destination: String, begun: Int64, time: TimeRange
    ) {
        self.id = id
        self.policy = policy
        self.table = table
        self.destination = destination
        self.begun = begun
        self.time = time
    }
}

/// A finished file of a lot.
package struct ArchivedFile: Sendable, Hashable {
    package var path: String
    package var rows: Int64
    package var bytes: Int64
    package var crc32c: UInt32

    package init(path: String, rows: Int64, bytes: Int64, crc32c: UInt32) {
        self.path = path
        self.rows = rows
        self.bytes = bytes
        self.crc32c = crc32c
    }
}

/// Writes rows to where policies say. Storage knows the rows and when they go; who opens it knows formats and places.
package protocol RetentionArchive: Sendable {
    /// Whether lots can go to a destination.
    ///
    /// - Throws: `.unauthorized`, `.unsupported`, `.invalidArgument`.
    func check(_ destination: String) throws(MartletError)

    /// Writes the rows of a lot's table, time and series, whole and durable, before it returns.
    ///
    /// - Parameters:
    ///   - snapshot: gives the rows themselves, without what rollups stand for.
    ///   - namespace: whose rows they are.
    /// - Throws: whatever keeps it from doing so. What was finished by then stays until `discard`.
    func write(
        _ lot: ArchiveLot, series: TagPredicate, of snapshot: any ReadSnapshot, in namespace: any NamespaceEngine,
        context: QueryContext
    ) throws(MartletError) -> [ArchivedFile]

    /// Removes whatever was written of a lot. Does nothing where there is nothing.
    ///
    /// - Parameter schema: the lot's table.
    func discard(_ lot: ArchiveLot, of schema: TableSchema, namespace: String) throws(MartletError)
}
