import MartletModel

/// One column in, a self-describing block of bytes out, and back, bit for bit.
///
/// A block holds up to `maximumRowCount` rows of any column type but interval: type, count, nulls, encoding and the
/// values (format-spec/blocks.md). It carries no checksum; storage puts a CRC-32C around it. Damaged bytes throw
/// `.corrupt`; they never crash, and they never make a decoder allocate beyond what the row count and the length of
/// the bytes allow.
package enum BlockCodec {
    /// The most rows of one block.
    package static let maximumRowCount = 65_536
    /// The unit of decoding: `decode(_:rows:)` touches only the vectors of this many rows that overlap, where the
    /// encoding allows it.
    package static let vectorLength = BitPacking.vectorLength

    /// Appends the encoding of `column` to `output`. The encoding is chosen by sampling the values. O(rows).
    ///
    /// Dictionary entries that no row refers to are left out; the others keep their order.
    ///
    /// - Throws: `.invalidArgument` for more than `maximumRowCount` rows, `.unsupported` for intervals.
    package static func encode(
        _ column: Column, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        guard column.count <= maximumRowCount else {
            throw MartletError(
                .invalidArgument, "a block of \(column.count) rows exceeds the limit of \(maximumRowCount)")
        }
        guard column.type != .interval else {
            throw MartletError(.unsupported, "interval columns cannot be stored")
        }
        let nulls = column.nullCount > 0
        output.append(BlockHeader.version << 4 | column.type.rawValue)
        output.append(varint: UInt64(column.count) << 1 | (nulls ? 1 : 0))
        guard nulls, let validity = column.validity else {
            try encodeDense(column, rows: nil, count: column.count, effort: effort, into: &output)
            return
        }
        var section = MutableBuffer(capacity: 64)
        try BoolStream.encode(validity.baseAddress, count: column.count, effort: effort, into: &section)
        output.append(section: section)
        let present = column.count - column.nullCount
        let rows = Scratch<Int32>(count: present)
        var found = 0
        for row in 0..<column.count where Bitmap.isSet(validity.baseAddress, row) && found < present {
            rows.pointer[found] = Int32(row)
            found += 1
        }
        precondition(found == present, "the null count of a column disagrees with its validity bitmap")
        try encodeDense(column, rows: rows.pointer, count: present, effort: effort, into: &output)
    }

    /// Appends the values of the listed rows, all of which are valid.
    private static func encodeDense(
        _ column: Column, rows: UnsafePointer<Int32>?, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        guard count > 0 else { return }
        switch column.type {
        case .timestamp, .int64, .uint64:
            try withDense(column.values.pointer(to: Int64.self), rows, count) { values throws(MartletError) in
                try IntegerStream.encode(values, count: count, effort: effort, into: &output)
            }
        case .float64:
            try withDense(column.values.pointer(to: Double.self), rows, count) { values throws(MartletError) in
                try FloatStream.encode(values, count: count, effort: effort, into: &output)
            }
        case .bool:
            guard let rows else {
                try BoolStream.encode(column.values.baseAddress, count: count, effort: effort, into: &output)
                return
            }
            var bits = BitmapBuilder(capacity: count)
            for index in 0..<count { bits.append(Bitmap.isSet(column.values.baseAddress, Int(rows[index]))) }
            let dense = bits.finish()
            defer { withExtendedLifetime(dense) {} }
            try BoolStream.encode(dense.baseAddress, count: count, effort: effort, into: &output)
        case .string:
            try StringStream.encode(column, dense: rows, count: count, effort: effort, into: &output)
        case .interval: preconditionFailure("intervals were refused above")
        }
    }

    private static func withDense<T: BitwiseCopyable>(
        _ values: UnsafePointer<T>, _ rows: UnsafePointer<Int32>?, _ count: Int,
        _ body: (UnsafePointer<T>) throws(MartletError) -> Void
    ) throws(MartletError) {
        guard let rows else { return try body(values) }
        let dense = Scratch<T>(count: count)
        for index in 0..<count { dense.pointer[index] = values[Int(rows[index])] }
        try body(dense.pointer)
    }

    /// The number of rows of a block. O(1).
    package static func rowCount(_ bytes: UnsafeRawBufferPointer) throws(MartletError) -> Int {
        var reader = ByteReader(bytes)
        return try BlockHeader(&reader).count
    }

    /// All rows of a block.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(MartletError) -> Column {
        var reader = ByteReader(bytes)
        let header = try BlockHeader(&reader)
        return try decode(&reader, header, rows: 0..<header.count)
    }

    /// The given rows of a block.
    ///
    /// - Throws: `.outOfRange` when the block has not all of the rows.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, rows: Range<Int>
    ) throws(MartletError) -> Column {
        var reader = ByteReader(bytes)
        let header = try BlockHeader(&reader)
        guard rows.lowerBound >= 0 && rows.upperBound <= header.count else {
            throw MartletError(.outOfRange, "rows \(rows) of a block of \(header.count)")
        }
        return try decode(&reader, header, rows: rows)
    }
}

/// The first bytes of a block.
struct BlockHeader {
    static let version: UInt8 = 1

    let type: ColumnType
    let count: Int
    let hasNulls: Bool

    init(_ reader: inout ByteReader) throws(MartletError) {
        let first = try reader.byte()
        guard first >> 4 == Self.version else {
            throw MartletError(
                .unsupportedVersion, "an encoded column block of version \(first >> 4)",
                hint: "open the data with the release that wrote it or a later one")
        }
        guard let type = ColumnType(rawValue: first & 15), type != .interval else {
            throw corrupt("unknown column type \(first & 15)")
        }
        let packed = try reader.count(upTo: BlockCodec.maximumRowCount * 2 + 1, "the row count")
        self.type = type
        count = packed >> 1
        hasNulls = packed & 1 == 1
        guard count <= BlockCodec.maximumRowCount else { throw corrupt("a block of \(count) rows") }
    }
}
