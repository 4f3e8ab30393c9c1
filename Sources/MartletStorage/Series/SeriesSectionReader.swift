import MartletCodec
import MartletModel

/// Reads what `SeriesSection.encode` wrote. Only the header is read and checked at first; a group of series is
/// checked and decoded when it is asked for, so that memory is bounded by one group.
package struct SeriesSectionReader {
    private struct Block {
        let range: Range<Int>
        let checksum: UInt32
    }

    private struct Table {
        let id: UInt32
        let rows: Range<Int>
        let keys: [[UInt8]]
        /// Group by group, key by key within one.
        let blocks: [Block]
    }

    /// The number of series.
    package let count: Int
    /// The length of the section in bytes.
    package let byteCount: Int
    private let bytes: UnsafeRawBufferPointer
    private let tables: [Table]
    /// The tables' groups in order.
    private let parts: [(table: Int, group: Int)]

    /// Reads the header of the section at the front of `bytes`, which must outlive the reader.
    ///
    /// - Throws: `.corrupt` when the header's checksum or its content is wrong, `.unsupportedVersion` for a later one.
    package init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard bytes.count >= 8 else { throw Self.damaged("is cut off") }
        let headerLength = Int(bytes.loadUnaligned(as: UInt32.self))
        guard headerLength <= bytes.count - 8 else { throw Self.damaged("is cut off in its header") }
        let header = UnsafeRawBufferPointer(rebasing: bytes[8..<8 + headerLength])
        guard CRC32C.checksum(header) == bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) else {
            throw Self.damaged("has a header that fails its checksum")
        }
        var cursor = Cursor(bytes: header)
        let version = try cursor.byte()
        guard version == SeriesSection.version else {
            throw MartletError(
                .unsupportedVersion, "a section of series is of version \(version)",
                hint: "open it with the release that wrote it, or a newer one")
        }
        count = try cursor.number(upTo: Int(UInt32.max))
        var tables: [Table] = []
        var row = 0
        var offset = 8 + headerLength
        for _ in 0..<(try cursor.number(upTo: header.count)) {
            let id = UInt32(try cursor.number(upTo: Int(UInt32.max)))
            let rows = row..<row + (try cursor.number(upTo: count - row))
            row = rows.upperBound
            if let last = tables.last, last.id >= id { throw Self.damaged("has tables out of order") }
            var keys: [[UInt8]] = []
            for _ in 0..<(try cursor.number(upTo: header.count)) {
                let key = try cursor.take(try cursor.number(upTo: header.count))
                if let last = keys.last, !last.lexicographicallyPrecedes(key) {
                    throw Self.damaged("has tag keys out of order")
                }
                keys.append(key)
            }
            var blocks: [Block] = []
            let groups = (rows.count + SeriesSection.groupLength - 1) / SeriesSection.groupLength
            for _ in 0..<groups * keys.count {
                let length = try cursor.number(upTo: bytes.count - offset)
                blocks.append(Block(range: offset..<offset + length, checksum: try cursor.word()))
                offset += length
            }
            tables.append(Table(id: id, rows: rows, keys: keys, blocks: blocks))
        }
        guard row == count else { throw Self.damaged("has \(row) series where \(count) were announced") }
        guard cursor.isAtEnd else { throw Self.damaged("has a header that is too long") }
        self.bytes = bytes
        self.byteCount = offset
        self.tables = tables
        parts = tables.enumerated().flatMap { index, table in
            (0..<(table.rows.count + SeriesSection.groupLength - 1) / SeriesSection.groupLength).map { (index, $0) }
        }
    }

    /// Checks every block.
    ///
    /// - Throws: `.corrupt`, naming the byte, for the first that fails its checksum.
    package func verify() throws(MartletError) {
        for table in tables { for block in table.blocks { _ = try checked(block) } }
    }

    /// The number of parts that are checked and decoded each for itself: the groups of all tables.
    package var partCount: Int { parts.count }

    /// The number of blocks.
    package var blockCount: Int { tables.reduce(0) { $0 + $1.blocks.count } }

    /// The table of a part.
    package func table(ofPart part: Int) -> UInt32 { tables[parts[part].table].id }

    /// Calls `body` with number, table and canonical tag bytes of every series of a part, in order. The bytes are valid
    /// during the call only.
    ///
    /// - Throws: `.corrupt` when a block of the part is damaged; `body` may have been called for some series before.
    package func forEach(
        inPart part: Int, _ body: (Int, UInt32, UnsafeRawBufferPointer) throws(MartletError) -> Void
    ) throws(MartletError) {
        let (index, group) = parts[part]
        let table = tables[index]
        let first = table.rows.lowerBound + group * SeriesSection.groupLength
        let rows = first..<min(first + SeriesSection.groupLength, table.rows.upperBound)
        try forEach(of: table, rows, group, body)
    }

    /// Calls `body` with number, table and canonical tag bytes of every series, in order. The bytes are valid during
    /// the call only.
    package func forEach(
        _ body: (Int, UInt32, UnsafeRawBufferPointer) throws(MartletError) -> Void
    ) throws(MartletError) {
        for part in parts.indices { try forEach(inPart: part, body) }
    }

    private func forEach(
        of table: Table, _ rows: Range<Int>, _ group: Int,
        _ body: (Int, UInt32, UnsafeRawBufferPointer) throws(MartletError) -> Void
    ) throws(MartletError) {
        var columns: [TagColumn] = []
        for index in 0..<(rows.isEmpty ? 0 : table.keys.count) {
            let block = try checked(table.blocks[group * table.keys.count + index])
            columns.append(try TagColumn(block, rowCount: rows.count))
        }
        var tags = MutableBuffer(capacity: 256)
        for row in rows {
            tags.byteCount = 0
            for (key, column) in zip(table.keys, columns.indices) {
                try columns[column].withNext { value throws(MartletError) in
                    tags.appendLEB128(UInt64(key.count))
                    for byte in key { tags.append(byte) }
                    tags.appendLEB128(UInt64(value.count))
                    tags.append(value)
                }
            }
            try body(row, table.id, tags.bytes)
        }
    }

    private func checked(_ block: Block) throws(MartletError) -> UnsafeRawBufferPointer {
        let content = UnsafeRawBufferPointer(rebasing: bytes[block.range])
        guard CRC32C.checksum(content) == block.checksum else {
            throw Self.damaged("fails a checksum at its byte \(block.range.lowerBound)")
        }
        return content
    }

    fileprivate static func damaged(_ what: String) -> MartletError {
        MartletError(.corrupt, "a section of series \(what)", hint: "repair the segment or restore it from a backup")
    }
}

/// One decoded column of tag values, read from the first row to the last.
private struct TagColumn {
    private let values: Column
    private let shared: Column?
    private var row = 0
    private var previous: [UInt8] = []

    init(_ block: UnsafeRawBufferPointer, rowCount: Int) throws(MartletError) {
        var cursor = Cursor(bytes: block)
        let mode = try cursor.byte()
        switch SeriesSection.Mode(rawValue: mode) {
        case .dictionary: shared = nil
        case .frontCoded:
            let length = try cursor.number(upTo: block.count)
            let lengths = try BlockCodec.decode(try cursor.slice(length))
            guard lengths.type == .uint64, lengths.count == rowCount, lengths.nullCount == 0 else {
                throw SeriesSectionReader.damaged("has a column of \(lengths.count) \(lengths.type.name) lengths")
            }
            shared = lengths
        case nil: throw SeriesSectionReader.damaged("has a column of unknown coding \(mode)")
        }
        values = try BlockCodec.decode(cursor.rest)
        guard values.type == .string, values.count == rowCount else {
            throw SeriesSectionReader.damaged("has a column of \(values.count) \(values.type.name) values")
        }
    }

    /// Steps to the next row and, where it has a value, calls `body` with it.
    mutating func withNext(
        _ body: (UnsafeRawBufferPointer) throws(MartletError) -> Void
    ) throws(MartletError) {
        defer { row += 1 }
        if row % SeriesSection.restartInterval == 0 { previous.removeAll(keepingCapacity: true) }
        guard values.isValid(row) else { return }
        guard let shared else { return try body(values.stringBytes(row)) }
        let common = shared.values.pointer(to: UInt64.self)[row]
        guard common <= UInt64(previous.count) else {
            throw SeriesSectionReader.damaged("shares \(common) bytes with a value of \(previous.count)")
        }
        previous.removeLast(previous.count - Int(common))
        previous.append(contentsOf: values.stringBytes(row))
        try previous.withUnsafeBufferPointer { bytes throws(MartletError) in
            try body(UnsafeRawBufferPointer(bytes))
        }
    }
}

/// A bounded cursor.
private struct Cursor {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[offset...]) }

    mutating func slice(_ count: Int) throws(MartletError) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - offset else { throw SeriesSectionReader.damaged("is cut off at byte \(offset)") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func take(_ count: Int) throws(MartletError) -> [UInt8] { [UInt8](try slice(count)) }

    mutating func byte() throws(MartletError) -> UInt8 { try slice(1)[0] }

    mutating func word() throws(MartletError) -> UInt32 { try slice(4).loadUnaligned(as: UInt32.self) }

    mutating func number(upTo limit: Int) throws(MartletError) -> Int {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 else { throw SeriesSectionReader.damaged("has a number that is too large") }
            number |= UInt64(next & 0x7f) << shift
            if next < 0x80 { break }
            shift += 7
        }
        guard number <= UInt64(max(limit, 0)) else {
            throw SeriesSectionReader.damaged("has the number \(number) where at most \(limit) fits")
        }
        return Int(number)
    }
}
