import MartletModel

/// Writes a batch as a block of the wire protocol: descriptors, names, then each column's buffers as they lie in
/// memory, each at a multiple of eight from the block's start. A copy of memory, no work per row.
///
/// Block: `rowCount u32, columnCount u16, 0 u16`; per column 24 bytes `type u8, role u8, layout u8, 0 u8,
/// nameLength u16, 0 u16, nullCount u32, dictionaryCount u32, valuesLength u32, dictionaryLength u32`; the names; then
/// per column validity (if nulls), values, offsets (plain strings), dictionary offsets and dictionary bytes.
package enum BatchEncoder {
    static let blockHeaderBytes = 8
    static let descriptorBytes = 24

    /// Appends the block of `batch`; `output.byteCount` must stand at a multiple of eight within the frame's body.
    ///
    /// - Throws: `.outOfRange` for more than 65,535 columns, a name of more than 65,535 bytes or a column of 4 GiB.
    package static func append(_ batch: RecordBatch, to output: inout MutableBuffer) throws(MartletError) {
        guard batch.schema.count <= UInt16.max, batch.rowCount <= Int32.max else {
            throw MartletError(
                .outOfRange, "a batch of \(batch.schema.count) columns and \(batch.rowCount) rows exceeds one frame")
        }
        let columns = zip(batch.schema, batch.columns).map { worthwhile($1, role: $0.role) }
        let start = output.byteCount
        output.append(littleEndian: UInt32(batch.rowCount))
        output.append(littleEndian: UInt16(batch.schema.count))
        output.append(UInt16(0))
        for (description, column) in zip(batch.schema, columns) {
            try appendDescriptor(description, column, to: &output)
        }
        for description in batch.schema { output.append(wireText: description.name) }
        output.align(from: start)
        for column in columns { append(column, from: start, to: &output) }
    }

    /// A text column whose dictionary is much larger than its rows is sent as plain text, so that a narrow result
    /// does not carry every entry in every frame.
    private static func worthwhile(_ column: Column, role: ColumnRole) -> Column {
        guard role != .series, let dictionary = column.dictionary, dictionary.count > 2 * column.count + 16 else {
            return column
        }
        var builder = ColumnBuilder(.string, capacity: column.count)
        for row in 0..<column.count {
            if column.isValid(row) { builder.append(utf8: column.stringBytes(row)) } else { builder.appendNull() }
        }
        return builder.finish()
    }

    private static func appendDescriptor(
        _ description: ColumnDescription, _ column: Column, to output: inout MutableBuffer
    ) throws(MartletError) {
        let nameLength = description.name.utf8.count
        let values = valuesLength(column)
        let dictionaryBytes = column.dictionary.map(dictionaryLength) ?? 0
        guard nameLength <= UInt16.max, values <= UInt32.max, dictionaryBytes <= UInt32.max else {
            throw MartletError(.outOfRange, "a column of \(values) bytes named in \(nameLength) exceeds one frame")
        }
        output.append(description.type.rawValue)
        output.append(description.role.rawValue)
        output.append(UInt8(column.isDictionaryEncoded ? 1 : 0))
        output.append(UInt8(0))
        output.append(littleEndian: UInt16(nameLength))
        output.append(UInt16(0))
        output.append(littleEndian: UInt32(column.nullCount))
        output.append(littleEndian: UInt32(column.dictionary?.count ?? 0))
        output.append(littleEndian: UInt32(values))
        output.append(littleEndian: UInt32(dictionaryBytes))
    }

    private static func append(_ column: Column, from start: Int, to output: inout MutableBuffer) {
        func section(_ buffer: Buffer, _ range: Range<Int>, to output: inout MutableBuffer) {
            output.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[range]))
            output.align(from: start)
        }
        if column.nullCount > 0, let validity = column.validity {
            section(validity, 0..<Bitmap.byteCount(forBits: column.count), to: &output)
        }
        if let offsets = column.offsets {
            let pointer = offsets.pointer(to: Int32.self)
            section(column.values, Int(pointer[0])..<Int(pointer[column.count]), to: &output)
            append(offsets: offsets, count: column.count, from: start, to: &output)
        } else {
            section(column.values, 0..<valuesLength(column), to: &output)
        }
        if let dictionary = column.dictionary {
            let pointer = dictionary.offsets.pointer(to: Int32.self)
            append(offsets: dictionary.offsets, count: dictionary.count, from: start, to: &output)
            section(dictionary.bytes, Int(pointer[0])..<Int(pointer[dictionary.count]), to: &output)
        }
    }

    /// Offsets as they are, or moved so that the first is zero where a slice's are not.
    private static func append(offsets: Buffer, count: Int, from start: Int, to output: inout MutableBuffer) {
        let pointer = offsets.pointer(to: Int32.self)
        if pointer[0] == 0 {
            output.append(UnsafeRawBufferPointer(rebasing: offsets.bytes[0..<(count + 1) * 4]))
        } else {
            for index in 0...count { output.append(littleEndian: pointer[index] - pointer[0]) }
        }
        output.align(from: start)
    }

    static func valuesLength(_ column: Column) -> Int {
        if let offsets = column.offsets {
            let pointer = offsets.pointer(to: Int32.self)
            return Int(pointer[column.count] - pointer[0])
        }
        if column.isDictionaryEncoded { return column.count * 4 }
        return valuesLength(type: column.type, rows: column.count)
    }

    static func valuesLength(type: ColumnType, rows: Int) -> Int {
        type.fixedWidth.map { $0 * rows } ?? Bitmap.byteCount(forBits: rows)
    }

    private static func dictionaryLength(_ dictionary: StringDictionary) -> Int {
        let pointer = dictionary.offsets.pointer(to: Int32.self)
        return Int(pointer[dictionary.count] - pointer[0])
    }
}
