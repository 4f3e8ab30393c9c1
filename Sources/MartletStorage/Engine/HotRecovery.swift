import MartletCodec
import MartletModel

/// Bytes of a hot segment that could not be used.
package struct DamagedLayer: Sendable, Hashable {
    /// The segment's file.
    package var path: String
    /// Where the bytes begin.
    package var offset: Int64
    /// How many there are.
    package var byteCount: Int64
    /// The range of time of the rows that they held, where their header is still readable.
    package var time: TimeRange?
    /// What is wrong with them.
    package var reason: String
}

/// Reads the layers of a hot segment file from its beginning to its last intact one.
///
/// A layer that fails a check while an intact later one follows is damaged: it is reported and left out. One that no
/// intact layer follows was being written when the process or the machine stopped: it was never acknowledged, and the
/// segment ends before it.
struct HotRecovery {
    let segment: SegmentFile
    let number: UInt64
    /// Bytes to read at most, or `nil` for all.
    var limit: Int64?
    let catalog: SeriesCatalog
    let budget: MemoryBudget

    private(set) var salt: UInt64 = 0
    /// The namespace's ids of the segment's series, by local number.
    private(set) var series: [UInt32] = []
    private(set) var layers: [Layer] = []
    private(set) var changes: [CatalogChange] = []
    private(set) var tombstones: [Tombstone] = []
    private(set) var knownTables: Set<UInt32> = []
    private(set) var damage: [DamagedLayer] = []
    /// Bytes up to the end of the last intact layer.
    private(set) var length: Int64 = 0
    private(set) var lastCommit: UInt64 = 0
    /// Bytes that a later layer shows to be on the disk. What follows may be in the page cache alone.
    private(set) var durableLength: Int64 = 0

    init(segment: SegmentFile, number: UInt64, limit: Int64?, catalog: SeriesCatalog, budget: MemoryBudget) {
        self.segment = segment
        self.number = number
        self.limit = limit
        self.catalog = catalog
        self.budget = budget
    }

    /// Reads the file's header, and layers from the end of what was read before. Can be called again on a file that
    /// another process appends to.
    mutating func readOn() throws(MartletError) {
        let fileSize = try segment.file.size()
        let size = min(fileSize, limit ?? fileSize)
        if length == 0 {
            let bytes = try segment.file.readExactly(min(FileHeader.byteCount, Int(size)), at: 0)
            defer { withExtendedLifetime(bytes) {} }
            salt = try readSalt(bytes.bytes, size: size)
            length = Int64(FileHeader.byteCount)
            durableLength = length
        }
        var offset = length
        while offset < size {
            if let end = try readLayer(at: offset, size: size) {
                offset = end
                length = end
                continue
            }
            guard let next = try findLayer(after: offset, size: size) else { return }
            // An intact layer follows, so this one was acknowledged: what is intact of it counts.
            if let end = try readLayer(at: offset, size: min(size, next), salvaging: true), end == next {
                offset = end
                length = end
                continue
            }
            damage.append(
                DamagedLayer(
                    path: segment.path, offset: offset, byteCount: next - offset,
                    time: try header(at: offset, size: size)?.time, reason: "a layer fails its checksum"))
            offset = next
        }
    }

    /// The salt that the segment's layers carry; where the file's header is damaged, the first layer tells it.
    private mutating func readSalt(_ bytes: UnsafeRawBufferPointer, size: Int64) throws(MartletError) -> UInt64 {
        do throws(MartletError) {
            let header = try FileHeader(bytes)
            guard header.kind == .hot, header.segment == number else {
                throw MartletError(.corrupt, "the file is segment \(header.segment), not hot segment \(number)")
            }
            return header.salt
        } catch {
            let first = Int64(FileHeader.byteCount)
            if error.code == .corrupt, size - first >= Int64(LayerHeader.byteCount) {
                let layer = try segment.file.readExactly(LayerHeader.byteCount, at: first)
                defer { withExtendedLifetime(layer) {} }
                let salt = UInt64(littleEndian: layer.bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                if LayerHeader(layer.bytes, salt: salt) != nil {
                    damage.append(
                        DamagedLayer(path: segment.path, offset: 0, byteCount: first, time: nil, reason: error.message))
                    return salt
                }
            }
            throw MartletError(
                error.code, error.message, at: .file(path: segment.path, offset: 0), hint: error.hint)
        }
    }

    private func header(at offset: Int64, size: Int64) throws(MartletError) -> LayerHeader? {
        guard size - offset >= Int64(LayerHeader.byteCount) else { return nil }
        let bytes = try segment.file.readExactly(LayerHeader.byteCount, at: offset)
        defer { withExtendedLifetime(bytes) {} }
        return LayerHeader(bytes.bytes, salt: salt)
    }

    /// Takes over the layer at `offset` if it is intact, and returns where it ends.
    ///
    /// - Parameter salvaging: takes it over without its damaged blocks, as long as its metadata is intact.
    private mutating func readLayer(
        at offset: Int64, size: Int64, salvaging: Bool = false
    ) throws(MartletError) -> Int64? {
        guard let header = try header(at: offset, size: size), Int64(header.byteCount) <= size - offset else {
            return nil
        }
        let bytes = try segment.file.readExactly(header.byteCount, at: offset)
        defer { withExtendedLifetime(bytes) {} }
        let bodyEnd = LayerHeader.byteCount + header.bodyLength
        let metadata = UnsafeRawBufferPointer(rebasing: bytes.bytes[bodyEnd..<header.byteCount])
        guard CRC32C.checksum(metadata) == header.metadataChecksum else { return nil }
        let reserved = budget.tryReserve(header.byteCount) ? header.byteCount : 0
        let source = reserved > 0 ? BlockSource.memory(bytes, offset: offset) : .file(segment)
        var numbering = series
        let contents: LayerContents
        do throws(MartletError) {
            contents = try LayerMetadata.decode(
                metadata, header: header, base: offset, source: source, series: &numbering, catalog: catalog)
        } catch {
            if reserved > 0 { budget.release(reserved) }
            guard error.code == .corrupt else { throw error }
            return nil
        }
        var groups = contents.groups
        var damaged: [DamagedLayer] = []
        if salvaging {
            groups = groups.compactMap { intactPart(of: $0, bytes, offset, &damaged) }
        } else if groups.contains(where: { !Self.isIntact($0, bytes, offset) }) {
            if reserved > 0 { budget.release(reserved) }
            return nil
        }
        damage += damaged
        let layer = Layer(offset: offset, header: header, groups: groups, reserved: reserved, budget: budget)
        series = numbering
        layers.append(layer)
        changes += contents.changes
        for change in contents.changes {
            if case .define(let table) = change { knownTables.insert(table.id) }
        }
        tombstones += contents.tombstones
        lastCommit = header.lastCommit
        durableLength = max(durableLength, min(Int64(clamping: header.durableLength), offset))
        return offset + Int64(header.byteCount)
    }

    private static func isIntact(_ group: RowGroup, _ bytes: Buffer, _ offset: Int64) -> Bool {
        isIntact(group.timeBlock, bytes, offset) && group.fields.allSatisfy { isIntact($0.block, bytes, offset) }
    }

    private static func isIntact(_ block: BlockReference, _ bytes: Buffer, _ offset: Int64) -> Bool {
        let start = Int(block.offset - offset)
        let slice = UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<start + block.length])
        return CRC32C.checksum(slice) == block.checksum
    }

    /// The group without its damaged fields; `nil` where its times are damaged.
    private func intactPart(
        of group: RowGroup, _ bytes: Buffer, _ offset: Int64, _ damaged: inout [DamagedLayer]
    ) -> RowGroup? {
        func isUsable(_ block: BlockReference) -> Bool {
            if Self.isIntact(block, bytes, offset) { return true }
            damaged.append(
                DamagedLayer(
                    path: segment.path, offset: block.offset, byteCount: Int64(block.length), time: group.time,
                    reason: "a block fails its checksum"))
            return false
        }
        guard isUsable(group.timeBlock) else { return nil }
        return RowGroup(
            table: group.table, runs: group.runs, timeBlock: group.timeBlock,
            fields: group.fields.filter { isUsable($0.block) }, source: group.source, precedence: group.precedence,
            tombstonesAppliedThrough: group.tombstonesAppliedThrough)
    }

    /// The first place behind `offset` where an intact header of a layer of this segment stands whose layer is whole.
    private func findLayer(after offset: Int64, size: Int64) throws(MartletError) -> Int64? {
        let chunkSize = 1 << 16
        var chunkStart = offset + 1
        while chunkStart + Int64(LayerHeader.byteCount) <= size {
            let count = Int(min(Int64(chunkSize + LayerHeader.byteCount), size - chunkStart))
            let chunk = try segment.file.readExactly(count, at: chunkStart)
            defer { withExtendedLifetime(chunk) {} }
            let bytes = chunk.bytes
            for index in 0...max(count - LayerHeader.byteCount, 0) where bytes[index] == 0x4d {
                guard count - index >= LayerHeader.byteCount,
                    let header = LayerHeader(UnsafeRawBufferPointer(rebasing: bytes[index...]), salt: salt),
                    header.firstCommit > lastCommit
                else { continue }
                let place = chunkStart + Int64(index)
                if Int64(header.byteCount) <= size - place, try isWhole(header, at: place) { return place }
            }
            chunkStart += Int64(chunkSize)
        }
        return nil
    }

    /// Whether the metadata of a layer is as its header says.
    private func isWhole(_ header: LayerHeader, at offset: Int64) throws(MartletError) -> Bool {
        let start = offset + Int64(LayerHeader.byteCount + header.bodyLength)
        let bytes = try segment.file.readExactly(header.metadataLength, at: start)
        defer { withExtendedLifetime(bytes) {} }
        return CRC32C.checksum(bytes.bytes) == header.metadataChecksum
    }
}
