import MartletCodec
import MartletModel

/// The list of what belongs to a namespace: replaced as a whole, in one step, whenever it changes.
struct Manifest: Sendable, Equatable {
    /// A hot segment of the namespace.
    struct Hot: Sendable, Hashable {
        var number: UInt64
        /// Bytes that count, or `nil` for the active segment, which is read to its last intact layer.
        var length: UInt64?
    }

    /// A sealed segment of the namespace.
    struct Sealed: Sendable, Hashable {
        var number: UInt64
        var byteCount: UInt64
        /// The commits whose rows it holds.
        var firstCommit: UInt64
        var lastCommit: UInt64
        /// Tombstones of commits up to this one were applied to its rows.
        var tombstonesAppliedThrough: UInt64
        var time: TimeRange
        var rowCount: UInt64
        var seriesCount: UInt64
        var tableCount: UInt32
    }

    static let fileName = "MANIFEST"
    static let temporaryName = "MANIFEST.new"
    /// "MARTMANI".
    static let magic: UInt64 = 0x494e_414d_5452_414d
    static let version: UInt16 = 1

    /// Grows by one with each edit.
    var edit: UInt64 = 0
    /// The number that the next segment gets.
    var nextSegment: UInt64 = 1
    /// The commit up to which everything is in sealed segments; hot segments hold later ones.
    var lastCommit: UInt64 = 0
    var catalog = Catalog()
    /// In the order of their commits; the last is the active one.
    var hot: [Hot] = []
    var sealed: [Sealed] = []
    /// Erasures that may still concern rows of sealed segments.
    var tombstones: [Tombstone] = []

    init() {}

    func encode() -> Buffer {
        var writer = ByteWriter(capacity: 1024)
        writer.u64(Self.magic)
        writer.u16(Self.version)
        writer.u64(edit)
        writer.u64(nextSegment)
        writer.u64(lastCommit)
        writer.varint(UInt64(catalog.nextTableID))
        let tables = catalog.sorted
        writer.varint(tables.count)
        for table in tables { table.encode(into: &writer) }
        writer.varint(hot.count)
        for segment in hot {
            writer.varint(segment.number)
            writer.u64(segment.length ?? .max)
        }
        writer.varint(sealed.count)
        for segment in sealed {
            writer.varint(segment.number)
            writer.varint(segment.byteCount)
            writer.varint(segment.firstCommit)
            writer.varint(segment.lastCommit)
            writer.varint(segment.tombstonesAppliedThrough)
            writer.i64(segment.time.lowerBound)
            writer.i64(segment.time.upperBound)
            writer.varint(segment.rowCount)
            writer.varint(segment.seriesCount)
            writer.varint(UInt64(segment.tableCount))
        }
        writer.varint(tombstones.count)
        for tombstone in tombstones { tombstone.encode(into: &writer) }
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.finish()
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard bytes.count >= 14 else { throw MartletError(.corrupt, "the manifest is cut off at \(bytes.count) bytes") }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)]), "manifest")
        guard try reader.u64() == Self.magic else { throw MartletError(.corrupt, "the file is not a manifest") }
        // The checksum ends the file in every version, so that damage is not taken for another version.
        let checksum = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self))
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)])) == checksum else {
            throw MartletError(.corrupt, "the manifest fails its checksum")
        }
        let version = try reader.u16()
        guard version == Self.version else {
            throw MartletError(
                .unsupportedVersion, "the manifest is of format version \(version); this build knows \(Self.version)",
                hint: "open it with the release that wrote it, or a newer one")
        }
        edit = try reader.u64()
        nextSegment = try reader.u64()
        lastCommit = try reader.u64()
        let nextTableID = UInt32(try reader.count(upTo: Int(UInt32.max)))
        for _ in 0..<(try reader.itemCount()) { catalog.define(try TableDefinition(from: &reader)) }
        catalog.nextTableID = max(catalog.nextTableID, nextTableID)
        for _ in 0..<(try reader.itemCount()) {
            let number = try reader.varint()
            let length = try reader.u64()
            hot.append(Hot(number: number, length: length == .max ? nil : length))
        }
        for _ in 0..<(try reader.itemCount()) {
            let number = try reader.varint()
            let byteCount = try reader.varint()
            let firstCommit = try reader.varint()
            let lastCommit = try reader.varint()
            let applied = try reader.varint()
            let lower = try reader.i64()
            let upper = try reader.i64()
            sealed.append(
                Sealed(
                    number: number, byteCount: byteCount, firstCommit: firstCommit, lastCommit: lastCommit,
                    tombstonesAppliedThrough: applied, time: TimeRange(lower, upper),
                    rowCount: try reader.varint(), seriesCount: try reader.varint(),
                    tableCount: UInt32(try reader.count(upTo: Int(UInt32.max)))))
        }
        for _ in 0..<(try reader.itemCount()) { tombstones.append(try Tombstone(from: &reader)) }
        try reader.expectEnd()
    }
}

extension Manifest {
    /// Reads a namespace's manifest.
    static func read(_ directory: String, _ files: any FileSystem) throws(MartletError) -> Manifest {
        let path = directory + "/" + fileName
        let file = try files.open(path, .read)
        let size = try file.size()
        guard size < 1 << 30 else {
            throw MartletError(.corrupt, "a manifest of \(size) bytes", at: .file(path: path, offset: nil))
        }
        let bytes = try file.readExactly(Int(size), at: 0)
        defer { withExtendedLifetime(bytes) {} }
        do throws(MartletError) {
            return try Manifest(bytes.bytes)
        } catch {
            throw MartletError(error.code, error.message, at: .file(path: path, offset: nil), hint: error.hint)
        }
    }

    /// Replaces a namespace's manifest: after this returns, the new one is what a restart finds.
    ///
    /// - Returns: the bytes written.
    func write(_ directory: String, _ files: any FileSystem) throws(MartletError) -> Int {
        let temporary = directory + "/" + Self.temporaryName
        if files.exists(temporary) { try files.remove(temporary) }
        let bytes = encode()
        let file = try files.open(temporary, .create)
        try file.write(bytes.bytes, at: 0)
        withExtendedLifetime(bytes) {}
        try file.sync()
        try file.close()
        try files.rename(temporary, to: directory + "/" + Self.fileName)
        try files.syncDirectory(directory)
        return bytes.byteCount
    }
}
