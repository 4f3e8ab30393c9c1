import Foundation
import MartletModel

@testable import MartletStorage

/// A database in a directory of its own, which is removed at the end.
final class TestDatabase {
    let path: String
    var options: StorageOptions
    private(set) var engine: StorageEngine

    init(_ options: StorageOptions = TestDatabase.plain) throws {
        path = NSTemporaryDirectory() + "martlet-\(UUID().uuidString)"
        self.options = options
        engine = try StorageEngine.open(at: path, options: options)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Options under which nothing happens by itself.
    static var plain: StorageOptions {
        var options = StorageOptions()
        options.mergesInBackground = false
        options.durability = .none
        return options
    }

    var namespace: any NamespaceEngine {
        get throws { try engine.namespace(StorageEngine.defaultNamespace) }
    }

    func reopen() throws {
        try engine.close()
        engine = try StorageEngine.open(at: path, options: options)
    }

    /// Opens the directory anew without closing it first, as after `kill -9`.
    var namespacePath: String { path + "/namespaces/" + StorageEngine.defaultNamespace }
}

/// One row as tests write it.
struct TestRow: Hashable, Sendable {
    var tags: [String: String]
    var time: Int64
    var fields: [String: FieldValue]

    init(_ tags: [String: String], _ time: Int64, _ fields: [String: FieldValue]) {
        self.tags = tags
        self.time = time
        self.fields = fields
    }
}

extension TableBatch {
    /// Rows as a batch with a series column; the fields' types are those of their first values.
    init(_ table: String, _ rows: [TestRow]) throws(MartletError) {
        var entries: [[UInt8]] = []
        var codes: [UInt32] = []
        var names: [String] = []
        var types: [String: ColumnType] = [:]
        for row in rows {
            let tags = try TagSet(row.tags.map { ($0.key, $0.value) }).canonicalBytes
            if let code = entries.firstIndex(of: tags) {
                codes.append(UInt32(code))
            } else {
                codes.append(UInt32(entries.count))
                entries.append(tags)
            }
            for (name, value) in row.fields.sorted(by: { $0.key < $1.key }) where types[name] == nil {
                names.append(name)
                types[name] = value.type
            }
        }
        var bytes = MutableBuffer(capacity: 64)
        var offsets = MutableBuffer(capacity: 64)
        offsets.append(Int32(0))
        for entry in entries {
            entry.withUnsafeBytes { bytes.append($0) }
            offsets.append(Int32(bytes.byteCount))
        }
        let dictionary = StringDictionary(offsets: offsets.finish(), bytes: bytes.finish(), count: entries.count)
        var schema = [
            ColumnDescription("time", .timestamp, .time), ColumnDescription("series", .string, .series),
        ]
        var columns = [
            Column(.timestamp, unsafeElements: rows.map(\.time)), Column(indices: codes, dictionary: dictionary),
        ]
        for name in names {
            schema.append(ColumnDescription(name, types[name]!, .field))
            columns.append(try Column(types[name]!, rows.map { $0.fields[name] }))
        }
        self.init(table: table, batch: RecordBatch(schema: schema, columns: columns, rowCount: rows.count))
    }
}

/// Reads rows back through the scan interface.
struct TestReader {
    let snapshot: any ReadSnapshot
    let context = QueryContext(memory: MemoryBudget(limit: 1 << 30))

    init(_ namespace: any NamespaceEngine) throws { snapshot = try namespace.snapshot() }

    /// The rows of a scan in the order of delivery, with the form of every batch checked.
    func rows(_ request: ScanRequest) throws -> [TestRow] {
        try collect(try snapshot.scan(request, context: context), request)
    }

    func rows(_ table: String) throws -> [TestRow] {
        guard let schema = snapshot.schema(of: table) else { return [] }
        return try rows(ScanRequest(table: table, fields: schema.fields.map(\.name)))
    }

    func latest(_ table: String, _ series: TagPredicate = .all) throws -> [TestRow] {
        let fields = snapshot.schema(of: table)?.fields.map(\.name) ?? []
        let request = ScanRequest(table: table, fields: fields, series: series)
        return try collect(try snapshot.latest(request, context: context), request)
    }

    private func collect(_ scan: any TableScan, _ request: ScanRequest) throws -> [TestRow] {
        let schema = snapshot.schema(of: request.table)!
        var result: [TestRow] = []
        let codes = try schema.tags.map { ($0, try scan.tagCodes($0)) }
        var finished: Set<UInt32> = []
        var current: (series: UInt32, time: Int64)?
        while let item = try scan.next() {
            guard case .rows(let batch) = item else { throw MartletError(.internal, "a summary was not asked for") }
            guard batch.rowCount > 0, batch.rowCount <= maximumScanRows else {
                throw MartletError(.internal, "a batch of \(batch.rowCount) rows")
            }
            var row = 0
            for run in batch.runs {
                guard Int(run.start) == row, run.series < scan.seriesCount, run.count > 0 else {
                    throw MartletError(.internal, "run \(run) at row \(row)")
                }
                if let former = current, former.series != run.series {
                    finished.insert(former.series)
                    current = nil
                }
                if finished.contains(run.series) { throw MartletError(.internal, "series \(run.series) came back") }
                var tags: [String: String] = [:]
                for (key, codes) in codes where codes.codes[Int(run.series)] != SeriesTagCodes.absent {
                    tags[key] = codes.dictionary.string(Int(codes.codes[Int(run.series)]))
                }
                for _ in 0..<run.count {
                    guard case .timestamp(let time)? = batch.times.value(at: row) else {
                        throw MartletError(.internal, "a null time in row \(row)")
                    }
                    if let current,
                        request.newestFirst
                            ? current.time <= time.nanoseconds
                            : current.time >= time.nanoseconds
                    {
                        throw MartletError(.internal, "time \(time.nanoseconds) after \(current.time)")
                    }
                    current = (run.series, time.nanoseconds)
                    var fields: [String: FieldValue] = [:]
                    for (name, column) in zip(request.fields, batch.fields) { fields[name] = column.value(at: row) }
                    result.append(TestRow(tags, time.nanoseconds, fields))
                    row += 1
                }
            }
            guard row == batch.rowCount else { throw MartletError(.internal, "runs of \(row) rows") }
        }
        return result
    }
}
