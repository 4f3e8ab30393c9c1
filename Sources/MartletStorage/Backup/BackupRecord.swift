import MartletCodec
import MartletModel

/// What one backup consists of: the record that is written last and makes it complete. format-spec/backup.md.
struct BackupRecord: Sendable, Equatable {
    /// A file of the backup's pool, and what it is called in the namespace.
    struct File: Sendable, Hashable {
        /// The name in the namespace's directory, such as `5.sealed`.
        var name: String
        /// The path below the backup's directory.
        var stored: String
        var byteCount: UInt64
        var crc32c: UInt32
    }

    struct Namespace: Sendable, Equatable {
        var name: String
        var manifest: Manifest
        var files: [File]
    }

    static let magic: UInt64 = 0x5055_4b42_5452_414d  // "MARTBKUP"
    static let version: UInt16 = 1
    static let ending = ".backup"
    private static let largest: Int64 = 1 << 30

    var created: Timestamp
    var namespaces: [Namespace] = []

    init(created: Timestamp) { self.created = created }

    /// The name of record `number`: records sort by their names.
    static func fileName(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ending
    }

    /// The number of a record's file name.
    static func number(_ name: String) -> UInt64? {
        guard name.hasSuffix(ending), !name.hasPrefix(".") else { return nil }
        return UInt64(name.dropLast(ending.count))
    }

    func encode() -> Buffer {
        var writer = ByteWriter(capacity: 4096)
        writer.u64(Self.magic)
        writer.u16(Self.version)
        writer.i64(created.nanoseconds)
        writer.varint(namespaces.count)
        for namespace in namespaces {
            writer.text(namespace.name)
            let manifest = namespace.manifest.encode()
            writer.blob(manifest.bytes)
            withExtendedLifetime(manifest) {}
            writer.varint(namespace.files.count)
            for file in namespace.files {
                writer.text(file.name)
                writer.text(file.stored)
                writer.varint(file.byteCount)
                writer.u32(file.crc32c)
            }
        }
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.buffer.finish()
    }

    /// - Throws: `.corrupt` for bytes that are no record, `.unsupportedVersion`.
    init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard bytes.count >= 23 else { throw MartletError(.corrupt, "a backup record of \(bytes.count) bytes") }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)]), "backup record")
        guard try reader.u64() == Self.magic else { throw MartletError(.corrupt, "the file is no backup record") }
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self))
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)])) == checksum else {
            throw MartletError(.corrupt, "the backup record fails its checksum")
        }
        let version = try reader.u16()
        guard version == Self.version else {
            throw MartletError(
                .unsupportedVersion, "the backup is of format version \(version); this build knows \(Self.version)",
                hint: "restore it with the release that wrote it, or a newer one")
        }
        created = Timestamp(nanoseconds: try reader.i64())
        for _ in 0..<(try reader.itemCount()) {
            let name = try reader.text()
            try DirectoryLayout.check(name)
            let manifest = try Manifest(try reader.blob())
            var files: [File] = []
            for _ in 0..<(try reader.itemCount()) {
                let file = File(
                    name: try reader.text(), stored: try reader.text(), byteCount: try reader.varint(),
                    crc32c: try reader.u32())
                // Names from a file never lead out of the directories.
                guard !file.name.contains("/"), !file.name.hasPrefix("."),
                    !file.stored.split(separator: "/").contains(".."), !file.stored.hasPrefix("/")
                else { throw reader.corrupt("'\(file.name)' stored as '\(file.stored)'") }
                files.append(file)
            }
            namespaces.append(Namespace(name: name, manifest: manifest, files: files))
        }
        try reader.expectEnd()
    }

    static func read(_ path: String, _ files: any FileSystem) throws(MartletError) -> BackupRecord {
        let file = try files.open(path, .read)
        let size = try file.size()
        guard size < largest else {
            throw MartletError(.corrupt, "a backup record of \(size) bytes", at: .file(path: path, offset: nil))
        }
        let bytes = try file.readExactly(Int(size), at: 0)
        defer { withExtendedLifetime(bytes) {} }
        do throws(MartletError) {
            return try BackupRecord(bytes.bytes)
        } catch {
            throw MartletError(error.code, error.message, at: .file(path: path, offset: nil), hint: error.hint)
        }
    }
}
