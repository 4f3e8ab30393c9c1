import MartletModel

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
