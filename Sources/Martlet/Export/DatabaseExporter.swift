import MartletModel
import MartletParquet
import MartletQuery

/// Writes exports in every format to every registered sink, within the policy.
package struct DatabaseExporter: Exporter {
    private let sinks: SegmentSinkRegistry
    private let fileSystem: any FileSystem
    private let policy: ExportPolicy

    /// An exporter to `sinks`.
    package init(
        sinks: SegmentSinkRegistry = .builtIn, fileSystem: any FileSystem = POSIXFileSystem(),
        policy: ExportPolicy = .anywhere
    ) {
        self.sinks = sinks
        self.fileSystem = fileSystem
        self.policy = policy
    }

    package func begin(
        _ request: ExportRequest, memory: MemoryBudget, clock: any Clock
    ) throws(MartletError) -> any ExportJob {
        let destination = try policy.resolve(request.destination)
        let target = ExportTarget(destination)
        if target.isFile && !request.isSingleTable {
            throw MartletError(
                .invalidArgument, "'\(request.destination)' names a file, and several tables go to a folder",
                hint: "name a folder, or end the name with '/'")
        }
        let limits = try ExportBuffers(memory)
        let format = try request.options.makeFormat(for: target, buffers: limits)
        if let (folder, name) = target.file {
            let sink = try sinks.sink(for: folder, fileSystem: fileSystem)
            return FileExportJob(sink, name: name, format: format, buffers: limits)
        }
        var options = PartitionedExportOptions()
        options.bufferBytes = limits.bytes
        options.openFiles = limits.openFiles
        options.fileBytes = request.options.fileBytes
        options.partName = request.partName
        let sink = try sinks.sink(for: destination, fileSystem: fileSystem)
        return FolderExportJob(
            try PartitionedExport(sink, format: format, options: options, clock: clock), buffers: limits)
    }

    package func checkFolder(_ destination: String) throws(MartletError) {
        let resolved = try policy.resolve(destination)
        guard !ExportTarget(resolved).isFile else {
            throw MartletError(
                .invalidArgument, "'\(destination)' names a file, and this export goes to a folder",
                hint: "name a folder, or end the name with '/'")
        }
        _ = try sinks.sink(for: resolved, fileSystem: fileSystem)
    }

    package func remove(
        _ request: ExportRequest, table: String, schema: [ColumnDescription], namespace: String, time: TimeRange
    ) throws(MartletError) {
        guard let name = request.partName else { return }
        let sink = try sinks.sink(for: policy.resolve(request.destination), fileSystem: fileSystem)
        try PartitionedExport.remove(name, from: sink, table: table, schema: schema, namespace: namespace, time: time)
    }
}

/// A destination taken apart: a file where its name ends as files of a format do, else a folder.
struct ExportTarget {
    /// Endings of file names, the longer ones first.
    private static let endings: [(String, ExportOptions.Format, ExportOptions.Compression?)] = [
        (".parquet", .parquet, nil), (".csv", .csv, nil), (".csv.zst", .csv, .zstd), (".jsonl", .jsonl, nil),
        (".jsonl.zst", .jsonl, .zstd), (".ndjson", .jsonl, nil), (".ndjson.zst", .jsonl, .zstd), (".line", .line, nil),
        (".line.zst", .line, .zstd), (".lp", .line, nil), (".lp.zst", .line, .zstd),
    ]

    let destination: String
    let isFile: Bool
    let format: ExportOptions.Format?
    let compression: ExportOptions.Compression?

    init(_ destination: String) {
        self.destination = destination
        let name = destination.lowercased()
        let ending = Self.endings.first { name.hasSuffix($0.0) && name.utf8.count > $0.0.utf8.count }
        isFile = ending != nil
        format = ending?.1
        compression = ending?.2
    }

    /// The folder and the name of a destination that is a file.
    var file: (folder: String, name: String)? {
        guard isFile else { return nil }
        guard let slash = destination.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", destination) }
        let folder = slash == destination.startIndex ? "/" : String(destination[..<slash])
        return (folder, String(destination[destination.utf8.index(after: slash)...]))
    }
}

/// The memory of an export's buffers, a share of the query's, reserved as long as the export runs.
final class ExportBuffers {
    private let memory: MemoryBudget
    private let reserved: Int
    /// Bytes of rows that all open files may hold together.
    let bytes: Int
    /// The most files open at once; each has a buffer of its own.
    let openFiles: Int

    /// - Throws: `.resourceExhausted` where not even small buffers fit.
    init(_ memory: MemoryBudget) throws(MartletError) {
        bytes = min(64 << 20, max(512 << 10, memory.limit / 8))
        openFiles = bytes >= 16 << 20 ? 64 : 8
        // Where a dictionary grows, values are held twice for a moment; pages are compressed beside them.
        reserved = 2 * bytes + openFiles * (64 << 10)
        self.memory = memory
        try memory.reserve(reserved, for: "an export")
    }

    deinit { memory.release(reserved) }
}

extension ExportOptions {
    /// The format that writes what the options ask for.
    fileprivate func makeFormat(
        for target: ExportTarget, buffers: ExportBuffers
    ) throws(MartletError) -> any ExportFormat {
        let chosen = format ?? target.format ?? .parquet
        guard chosen == .parquet else {
            switch compression ?? target.compression ?? .none {
            case .none: return TextExportFormat(chosen, level: nil)
            case .zstd: return TextExportFormat(chosen, level: Int32(compressionLevel))
            case .lz4:
                throw MartletError(
                    .unsupported, "\(chosen.rawValue) is compressed with zstd or not at all",
                    hint: "LZ4 is for Parquet")
            }
        }
        var options = ParquetWriterOptions()
        switch compression ?? .zstd {
        case .zstd: options.compression = .zstd(level: compressionLevel)
        case .lz4: options.compression = .lz4
        case .none: options.compression = .none
        }
        options.timestampUnit = timestamps == .micros ? .microseconds : .nanoseconds
        options.encodings = encodings == .widest ? .widest : .densest
        options.rowGroupBytes = min(options.rowGroupBytes, buffers.bytes)
        options.pageBytes = min(options.pageBytes, buffers.bytes / 4)
        options.dictionaryBytes = min(options.dictionaryBytes, buffers.bytes / 4)
        return try ParquetExportFormat(options)
    }
}
