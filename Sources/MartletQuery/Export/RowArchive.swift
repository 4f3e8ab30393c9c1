import MartletModel
import MartletStorage

/// Writes the rows that retention policies let go as Parquet, through an exporter.
package struct RowArchive: RetentionArchive {
    private let exporter: any Exporter

    package init(_ exporter: any Exporter) { self.exporter = exporter }

    package func check(_ destination: String) throws(MartletError) { try exporter.checkFolder(destination) }

    package func write(
        _ lot: ArchiveLot, series: TagPredicate, of snapshot: any ReadSnapshot, in namespace: any NamespaceEngine,
        context: QueryContext
    ) throws(MartletError) -> [ArchivedFile] {
        guard let schema = snapshot.schema(of: lot.table) else {
            throw MartletError(.notFound, "there is no table '\(lot.table)'")
        }
        var request = Self.request(lot)
        // Microseconds, which every reader knows, as long as nothing is lost.
        if try Self.hasFinerTimes(lot, series, snapshot, context) { request.options.timestamps = .nanos }
        let statement = StatementContext(
            source: SourceText(""), options: QueryOptions(), parameters: [], directory: SoleNamespace(namespace),
            namespace: namespace, query: context, snapshot: snapshot)
        var plan = ScanPlan(of: schema)
        plan.time = lot.time
        plan.series = series
        let job = try exporter.begin(request, memory: context.memory, clock: namespace.clock)
        let scan = try ExportScanOperator(
            plan, context: statement, windowBytes: job.bufferBytes, windowDays: job.windowDays)
        var files: [ArchivedFile] = []
        do throws(MartletError) {
            try job.beginTable(lot.table, namespace: namespace.name, schema: scan.columns)
            while let rows = try scan.next() {
                try job.append(RecordBatch(schema: scan.columns, columns: rows.columns, rowCount: rows.count))
            }
            _ = try job.finish()
            for part in job.takeFinished() {
                files.append(
                    ArchivedFile(path: part.path, rows: part.rows, bytes: part.bytes, crc32c: part.crc32c))
            }
        } catch {
            // The error that ended it is the one to tell; what is left is removed with the lot.
            try? job.cancel()
            throw error
        }
        return files
    }

    package func discard(
        _ lot: ArchiveLot, of schema: TableSchema, namespace: String
    ) throws(MartletError) {
        try exporter.remove(
            Self.request(lot), table: lot.table, schema: ScanPlan(of: schema).columns.map(\.description),
            namespace: namespace, time: lot.time)
    }

    private static func request(_ lot: ArchiveLot) -> ExportRequest {
        var options = ExportOptions()
        options.format = .parquet
        options.table = lot.table
        return ExportRequest(
            destination: lot.destination, options: options, isSingleTable: true, partName: lot.id)
    }

    private static func hasFinerTimes(
        _ lot: ArchiveLot, _ series: TagPredicate, _ snapshot: any ReadSnapshot, _ context: QueryContext
    ) throws(MartletError) -> Bool {
        let scan = try snapshot.scan(
            ScanRequest(table: lot.table, fields: [], time: lot.time, series: series), context: context)
        while case .rows(let batch)? = try scan.next() {
            let times = batch.times.values.pointer(to: Int64.self)
            for row in 0..<batch.rowCount where times[row] % 1000 != 0 { return true }
            withExtendedLifetime(batch) {}
        }
        return false
    }
}

/// The one namespace that a statement of the engine's own is about.
private struct SoleNamespace: NamespaceDirectory {
    private let engine: any NamespaceEngine

    init(_ engine: any NamespaceEngine) { self.engine = engine }

    var namespaceNames: [String] { [engine.name] }
    var statistics: StorageStatistics { StorageStatistics() }
    func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine {
        if name == engine.name { return engine }
        throw refusal
    }
    func createNamespace(_ name: String) throws(MartletError) { throw refusal }
    func dropNamespace(_ name: String) throws(MartletError) { throw refusal }

    private var refusal: MartletError {
        MartletError(.unsupported, "only the namespace '\(engine.name)' is at hand here")
    }
}
