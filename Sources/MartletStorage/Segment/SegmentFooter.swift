import MartletCodec
import MartletModel

/// What stands at the end of a sealed segment: where its indexes lie, and what a segment says of itself when it is
/// copied away from its namespace.
struct SegmentFooter: Sendable {
    /// A table of the segment.
    struct Table: Sendable {
        var definition: TableDefinition
        var rowCount: Int
        var groupCount: Int
        var time: TimeRange
        /// Where the descriptors of its row groups lie, compressed.
        var index: BlockReference
        /// Their length before compression.
        var indexLength: Int
    }

    /// The last bytes of the file: where the footer lies.
    static let trailerLength = 24
    /// "MSEG".
    static let trailerMagic: UInt32 = 0x4745_534d
    /// The most bytes of a footer or index that are read.
    static let largestPart = 1 << 30

    var firstCommit: UInt64
    var lastCommit: UInt64
    var tombstonesAppliedThrough: UInt64
    var seriesCount: Int
    /// Where the series section lies; it carries its own checksums too.
    var series: BlockReference
    var tables: [Table]

    func encode(into writer: inout ByteWriter) {
        writer.varint(firstCommit)
        writer.varint(lastCommit)
        writer.varint(tombstonesAppliedThrough)
        writer.varint(seriesCount)
        Self.encode(series, into: &writer)
        writer.varint(tables.count)
        for table in tables {
            table.definition.encode(into: &writer)
            writer.varint(table.rowCount)
            writer.varint(table.groupCount)
            writer.i64(table.time.lowerBound)
            writer.i64(table.time.upperBound)
            Self.encode(table.index, into: &writer)
            writer.varint(table.indexLength)
        }
    }

    init(
        firstCommit: UInt64, lastCommit: UInt64, tombstonesAppliedThrough: UInt64, seriesCount: Int,
        series: BlockReference, tables: [Table]
    ) {
        self.firstCommit = firstCommit
        self.lastCommit = lastCommit
        self.tombstonesAppliedThrough = tombstonesAppliedThrough
        self.seriesCount = seriesCount
        self.series = series
        self.tables = tables
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        var reader = ByteReader(bytes, "segment footer")
        firstCommit = try reader.varint()
        lastCommit = try reader.varint()
        tombstonesAppliedThrough = try reader.varint()
        seriesCount = try reader.count(upTo: Int(UInt32.max) - 1)
        series = try Self.reference(from: &reader)
        tables = []
        for _ in 0..<(try reader.itemCount()) {
            let definition = try TableDefinition(from: &reader)
            let rowCount = try reader.count(upTo: Int.max)
            let groupCount = try reader.count(upTo: Int(UInt32.max))
            let lower = try reader.i64()
            let upper = try reader.i64()
            let index = try Self.reference(from: &reader)
            tables.append(
                Table(
                    definition: definition, rowCount: rowCount, groupCount: groupCount, time: TimeRange(lower, upper),
                    index: index, indexLength: try reader.count(upTo: Self.largestPart)))
        }
        try reader.expectEnd()
    }

    private static func encode(_ reference: BlockReference, into writer: inout ByteWriter) {
        writer.varint(UInt64(reference.offset))
        writer.varint(reference.length)
        writer.u32(reference.checksum)
    }

    private static func reference(from reader: inout ByteReader) throws(MartletError) -> BlockReference {
        let offset = Int64(try reader.count(upTo: Int(Int64.max / 2)))
        let length = try reader.count(upTo: largestPart)
        return BlockReference(offset: offset, length: length, checksum: try reader.u32())
    }
}

extension SegmentFooter {
    /// Writes the trailer that leads to the footer.
    static func encodeTrailer(_ footer: BlockReference, into writer: inout ByteWriter) {
        let start = writer.count
        writer.u64(UInt64(footer.offset))
        writer.u32(UInt32(footer.length))
        writer.u32(footer.checksum)
        writer.u32(trailerMagic)
        writer.u32(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: writer.bytes[start...])))
    }

    /// Reads header, trailer and footer of a sealed segment file.
    static func read(_ file: SegmentFile) throws(MartletError) -> SegmentFooter {
        let size = try file.file.size()
        func damaged(_ reason: String, _ offset: Int64) -> MartletError {
            MartletError(.corrupt, reason, at: .file(path: file.path, offset: offset))
        }
        guard size >= Int64(FileHeader.byteCount + trailerLength) else {
            throw damaged("a sealed segment of \(size) bytes is cut off", size)
        }
        let head = try file.file.readExactly(FileHeader.byteCount, at: 0)
        defer { withExtendedLifetime(head) {} }
        guard try FileHeader(head.bytes).kind == .sealed else { throw damaged("this is not a sealed segment", 0) }
        let start = size - Int64(trailerLength)
        let trailer = try file.file.readExactly(trailerLength, at: start)
        defer { withExtendedLifetime(trailer) {} }
        var reader = ByteReader(trailer.bytes, "segment trailer")
        let offset = try reader.u64()
        let length = try reader.u32()
        let checksum = try reader.u32()
        let magic = try reader.u32()
        let own = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: trailer.bytes[..<(trailerLength - 4)]))
        guard try reader.u32() == own, magic == trailerMagic else {
            throw damaged("the segment's trailer is damaged", start)
        }
        guard offset <= UInt64(start), UInt64(length) == UInt64(start) - offset else {
            throw damaged("the segment's footer lies outside of the file", start)
        }
        let bytes = try file.read(BlockReference(offset: Int64(offset), length: Int(length), checksum: checksum))
        defer { withExtendedLifetime(bytes) {} }
        return try SegmentFooter(bytes.bytes)
    }
}
