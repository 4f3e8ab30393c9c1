import MartletCodec
import MartletModel

/// Writes the series of a sealed segment: format-spec/series-index.md, section "Series section".
///
/// Series come in canonical order: by table number, then by the bytes of their tags. Per table, each tag key is a
/// column, cut into groups of `SeriesSection.groupLength` series; a column is coded as a dictionary or front-coded,
/// whichever is smaller, so that hosts that count up cost about as much as the digits that change.
package enum SeriesSection {
    /// The most series of one block.
    static let groupLength = BlockCodec.maximumRowCount
    static let version: UInt8 = 1

    /// How a column's block is coded.
    enum Mode: UInt8 {
        /// One string block with a sorted dictionary.
        case dictionary = 0
        /// An integer block of lengths shared with the value before, then a string block of the rest of each value.
        case frontCoded = 1
    }

    /// In a front-coded block, a value whose row is a multiple of this shares nothing.
    static let restartInterval = 1024

    /// Appends a section.
    ///
    /// - Parameters:
    ///   - count: the number of series.
    ///   - series: the table and the canonical tag bytes of each, ascending strictly by the two.
    /// - Throws: `.invalidArgument` when the series do not ascend, `.corrupt` for malformed tag bytes.
    package static func encode(
        count: Int, effort: Effort, into output: inout MutableBuffer,
        _ series: (Int) -> (table: UInt32, tags: UnsafeRawBufferPointer)
    ) throws(MartletError) {
        var header = MutableBuffer(capacity: 256)
        var body = MutableBuffer(capacity: count * 8)
        header.append(version)
        header.appendLEB128(UInt64(count))
        let tables = try runs(count, series)
        header.appendLEB128(UInt64(tables.count))
        for (table, rows) in tables {
            var keys = ByteInterner()
            for row in rows {
                var reader = CanonicalTagReader(series(row).tags)
                while let tag = try reader.next() { _ = keys.insert(scope: 0, tag.key) }
            }
            let sorted = (0..<UInt32(keys.count)).sorted { compare(keys.bytes(of: $0), keys.bytes(of: $1)) < 0 }
            header.appendLEB128(UInt64(table))
            header.appendLEB128(UInt64(rows.count))
            header.appendLEB128(UInt64(sorted.count))
            for key in sorted {
                header.appendLEB128(UInt64(keys.bytes(of: key).count))
                header.append(keys.bytes(of: key))
            }
            var start = rows.lowerBound
            while start < rows.upperBound {
                let group = start..<min(start + groupLength, rows.upperBound)
                for key in sorted {
                    let before = body.byteCount
                    try encode(keys.bytes(of: key), of: group, effort: effort, into: &body, series)
                    let block = UnsafeRawBufferPointer(rebasing: body.bytes[before...])
                    header.appendLEB128(UInt64(block.count))
                    header.append(CRC32C.checksum(block))
                }
                start = group.upperBound
            }
        }
        output.append(UInt32(header.byteCount))
        output.append(CRC32C.checksum(header.bytes))
        output.append(header.bytes)
        output.append(body.bytes)
    }

    /// The rows of each table; checks the order.
    private static func runs(
        _ count: Int, _ series: (Int) -> (table: UInt32, tags: UnsafeRawBufferPointer)
    ) throws(MartletError) -> [(table: UInt32, rows: Range<Int>)] {
        var runs: [(table: UInt32, rows: Range<Int>)] = []
        for row in 0..<count {
            let (table, tags) = series(row)
            guard let last = runs.last, last.table == table else {
                if let last = runs.last, last.table > table { throw disorder(row) }
                runs.append((table, row..<row + 1))
                continue
            }
            if compare(series(row - 1).tags, tags) >= 0 { throw disorder(row) }
            runs[runs.count - 1].rows = last.rows.lowerBound..<row + 1
        }
        return runs
    }

    private static func disorder(_ row: Int) -> MartletError {
        MartletError(.invalidArgument, "series \(row) of a segment does not come after the one before it")
    }

    /// Appends one column of one group.
    private static func encode(
        _ key: UnsafeRawBufferPointer, of rows: Range<Int>, effort: Effort, into output: inout MutableBuffer,
        _ series: (Int) -> (table: UInt32, tags: UnsafeRawBufferPointer)
    ) throws(MartletError) {
        var values = ByteInterner()
        var validity = BitmapBuilder(capacity: rows.count)
        var codes: [UInt32] = []
        codes.reserveCapacity(rows.count)
        for row in rows {
            var found: UInt32?
            var reader = CanonicalTagReader(series(row).tags)
            while let tag = try reader.next() {
                if compare(tag.key, key) == 0 {
                    found = values.insert(scope: 0, tag.value).id
                    break
                }
            }
            validity.append(found != nil)
            codes.append(found ?? 0)
        }
        let absent = validity.clearCount
        let present = validity.finish()
        let start = output.byteCount
        output.append(Mode.dictionary.rawValue)
        try BlockCodec.encode(
            dictionaryColumn(values, codes, absent: absent, present), effort: effort, into: &output)
        if values.count * 4 < rows.count - absent { return }
        var other = MutableBuffer(capacity: output.byteCount - start)
        try appendFrontCoded(values, codes, absent: absent, present, effort: effort, into: &other)
        if other.byteCount < output.byteCount - start {
            output.byteCount = start
            output.append(other.bytes)
        }
    }

    private static func dictionaryColumn(
        _ values: borrowing ByteInterner, _ codes: [UInt32], absent: Int, _ present: Buffer
    ) -> Column {
        var order: [UInt32] = Array(0..<UInt32(values.count))
        order.sort { compare(values.bytes(of: $0), values.bytes(of: $1)) < 0 }
        var ranks = [UInt32](repeating: 0, count: order.count)
        var text = MutableBuffer(capacity: 256)
        var offsets = MutableBuffer(capacity: (order.count + 1) * 4)
        offsets.append(Int32(0))
        for (rank, code) in order.enumerated() {
            ranks[Int(code)] = UInt32(rank)
            text.append(values.bytes(of: code))
            offsets.append(Int32(text.byteCount))
        }
        let indices = codes.map { ranks.isEmpty ? 0 : ranks[Int($0)] }
        let dictionary = StringDictionary(offsets: offsets.finish(), bytes: text.finish(), count: order.count)
        return Column(
            type: .string, count: codes.count, nullCount: absent, validity: absent == 0 ? nil : present,
            values: Buffer(indices), dictionary: dictionary)
    }

    private static func appendFrontCoded(
        _ values: borrowing ByteInterner, _ codes: [UInt32], absent: Int, _ present: Buffer, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        var shared = MutableBuffer(capacity: codes.count * 8)
        var text = MutableBuffer(capacity: codes.count * 8)
        var offsets = MutableBuffer(capacity: (codes.count + 1) * 4)
        offsets.append(Int32(0))
        var previous = UnsafeRawBufferPointer(start: nil, count: 0)
        for (row, code) in codes.enumerated() {
            if row % restartInterval == 0 { previous = UnsafeRawBufferPointer(start: nil, count: 0) }
            var common = 0
            if Bitmap.isSet(present.baseAddress, row) {
                let value = values.bytes(of: code)
                let limit = min(value.count, previous.count)
                while common < limit && value[common] == previous[common] { common += 1 }
                text.append(UnsafeRawBufferPointer(rebasing: value[common...]))
                previous = value
            }
            shared.append(UInt64(common))
            offsets.append(Int32(text.byteCount))
        }
        let lengths = Column(type: .uint64, count: codes.count, values: shared.finish())
        let rests = Column(
            type: .string, count: codes.count, nullCount: absent, validity: absent == 0 ? nil : present,
            values: text.finish(), offsets: offsets.finish())
        output.append(Mode.frontCoded.rawValue)
        var block = MutableBuffer(capacity: 1024)
        try BlockCodec.encode(lengths, effort: effort, into: &block)
        output.appendLEB128(UInt64(block.byteCount))
        output.append(block.bytes)
        try BlockCodec.encode(rests, effort: effort, into: &output)
    }
}
