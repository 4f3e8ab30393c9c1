import MartletCodec
import MartletModel

/// Where a row group's blocks are read from.
enum BlockSource: Sendable {
    /// A layer that is held in memory; it begins at byte `offset` of its file. Its checksums were computed or verified
    /// when it came into memory.
    case memory(Buffer, offset: Int64)
    /// A file, through the block cache.
    case file(SegmentFile)

    /// Decodes rows of a block.
    ///
    /// - Parameter caching: whether the block goes through the cache; merges, which read everything once, go by it.
    func decode(
        _ block: BlockReference, rows: Range<Int>, of count: Int, caching: Bool
    ) throws(MartletError) -> Column {
        switch self {
        case .memory(let buffer, let offset):
            let start = Int(block.offset - offset)
            precondition(start >= 0 && start + block.length <= buffer.byteCount, "a block outside of its layer")
            let bytes = UnsafeRawBufferPointer(start: buffer.baseAddress + start, count: block.length)
            defer { withExtendedLifetime(buffer) {} }
            return rows == 0..<count ? try BlockCodec.decode(bytes) : try BlockCodec.decode(bytes, rows: rows)
        case .file(let file):
            if caching { return Columns.slice(try file.column(block), rows) }
            let buffer = try file.read(block)
            defer { withExtendedLifetime(buffer) {} }
            return rows == 0..<count
                ? try BlockCodec.decode(buffer.bytes) : try BlockCodec.decode(buffer.bytes, rows: rows)
        }
    }
}

/// An open segment file. Blocks are checked before they are decoded.
final class SegmentFile: Sendable {
    let path: String
    let file: any File
    /// Distinguishes files within the cache; never reused within a process.
    let identity: UInt64
    private let cache: BlockCache

    init(path: String, file: any File, cache: BlockCache) {
        self.path = path
        self.file = file
        self.identity = cache.newIdentity()
        self.cache = cache
    }

    deinit { cache.forget(identity) }

    /// The decoded values of a block. The cache keeps these and not the bytes, which the system's page cache keeps.
    func column(_ reference: BlockReference) throws(MartletError) -> Column {
        if let cached = cache.find(identity, reference.offset) { return cached }
        let buffer = try read(reference)
        defer { withExtendedLifetime(buffer) {} }
        let column = try BlockCodec.decode(buffer.bytes)
        cache.insert(column, identity, reference.offset)
        return column
    }

    /// The bytes of a block, checked against its checksum.
    func read(_ reference: BlockReference) throws(MartletError) -> Buffer {
        let buffer = try file.readExactly(reference.length, at: reference.offset)
        let checksum = CRC32C.checksum(buffer.bytes)
        if checksum != reference.checksum {
            throw MartletError(
                .corrupt, "a block of \(reference.length) bytes fails its checksum",
                at: .file(path: path, offset: reference.offset),
                hint: "`martlet check` lists what is damaged; `martlet check --repair` sets it aside")
        }
        return buffer
    }
}

extension BlockSource {
    /// The file's path, for messages.
    var path: String {
        switch self {
        case .memory: "(a layer in memory)"
        case .file(let file): file.path
        }
    }
}
