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

/// The lots of a namespace, kept as rows of one of its tables. A lot is noted before its first byte is written, and noted
/// as written in the commit that erases its rows: whatever ends a process in between, a row is in the database or in the
/// archive and not in both, once the next run has removed what was half done.
package struct ArchiveRecord {
    static let table = "_retention_exports"

    private enum Name {
        static let lot = "export"
        static let policy = "policy"
        static let table = "table"
    }

    private static let fields = ["state", "destination", "first_time", "last_time"]

    /// How far a lot is.
    private enum State: String {
        case writing, written, discarded
    }

    /// The lots that were begun and never ended, of one table.
    static func unfinished(
        of table: String, _ snapshot: any ReadSnapshot, _ context: QueryContext
    ) throws(MartletError) -> [ArchiveLot] {
        try lots(of: table, .writing, snapshot, context)
    }

    /// The lots of a table that are in an archive and may hold rows of a range of time.
    package static func written(
        of table: String, in time: TimeRange, _ snapshot: any ReadSnapshot, _ context: QueryContext
    ) throws(MartletError) -> [ArchiveLot] {
        try lots(of: table, .written, snapshot, context).filter { $0.time.overlaps(time) }
    }

    private static func lots(
        of table: String, _ state: State, _ snapshot: any ReadSnapshot, _ context: QueryContext
    ) throws(MartletError) -> [ArchiveLot] {
        guard snapshot.schema(of: Self.table) != nil else { return [] }
        let scan = try snapshot.scan(
            ScanRequest(table: Self.table, fields: fields, series: .equals(Name.table, table)), context: context)
        let ids = try scan.tagCodes(Name.lot)
        let policies = try scan.tagCodes(Name.policy)
        var found: [ArchiveLot] = []
        while case .rows(let batch)? = try scan.next() {
            let times = batch.times.values.pointer(to: Int64.self)
            for run in batch.runs {
                let (id, policy) = (ids.codes[Int(run.series)], policies.codes[Int(run.series)])
                guard id != SeriesTagCodes.absent, policy != SeriesTagCodes.absent else { continue }
                for row in Int(run.start)..<Int(run.start + run.count) {
                    guard batch.fields[0].value(at: row) == .string(state.rawValue),
                        case .string(let destination)? = batch.fields[1].value(at: row),
                        case .int64(let first)? = batch.fields[2].value(at: row),
                        case .int64(let last)? = batch.fields[3].value(at: row)
                    else { continue }
                    found.append(
                        ArchiveLot(
                            id: ids.dictionary.string(Int(id)), policy: policies.dictionary.string(Int(policy)),
                            table: table, destination: destination, begun: times[row], time: TimeRange(first, last)))
                }
            }
            withExtendedLifetime(batch) {}
        }
        return found
    }

    /// Notes that a lot is being written.
    static func begun(_ lot: ArchiveLot) throws(MartletError) -> TableBatch {
        try row(
            lot,
            [
                ("state", .string(State.writing.rawValue)), ("destination", .string(lot.destination)),
                ("first_time", .int64(lot.time.lowerBound)), ("last_time", .int64(lot.time.upperBound)),
            ])
    }

    /// Notes that a lot is written.
    static func written(_ lot: ArchiveLot, _ files: [ArchivedFile]) throws(MartletError) -> TableBatch {
        let list = files.map { file in
            let digits = String(file.crc32c, radix: 16)
            return (file.path, String(repeating: "0", count: 8 - digits.count) + digits)
        }
        return try row(
            lot,
            [
                ("state", .string(State.written.rawValue)), ("rows", .int64(files.reduce(0) { $0 + $1.rows })),
                ("bytes", .int64(files.reduce(0) { $0 + $1.bytes })),
                // Each file with the CRC32C of its bytes.
                ("files", .string(PairList.encode(list))),
            ])
    }

    /// Notes that what was written of a lot is removed.
    static func discarded(_ lot: ArchiveLot) throws(MartletError) -> TableBatch {
        try row(lot, [("state", .string(State.discarded.rawValue))])
    }

    private static func row(
        _ lot: ArchiveLot, _ values: [(String, FieldValue)]
    ) throws(MartletError) -> TableBatch {
        var schema = [ColumnDescription(TableSchema.timeColumn, .timestamp, .time)]
        var columns = [Column(.timestamp, unsafeElements: [lot.begun])]
        for (name, text) in [(Name.lot, lot.id), (Name.policy, lot.policy), (Name.table, lot.table)] {
            schema.append(ColumnDescription(name, .string, .tag))
            columns.append(try Column(.string, [.string(text)]))
        }
        for (name, value) in values {
            schema.append(ColumnDescription(name, value.type, .field))
            columns.append(try Column(value.type, [value]))
        }
        return TableBatch(table: table, batch: RecordBatch(schema: schema, columns: columns, rowCount: 1))
    }
}

/// Moving rows on with their archive.
extension NamespaceStore {
    /// How often a lot is written anew where rows come to its range meanwhile, before the step is left to the next run.
    private static let mostAttempts = 3

    /// Writes the rows of a step out and moves them on. Others append meanwhile; where they append to the same range, what
    /// was written is removed and written again.
    ///
    /// Another run of the namespace that archives waits meanwhile.
    ///
    /// - Returns: `nil` where rows kept coming.
    func moveArchiving(
        _ step: TierStep, to destination: String, policy: String, _ context: QueryContext
    ) throws(MartletError) -> TierMove? {
        try archiving.withLock { (_) throws(MartletError) in
            try moveAlone(step, to: destination, policy: policy, context)
        }
    }

    private func moveAlone(
        _ step: TierStep, to destination: String, policy: String, _ context: QueryContext
    ) throws(MartletError) -> TierMove? {
        guard let archive = core.options.archive else {
            throw MartletError(
                .unsupported,
                "retention policy '\(policy)' exports to '\(destination)', and this program has no exporter",
                hint: "open the database with one that has, or ALTER RETENTION POLICY \(policy) EXPORT TO NONE")
        }
        try discardUnfinished(of: step.table, archive, context)
        for _ in 0..<Self.mostAttempts {
            let state = try settled()
            var reading = try read(step, state)
            if reading.move.sourceCount == 0 { return reading.move }
            let lot = ArchiveLot(
                id: Self.randomID(), policy: policy, table: step.table, destination: destination,
                begun: core.clock.now().nanoseconds, time: reading.move.time)
            try note(try ArchiveRecord.begun(lot))
            let snapshot = NamespaceSnapshot(state, series: series, core: core, readsTiers: false)
            let files = try archive.write(lot, series: step.series, of: snapshot, in: self, context: context)
            reading.move.archivedRowCount = Int(files.reduce(0) { $0 + $1.rows })
            reading.move.archivedByteCount = Int(files.reduce(0) { $0 + $1.bytes })
            guard reading.move.archivedRowCount == reading.move.sourceCount else {
                throw MartletError(
                    .io,
                    "\(reading.move.archivedRowCount) of \(reading.move.sourceCount) rows of '\(step.table)' were "
                        + "exported to '\(destination)'", hint: "none of them is erased; see the place and run again")
            }
            reading.batches.append(try AppendBatch(try ArchiveRecord.written(lot, files)))
            // Where the commit fails, the lot is left as it is: whether its rows are erased is what the log says when the
            // next run has settled it, and that run removes the lot if they are not.
            let complete = reading
            let move = try change { (writer) throws(MartletError) -> TierMove? in
                holds(complete, step, former: state, present: writer.state)
                    ? try write(complete, step, writer) : nil
            }
            if let move { return move }
            try discard(lot, archive)
        }
        return nil
    }

    private static func randomID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func discardUnfinished(
        of table: String, _ archive: any RetentionArchive, _ context: QueryContext
    ) throws(MartletError) {
        // A commit that failed and yet is on the disk would erase the rows of a lot whose files are gone.
        let snapshot = NamespaceSnapshot(try settled(), series: series, core: core)
        let lots = try ArchiveRecord.unfinished(of: table, snapshot, context)
        for lot in lots { try discard(lot, archive) }
    }

    private func discard(_ lot: ArchiveLot, _ archive: any RetentionArchive) throws(MartletError) {
        guard let schema = currentState.catalog[lot.table]?.schema else { return }
        try archive.discard(lot, of: schema, namespace: name)
        try note(try ArchiveRecord.discarded(lot))
    }

    private func note(_ row: TableBatch) throws(MartletError) {
        if let refused = try append([row]).rejected.first { throw refused.error }
    }
}
