import MartletModel
import MartletStorage

/// Reads everything of a namespace through its scans.
enum HistoryObserver {
    /// The whole content.
    static func read(_ namespace: any NamespaceEngine) throws(MartletError) -> HistoryModel {
        let snapshot = try namespace.snapshot()
        var model = HistoryModel()
        for schema in snapshot.tables {
            var table = TableModel()
            for field in schema.fields { table.fields[field.name] = field.type }
            let request = ScanRequest(table: schema.name, fields: schema.fields.map(\.name))
            table.rows = try rows(of: schema, request, in: snapshot)
            model.tables[schema.name] = table
        }
        return model
    }

    /// The rows of one scan.
    static func rows(
        of schema: TableSchema, _ request: ScanRequest, in snapshot: any ReadSnapshot
    ) throws(MartletError) -> [TagSet: [Int64: [String: FieldValue]]] {
        let context = QueryContext(memory: MemoryBudget(limit: 64 << 20))
        return try collect(try snapshot.scan(request, context: context), schema, request)
    }

    /// The latest rows.
    static func latest(
        of schema: TableSchema, in snapshot: any ReadSnapshot
    ) throws(MartletError) -> [TagSet: [Int64: [String: FieldValue]]] {
        let context = QueryContext(memory: MemoryBudget(limit: 64 << 20))
        let request = ScanRequest(table: schema.name, fields: schema.fields.map(\.name))
        return try collect(try snapshot.latest(request, context: context), schema, request)
    }

    private static func collect(
        _ scan: any TableScan, _ schema: TableSchema, _ request: ScanRequest
    ) throws(MartletError) -> [TagSet: [Int64: [String: FieldValue]]] {
        var tagPairs = [[(String, String)]](repeating: [], count: scan.seriesCount)
        for key in schema.tags {
            let codes = try scan.tagCodes(key)
            for (series, code) in codes.codes.enumerated() where code != SeriesTagCodes.absent {
                tagPairs[series].append((key, codes.dictionary.string(Int(code))))
            }
        }
        var tagSets: [TagSet] = []
        for pairs in tagPairs { tagSets.append(try TagSet(pairs)) }
        var result: [TagSet: [Int64: [String: FieldValue]]] = [:]
        var last: (series: UInt32, time: Int64)?
        var finished: Set<UInt32> = []
        while let item = try scan.next() {
            guard case .rows(let batch) = item else {
                throw MartletError(.internal, "a scan gave a summary that nobody allowed")
            }
            var covered = 0
            for run in batch.runs {
                guard Int(run.start) == covered, run.count > 0, !finished.contains(run.series) else {
                    throw MartletError(.internal, "a scan's runs are out of order: \(run)")
                }
                if let last, last.series != run.series { finished.insert(last.series) }
                covered += Int(run.count)
                for row in Int(run.start)..<covered {
                    let time = batch.times.values.pointer(to: Int64.self)[row]
                    if let last, last.series == run.series, request.newestFirst ? last.time <= time : last.time >= time
                    {
                        throw MartletError(.internal, "a scan's times are out of order: \(last.time), then \(time)")
                    }
                    guard request.time.contains(time) else {
                        throw MartletError(.internal, "a scan of \(request.time) gave a row of \(time)")
                    }
                    last = (run.series, time)
                    var values: [String: FieldValue] = [:]
                    for (name, column) in zip(request.fields, batch.fields) { values[name] = column.value(at: row) }
                    result[tagSets[Int(run.series)], default: [:]][time] = values
                }
            }
            guard covered == batch.rowCount else { throw MartletError(.internal, "a scan's runs leave rows out") }
        }
        return result
    }
}
