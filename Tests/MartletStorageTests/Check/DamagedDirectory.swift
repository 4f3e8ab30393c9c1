import MartletModel
import MartletTestSupport

@testable import MartletHistories
@testable import MartletStorage

/// A data directory with every kind of file: two sealed segments, a frozen log, an active one; tables `cpu` and
/// `mem`; an erasure that no merge has carried out.
struct DamagedDirectory {
    static let path = "/data"
    static let namespace = "/data/namespaces/default"

    /// The content while nothing is damaged.
    let model: HistoryModel
    /// The same before the erasure, whose record may be what is damaged.
    private let written: HistoryModel
    private let files: [String: [UInt8]]

    static var options: StorageOptions {
        var options = StorageOptions()
        options.mergesInBackground = false
        options.memoryLimit = 64 << 20
        return options
    }

    init() throws(MartletError) {
        let disk = SimulatedFileSystem(seed: 1)
        let engine = try Self.open(disk)
        let namespace = try engine.namespace("default")
        var model = HistoryModel()
        for round in 0..<5 {
            for table in ["cpu", "mem"] {
                var rows: [HistoryRow] = []
                for index in 0..<60 {
                    let host = "h\((index * 7 + round) % 5)"
                    let tags = try TagSet(round < 3 ? [("host", host)] : [("host", host), ("region", "r\(round)")])
                    let fields: [String: FieldValue] = [
                        "f": .float64(Double(index * round) / 4), "s": .string("text-\(index % 9)"),
                        "b": .bool(index % 2 == 0),
                    ]
                    rows.append(HistoryRow(tags: tags, time: Int64(round * 1_000 + index), fields: fields))
                }
                let batch = HistoryBatch(table: table, rows: rows, usesSeriesColumn: false)
                _ = model.append([batch])
                _ = try namespace.append([try batch.tableBatch()])
            }
            if round == 1 || round == 2 { try namespace.compact() }
        }
        written = model
        let change = HistoryChange.delete("mem", TimeRange(10, 20), .host("h1"))
        _ = model.apply(change)
        try change.run(on: namespace)
        try engine.close()
        self.model = model
        var files: [String: [UInt8]] = [:]
        for path in disk.filePaths { files[path] = disk.contents(of: path) }
        self.files = files
    }

    static func open(_ disk: SimulatedFileSystem) throws(MartletError) -> StorageEngine {
        try StorageEngine.open(at: path, options: options, fileSystem: disk, clock: ManualClock())
    }

    /// The segments and the manifest.
    var paths: [String] { files.keys.filter { $0.hasPrefix(Self.namespace) }.sorted() }

    func size(of path: String) -> Int { files[path]?.count ?? 0 }

    /// Operations that making a copy takes.
    static let operationsBefore = 6

    /// A fresh copy with one file's bytes changed.
    func disk(changing path: String? = nil, _ change: (inout [UInt8]) -> Void = { _ in }) throws(MartletError)
        -> SimulatedFileSystem
    {
        let disk = SimulatedFileSystem(seed: 2)
        for folder in ["/data", "/data/namespaces", Self.namespace] { try disk.createDirectory(folder) }
        for folder in ["/", "/data", "/data/namespaces"] { try disk.syncDirectory(folder) }
        for (name, contents) in files {
            var bytes = contents
            if name == path { change(&bytes) }
            disk.setContents(of: name, to: bytes)
        }
        return disk
    }

    /// What can be read of a table; `nil` where reading says that it is damaged.
    static func read(_ table: String, of engine: StorageEngine) throws(MartletError) -> TableModel? {
        do throws(MartletError) {
            let snapshot = try engine.namespace("default").snapshot()
            guard let schema = snapshot.schema(of: table) else { return TableModel() }
            var found = TableModel()
            for field in schema.fields { found.fields[field.name] = field.type }
            let request = ScanRequest(table: table, fields: schema.fields.map(\.name))
            found.rows = try HistoryObserver.rows(of: schema, request, in: snapshot)
            return found
        } catch {
            if error.code == .corrupt { return nil }
            throw error
        }
    }

    /// The first row or value of `found` that was never written, or that another row has.
    func invention(in found: TableModel, of table: String) -> String? {
        let expected = written.tables[table] ?? TableModel()
        for (tags, rows) in found.rows {
            for (time, values) in rows {
                for (field, value) in values where expected.rows[tags]?[time]?[field] != value {
                    return "\(table) \(tags) at \(time): \(field) = \(value)"
                }
            }
        }
        return nil
    }
}
