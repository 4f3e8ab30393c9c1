import Martlet
import MartletModel
import MartletQuery
import MartletParquet
import Synchronization

extension ImportCommand {
    /// Imports a Parquet file or a folder of them.
    func importParquet(
        _ target: any StatementTarget, _ rejects: RejectFile, _ figures: ImportFigures, _ counter: ByteCounter,
        _ size: AtomicBox, isFolder: Bool
    ) async throws(MartletError) {
        let source = try plan(isFolder: isFolder)
        // Files are read twice where they are verified.
        size.value.store(
            source.files.reduce(0) { $0 + $1.byteCount * (verifies && $1.crc32c != nil ? 2 : 1) }, ordering: .relaxed)
        if verifies {
            // All before the first row is taken: a damaged export is refused as a whole.
            for file in source.files { try ExportFolder.verify(file) { counter.add($0) } }
        }
        try await make(source.tables, target)
        for path in source.strangers {
            Terminal.writeError("notice: \(path) belongs to no finished export and is left out\n")
        }
        var pipelines: [String: ImportPipeline] = [:]
        for file in source.files {
            let namespace = keepNamespaces ? file.namespace ?? connection.namespace : connection.namespace
            let pipeline =
                pipelines[namespace]
                ?? ImportPipeline(target: target, namespace: namespace, rejects: rejects, figures: figures)
            pipelines[namespace] = pipeline
            var job = ParquetImport(table: table ?? file.table ?? baseName)
            job.tags = Set(listed(tag))
            job.skipped = Set(listed(skip))
            job.timeColumn = timeColumn
            job.timeUnit = timeUnit.flatMap { TimestampPrecision(name: $0)?.nanoseconds }
            job.folderTags = file.tags
            job.stored = try await storedColumns(of: job.table, in: target, namespace: namespace)
            var told = 0
            try await job.run(file.path, into: pipeline, rejects: rejects, figures: figures) { share in
                let now = Int(share * Double(file.byteCount))
                counter.add(now - told)
                told = now
            }
            counter.add(file.byteCount - told)
            try await pipeline.finish()
        }
    }

    private func plan(isFolder: Bool) throws(MartletError) -> ExportFolder {
        let folder = isFolder ? try ExportFolder(file) : try ExportFolder(file: file)
        let namespaces = Set(folder.files.compactMap(\.namespace) + folder.tables.map(\.namespace))
        if namespaces.count > 1 && !keepNamespaces {
            throw MartletError(
                .invalidArgument, "the folder holds \(namespaces.count) namespaces",
                hint: "--keep-namespaces imports each into the one of its name")
        }
        if folder.files.isEmpty && folder.tables.isEmpty {
            throw MartletError(
                .notFound, "there is no Parquet file in the folder", at: .file(path: file, offset: nil))
        }
        return folder
    }

    /// Makes the tables that a manifest describes, so that empty ones and the order of columns come back too.
    private func make(_ tables: [ExportFolder.Table], _ target: any StatementTarget) async throws(MartletError) {
        var known = Set(try await target.names("SHOW NAMESPACES", namespace: connection.namespace))
        for described in tables {
            let namespace = keepNamespaces ? described.namespace : connection.namespace
            if known.insert(namespace).inserted {
                _ = try await target.rows(
                    "CREATE NAMESPACE IF NOT EXISTS \(SQLText.name(namespace))", namespace: connection.namespace)
            }
            let skipped = Set(listed(skip))
            let fields = described.columns.filter { !skipped.contains($0.name) && $0.role != .time }
            guard described.columns.contains(where: { $0.role == .time }), !fields.isEmpty,
                fields.allSatisfy({ $0.type.isFieldType })
            else { continue }
            var columns = ["time TIMESTAMP"]
            columns += fields.map { "\(SQLText.name($0.name)) \($0.role == .tag ? "TAG" : $0.type.name)" }
            let name = SQLText.name(table ?? described.name)
            _ = try await target.rows(
                "CREATE TABLE IF NOT EXISTS \(name) (\(columns.joined(separator: ", ")))", namespace: namespace)
        }
    }
}

extension ExportFolder {
    /// A single file.
    init(file path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws(MartletError) {
        let size = Int(try fileSystem.open(path, .read).size())
        self.init(files: [File(path: path, byteCount: size)])
    }
}

/// A number that another thread reads.
final class AtomicBox: Sendable {
    let value = Atomic(0)
}
