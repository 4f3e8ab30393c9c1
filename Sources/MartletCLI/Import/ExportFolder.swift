import Foundation
import MartletCodec
import MartletModel
import MartletParquet

/// A folder of Parquet files: an export of Martlet's with its manifests, or one of another program without.
struct ExportFolder {
    /// A file to import.
    struct File: Sendable {
        var path: String
        var byteCount: Int
        var namespace: String?
        var table: String?
        /// Keys and values of folders that say more than namespace, table and date.
        var tags: [(key: String, value: String)] = []
        var crc32c: UInt32?
        var rows: Int?
    }

    /// A table that a manifest describes.
    struct Table: Sendable {
        var namespace: String
        var name: String
        var columns: [ColumnDescription]
    }

    private(set) var files: [File] = []
    private(set) var tables: [Table] = []
    /// Files that no manifest names, of a folder that has manifests: parts of exports that did not end.
    private(set) var strangers: [String] = []

    private struct Manifest: Decodable {
        struct Column: Decodable { var name: String, type: String, role: String }
        struct Table: Decodable { var namespace: String, table: String, columns: [Column] }
        struct File: Decodable {
            var path: String, namespace: String, table: String, rows: Int, bytes: Int, crc32c: String
        }
        var format: String, version: Int, file_format: String?, tables: [Table], files: [File]
    }

    /// Given files, without a manifest.
    init(files: [File]) { self.files = files }

    /// Looks a folder over.
    ///
    /// - Throws: `.corrupt` for a manifest that cannot be read or a file that is missing or of another length;
    ///   `.unsupported` for an export that is not Parquet; `.unsupportedVersion` for a newer manifest.
    init(_ directory: String, fileSystem: any FileSystem = POSIXFileSystem()) throws(MartletError) {
        let names = try fileSystem.list(directory).filter { $0.hasPrefix("_manifest") && $0.hasSuffix(".json") }
        let found = try ParquetFolder.files(in: directory, fileSystem: fileSystem)
        if names.isEmpty {
            for entry in found { files.append(try Self.file(entry, fileSystem)) }
            return
        }
        var listed: Set<String> = []
        for name in names.sorted() {
            let path = directory + "/" + name
            let manifest = try Self.manifest(path, fileSystem)
            for table in manifest.tables { tables.append(try Self.table(table, path)) }
            for entry in manifest.files where listed.insert(entry.path).inserted {
                let full = directory + "/" + entry.path
                guard fileSystem.exists(full) else {
                    throw MartletError(
                        .corrupt, "the manifest names a file that is not there",
                        at: .file(path: full, offset: nil), hint: "the export was not copied whole")
                }
                let size = try fileSystem.open(full, .read).size()
                guard size == entry.bytes, let checksum = UInt32(entry.crc32c, radix: 16) else {
                    throw MartletError(
                        .corrupt, "the file has \(size) bytes, the manifest says \(entry.bytes)",
                        at: .file(path: full, offset: nil), hint: "it was changed or cut off since the export")
                }
                files.append(
                    File(
                        path: full, byteCount: entry.bytes, namespace: entry.namespace, table: entry.table,
                        crc32c: checksum, rows: entry.rows))
            }
        }
        let known = Set(files.map(\.path))
        strangers = found.map(\.path).filter { !known.contains($0) }
    }

    private static func manifest(_ path: String, _ fileSystem: any FileSystem) throws(MartletError) -> Manifest {
        let file = try fileSystem.open(path, .read)
        let size = try file.size()
        guard size <= 256 << 20 else {
            throw MartletError(.outOfRange, "a manifest of \(size) bytes", at: .file(path: path, offset: nil))
        }
        let bytes = try file.readExactly(Int(size), at: 0)
        let data = Data(bytes.bytes)
        let manifest: Manifest
        do {
            manifest = try JSONDecoder().decode(Manifest.self, from: data)
        } catch {
            throw MartletError(
                .corrupt, "this is not the manifest of an export: \(error)", at: .file(path: path, offset: nil))
        }
        guard manifest.format == "martlet-export" else {
            throw MartletError(
                .corrupt, "this is the manifest of '\(manifest.format)'", at: .file(path: path, offset: nil))
        }
        guard manifest.version <= 1 else {
            throw MartletError(
                .unsupportedVersion, "the manifest is of version \(manifest.version); this build knows 1",
                at: .file(path: path, offset: nil))
        }
        let format = manifest.file_format ?? "parquet"
        guard format == "parquet" else {
            throw MartletError(
                .unsupported, "this export is \(format), and folders are imported from Parquet",
                at: .file(path: path, offset: nil), hint: "import its files one by one")
        }
        return manifest
    }

    private static func table(_ table: Manifest.Table, _ path: String) throws(MartletError) -> Table {
        var columns: [ColumnDescription] = []
        let roles: [String: ColumnRole] = ["time": .time, "tag": .tag, "field": .field, "value": .value]
        for column in table.columns {
            guard let type = ColumnType.allCases.first(where: { $0.name == column.type }),
                let role = roles[column.role]
            else {
                throw MartletError(
                    .corrupt, "column '\(column.name)' is of type \(column.type) and role \(column.role)",
                    at: .file(path: path, offset: nil))
            }
            columns.append(ColumnDescription(column.name, type, role))
        }
        return Table(namespace: table.namespace, name: table.table, columns: columns)
    }

    private static func file(
        _ entry: ParquetFolder.Entry, _ fileSystem: any FileSystem
    ) throws(MartletError) -> File {
        var file = File(
            path: entry.path, byteCount: Int(try fileSystem.open(entry.path, .read).size()),
            namespace: entry.value(of: "namespace"), table: entry.value(of: "table"))
        for partition in entry.partitions {
            let key = String(partition.key.drop { $0 == "_" })
            if ["namespace", "table", "date"].contains(key) { continue }
            if let value = partition.value { file.tags.append((partition.key, value)) }
        }
        return file
    }

    /// Reads a file through and compares its checksum with the manifest's; `read` hears of each piece's bytes.
    static func verify(
        _ file: File, fileSystem: any FileSystem = POSIXFileSystem(), read: (Int) -> Void
    ) throws(MartletError) {
        guard let expected = file.crc32c else { return }
        let input = try fileSystem.open(file.path, .read)
        let chunk = MutableRawChunk(byteCount: 1 << 20)
        var offset: Int64 = 0
        var checksum: UInt32 = 0
        while true {
            let count = try input.read(into: chunk.bytes, at: offset)
            if count == 0 { break }
            checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: chunk.bytes[..<count]), seed: checksum)
            offset += Int64(count)
            read(count)
        }
        guard checksum == expected else {
            throw MartletError(
                .corrupt, "the file's checksum is not the manifest's", at: .file(path: file.path, offset: nil),
                hint: "it was changed or damaged since the export; --no-verify imports it all the same")
        }
    }
}
