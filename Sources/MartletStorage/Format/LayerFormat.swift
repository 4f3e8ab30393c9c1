import MartletCodec
import MartletModel

/// The fixed part at the beginning of a layer.
struct LayerHeader: Sendable, Hashable {
    static let byteCount = 80
    /// "MLYR".
    static let magic: UInt32 = 0x5259_4c4d

    var salt: UInt64
    /// Bytes of encoded blocks, which follow the header.
    var bodyLength: Int
    /// Bytes of metadata, which follow the body.
    var metadataLength: Int
    var metadataChecksum: UInt32
    var firstCommit: UInt64
    var lastCommit: UInt64
    /// The range of the rows' times; crossed where there are none.
    var time: TimeRange
    /// Bytes of the file that were known to be on the disk before this layer was written.
    var durableLength: UInt64
    var rowCount: UInt32

    /// Bytes of the whole layer.
    var byteCount: Int { Self.byteCount + bodyLength + metadataLength }

    func encode() -> Buffer {
        var writer = ByteWriter(capacity: Self.byteCount)
        writer.u32(Self.magic)
        writer.u32(metadataChecksum)
        writer.u64(salt)
        writer.u64(UInt64(bodyLength))
        writer.u64(UInt64(metadataLength))
        writer.u64(firstCommit)
        writer.u64(lastCommit)
        writer.i64(time.lowerBound)
        writer.i64(time.upperBound)
        writer.u64(durableLength)
        writer.u32(rowCount)
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.finish()
    }

    init(
        salt: UInt64, bodyLength: Int, metadataLength: Int, metadataChecksum: UInt32, firstCommit: UInt64,
        lastCommit: UInt64, time: TimeRange, durableLength: UInt64, rowCount: UInt32
    ) {
        self.salt = salt
        self.bodyLength = bodyLength
        self.metadataLength = metadataLength
        self.metadataChecksum = metadataChecksum
        self.firstCommit = firstCommit
        self.lastCommit = lastCommit
        self.time = time
        self.durableLength = durableLength
        self.rowCount = rowCount
    }

    /// Reads a header, or gives `nil` where the bytes are not an intact header of a layer of this segment.
    init?(_ bytes: UnsafeRawBufferPointer, salt expected: UInt64) {
        guard bytes.count >= Self.byteCount,
            UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == Self.magic
        else { return nil }
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<(Self.byteCount - 4)]))
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        func half(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        guard half(Self.byteCount - 4) == checksum, word(8) == expected,
            word(16) <= UInt64(UInt32.max), word(24) <= UInt64(UInt32.max), word(32) <= word(40)
        else { return nil }
        self.init(
            salt: word(8), bodyLength: Int(word(16)), metadataLength: Int(word(24)), metadataChecksum: half(4),
            firstCommit: word(32), lastCommit: word(40),
            time: TimeRange(Int64(bitPattern: word(48)), Int64(bitPattern: word(56))), durableLength: word(64),
            rowCount: half(72))
    }
}

/// The decoded metadata of a layer.
struct LayerContents: Sendable {
    var changes: [CatalogChange] = []
    var tombstones: [Tombstone] = []
    var groups: [RowGroup] = []
    /// Row groups that can't be read because a damaged layer took the names of their series with it.
    var lostGroups = 0
}

/// Series that a layer names: their tables and the canonical bytes of their tags, in one block.
struct NewSeries {
    private var tables: [UInt32] = []
    private var ends: [Int] = []
    private var bytes: [UInt8] = []

    var count: Int { tables.count }

    mutating func append(table: UInt32, _ tags: UnsafeRawBufferPointer) {
        tables.append(table)
        bytes.append(contentsOf: tags)
        ends.append(bytes.count)
    }

    func forEach(_ body: (_ table: UInt32, _ tags: UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeBytes { bytes in
            for index in tables.indices {
                let start = index == 0 ? 0 : ends[index - 1]
                body(tables[index], UnsafeRawBufferPointer(rebasing: bytes[start..<ends[index]]))
            }
        }
    }
}

enum LayerMetadata {
    /// Stands for a series whose name was in a damaged layer.
    private static let unknownSeries = UInt32.max
    /// The most series that a gap may hold, so that damaged bytes can't ask for any amount of memory.
    private static let largestGap = 1 << 24

    /// Writes the metadata. New series get the segment's next local numbers in their order.
    static func encode(
        changes: [CatalogChange], firstLocal: Int, newSeries: NewSeries, tombstones: [Tombstone],
        groups: [RowGroupDraft], localSeries: (UInt32) -> UInt32, into writer: inout ByteWriter
    ) {
        writer.varint(changes.count)
        for change in changes { change.encode(into: &writer) }
        writer.varint(firstLocal)
        writer.varint(newSeries.count)
        newSeries.forEach { table, tags in
            writer.varint(UInt64(table))
            writer.blob(tags)
        }
        writer.varint(tombstones.count)
        for tombstone in tombstones { tombstone.encode(into: &writer) }
        writer.varint(groups.count)
        for group in groups {
            writer.varint(UInt64(group.table))
            RowGroupDescriptor.encode(
                runs: group.runs, localSeries: localSeries, timeBlock: group.timeBlock, fields: group.fields,
                base: 0, into: &writer)
        }
    }

    /// Reads the metadata of the layer at `base`. New series are interned and appended to `series`, the segment's local
    /// numbering.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, header: LayerHeader, base: Int64, source: BlockSource,
        series: inout [UInt32], catalog: SeriesCatalog
    ) throws(MartletError) -> LayerContents {
        var reader = ByteReader(bytes, "layer")
        var contents = LayerContents()
        for _ in 0..<(try reader.itemCount()) { contents.changes.append(try CatalogChange(from: &reader)) }
        // A layer that is missing before this one leaves a gap in the numbering.
        let firstLocal = try reader.count(upTo: series.count + largestGap)
        guard firstLocal >= series.count else { throw reader.corrupt("series \(firstLocal) is numbered twice") }
        series.append(contentsOf: repeatElement(unknownSeries, count: firstLocal - series.count))
        for _ in 0..<(try reader.itemCount()) {
            let table = UInt32(try reader.count(upTo: Int(UInt32.max)))
            series.append(try catalog.intern(table: table, try reader.blob()))
        }
        for _ in 0..<(try reader.itemCount()) { contents.tombstones.append(try Tombstone(from: &reader)) }
        for _ in 0..<(try reader.itemCount()) {
            let table = UInt32(try reader.count(upTo: Int(UInt32.max)))
            let group = try RowGroupDescriptor.decode(
                from: &reader, table: table, series: series, base: base,
                end: base + Int64(LayerHeader.byteCount + header.bodyLength), source: source,
                precedence: header.lastCommit, tombstonesAppliedThrough: header.lastCommit)
            if group.runs.series.contains(unknownSeries) {
                contents.lostGroups += 1
            } else {
                contents.groups.append(group)
            }
        }
        try reader.expectEnd()
        return contents
    }
}
