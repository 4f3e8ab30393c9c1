import MartletModel
import MartletStorage

/// Writes rows out as its result is pulled; the result is one row for each finished file.
final class ExportOperator: Operator {
    /// Rows of one table.
    struct Source {
        var table: String
        var rows: () throws(MartletError) -> Operator
    }

    static let columns = [
        ColumnDescription("path", .string), ColumnDescription("table", .string), ColumnDescription("rows", .int64),
        ColumnDescription("bytes", .int64), ColumnDescription("crc32c", .string),
        ColumnDescription("first_time", .timestamp), ColumnDescription("last_time", .timestamp),
    ]

    private let job: any ExportJob
    private var sources: ArraySlice<Source>
    private var current: Operator?
    private var isDone = false

    init(_ job: any ExportJob, sources: [Source], context: StatementContext) {
        self.job = job
        self.sources = sources[...]
        super.init(columns: Self.columns, context: context)
    }

    deinit {
        // The result was let go before its end. A file that can't be removed now is one that readers pass over.
        if !isDone { try? job.cancel() }
    }

    override func produce() throws(MartletError) -> Rows? {
        if isDone { return nil }
        do throws(MartletError) {
            while true {
                try context.query.check()
                let finished = job.takeFinished()
                if !finished.isEmpty { return try Self.rows(finished) }
                if let current {
                    if let rows = try current.next() {
                        try job.append(
                            RecordBatch(schema: current.columns, columns: rows.columns, rowCount: rows.count))
                    } else {
                        self.current = nil
                    }
                } else if let source = sources.popFirst() {
                    let rows = try source.rows()
                    try job.beginTable(source.table, namespace: context.namespace.name, schema: rows.columns)
                    current = rows
                } else {
                    context.notices += try job.finish()
                    isDone = true
                    let finished = job.takeFinished()
                    return finished.isEmpty ? nil : try Self.rows(finished)
                }
            }
        } catch {
            isDone = true
            current = nil
            // The error that ended the export is the one to tell; what can't be removed, readers pass over.
            try? job.cancel()
            throw error
        }
    }

    private static func rows(_ parts: [ExportedPart]) throws(MartletError) -> Rows {
        let rows = parts.map { part -> [FieldValue?] in
            let digits = String(part.crc32c, radix: 16)
            return [
                .string(part.path), .string(part.table), .int64(part.rows), .int64(part.bytes),
                .string(String(repeating: "0", count: 8 - digits.count) + digits),
                part.time.map { .timestamp(Timestamp(nanoseconds: $0.lowerBound)) },
                part.time.map { .timestamp(Timestamp(nanoseconds: $0.upperBound)) },
            ]
        }
        return try RowsPlan.of("export", columns, rows).rows
    }

    override var title: String { "Export" }
}
