import MartletModel

/// Reads blocks that `BatchEncoder` describes, from a peer that may be broken or hostile.
///
/// What it returns keeps every promise of `Column`: lengths fit, offsets ascend, indices stay below the dictionary's
/// count, text is UTF-8, tag sets are canonical. It allocates no more than the bytes that it was given.
package enum BatchDecoder {
    private struct Descriptor {
        var description: ColumnDescription
        var isDictionary: Bool
        var nullCount: Int
        var dictionaryCount: Int
        var valuesLength: Int
        var dictionaryLength: Int
    }

    /// Reads a block that starts at the reader's offset, a multiple of eight.
    ///
    /// - Throws: `.protocolViolation` for bytes that are no block, `.invalidUTF8` for text that is none.
    package static func read(_ reader: inout WireReader) throws(MartletError) -> RecordBatch {
        let rows = Int(try reader.integer(UInt32.self, "row count"))
        let columnCount = Int(try reader.integer(UInt16.self, "column count"))
        guard try reader.integer(UInt16.self, "block header") == 0, rows <= Int32.max else {
            throw violation("a batch's header is malformed")
        }
        guard columnCount * BatchEncoder.descriptorBytes <= reader.remaining else {
            throw violation("a batch ends inside its descriptors")
        }
        guard columnCount > 0 || rows == 0 else { throw violation("a batch of \(rows) rows has no column") }
        var nameLengths: [Int] = []
        var descriptors: [Descriptor] = []
        for _ in 0..<columnCount { try readDescriptor(&reader, rows, &descriptors, &nameLengths) }
        for index in 0..<columnCount {
            descriptors[index].description.name = try reader.text(nameLengths[index], "column name")
        }
        try reader.align("column names")
        var columns: [Column] = []
        columns.reserveCapacity(columnCount)
        for descriptor in descriptors { columns.append(try readColumn(&reader, descriptor, rows)) }
        return RecordBatch(schema: descriptors.map(\.description), columns: columns, rowCount: rows)
    }

    private static func readDescriptor(
        _ reader: inout WireReader, _ rows: Int, _ descriptors: inout [Descriptor], _ nameLengths: inout [Int]
    ) throws(MartletError) {
        let type = try reader.integer(UInt8.self, "column type")
        let role = try reader.integer(UInt8.self, "column role")
        let layout = try reader.integer(UInt8.self, "column layout")
        let reserved = try reader.integer(UInt8.self, "descriptor")
        nameLengths.append(Int(try reader.integer(UInt16.self, "name length")))
        let reserved2 = try reader.integer(UInt16.self, "descriptor")
        let nullCount = Int(try reader.integer(UInt32.self, "null count"))
        let dictionaryCount = Int(try reader.integer(UInt32.self, "dictionary count"))
        let valuesLength = Int(try reader.integer(UInt32.self, "values length"))
        let dictionaryLength = Int(try reader.integer(UInt32.self, "dictionary length"))
        guard let type = ColumnType(rawValue: type) else { throw violation("unknown column type \(type)") }
        guard let role = ColumnRole(rawValue: role) else { throw violation("unknown column role \(role)") }
        guard reserved == 0, reserved2 == 0, layout <= 1 else {
            throw violation("unknown column layout \(layout), or a reserved byte is not zero")
        }
        let isDictionary = layout == 1
        guard nullCount <= rows else { throw violation("\(nullCount) nulls in \(rows) rows") }
        guard type == .string || !isDictionary, isDictionary || (dictionaryCount == 0 && dictionaryLength == 0) else {
            throw violation("only text columns have a dictionary")
        }
        let fits =
            type == .string
            ? !isDictionary || valuesLength == rows * 4
            : valuesLength == BatchEncoder.valuesLength(type: type, rows: rows)
        guard fits, dictionaryCount < Int(Int32.max) else {
            throw violation("\(valuesLength) bytes are not \(rows) rows of \(type.name)")
        }
        guard !isDictionary || dictionaryCount > 0 || nullCount == rows else {
            throw violation("a column with values has an empty dictionary")
        }
        switch role {
        case .time where type != .timestamp || nullCount > 0: throw violation("a time column is malformed")
        case .tag where type != .string: throw violation("a tag column is not text")
        case .series where !isDictionary || nullCount > 0: throw violation("a series column is malformed")
        default: break
        }
        descriptors.append(
            Descriptor(
                description: ColumnDescription("", type, role), isDictionary: isDictionary, nullCount: nullCount,
                dictionaryCount: dictionaryCount, valuesLength: valuesLength, dictionaryLength: dictionaryLength))
    }

    private static func readColumn(
        _ reader: inout WireReader, _ descriptor: Descriptor, _ rows: Int
    ) throws(MartletError) -> Column {
        let type = descriptor.description.type
        var validity: Buffer?
        if descriptor.nullCount > 0 {
            let bits = try section(&reader, Bitmap.byteCount(forBits: rows), "validity")
            guard rows - Bitmap.countSet(bits.baseAddress, count: rows) == descriptor.nullCount else {
                throw violation("a column's validity does not count \(descriptor.nullCount) nulls")
            }
            validity = bits
        }
        let values = try section(&reader, descriptor.valuesLength, "values")
        guard type == .string else {
            return Column(type: type, count: rows, nullCount: descriptor.nullCount, validity: validity, values: values)
        }
        guard descriptor.isDictionary else {
            let offsets = try section(&reader, (rows + 1) * 4, "offsets")
            try check(offsets: offsets, count: rows, bytes: values, isText: true)
            return Column(
                type: type, count: rows, nullCount: descriptor.nullCount, validity: validity, values: values,
                offsets: offsets)
        }
        let offsets = try section(&reader, (descriptor.dictionaryCount + 1) * 4, "dictionary offsets")
        let entries = try section(&reader, descriptor.dictionaryLength, "dictionary")
        let isSeries = descriptor.description.role == .series
        try check(offsets: offsets, count: descriptor.dictionaryCount, bytes: entries, isText: !isSeries)
        let dictionary = StringDictionary(offsets: offsets, bytes: entries, count: descriptor.dictionaryCount)
        if isSeries { for index in 0..<dictionary.count { try checkTagSet(dictionary.entry(index)) } }
        try check(indices: values, rows: rows, below: descriptor.dictionaryCount)
        return Column(
            type: type, count: rows, nullCount: descriptor.nullCount, validity: validity, values: values,
            dictionary: dictionary)
    }

    private static func section(
        _ reader: inout WireReader, _ length: Int, _ what: StaticString
    ) throws(MartletError) -> Buffer {
        let buffer = Buffer(copying: try reader.take(length, what))
        try reader.align(what)
        return buffer
    }

    /// The largest index by a loop that the compiler turns into vector code.
    private static func check(indices: Buffer, rows: Int, below count: Int) throws(MartletError) {
        guard count > 0 else { return }
        let pointer = indices.pointer(to: UInt32.self)
        var largest: UInt32 = 0
        for row in 0..<rows { largest = max(largest, pointer[row]) }
        guard rows == 0 || largest < count else {
            throw violation("a dictionary index of \(largest) in a dictionary of \(count)")
        }
    }

    private static func check(
        offsets: Buffer, count: Int, bytes: Buffer, isText: Bool
    ) throws(MartletError) {
        let pointer = offsets.pointer(to: Int32.self)
        guard pointer[0] == 0, Int(pointer[count]) == bytes.byteCount else {
            throw violation("offsets do not span their bytes")
        }
        var ascend = true
        for index in 0..<count { ascend = ascend && pointer[index] <= pointer[index + 1] }
        guard ascend else { throw violation("offsets do not ascend") }
        guard isText else { return }
        // One pass over all the bytes, then each text must start at a character: not at a continuation byte.
        guard isUTF8(bytes.bytes) else {
            throw MartletError(.invalidUTF8, "a text column holds bytes that are not UTF-8")
        }
        let content = bytes.bytes
        var split = false
        for index in 0..<count where Int(pointer[index]) < content.count {
            split = split || content[Int(pointer[index])] & 0xc0 == 0x80
        }
        guard !split else { throw MartletError(.invalidUTF8, "a text column's value starts inside a character") }
    }

    /// Eight ASCII bytes a step; the standard library decides about the rest.
    static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index + 8 <= bytes.count,
            bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        { index += 8 }
        while index < bytes.count, bytes[index] < 0x80 { index += 1 }
        if index == bytes.count { return true }
        return String(validating: UnsafeRawBufferPointer(rebasing: bytes[index...]), as: UTF8.self) != nil
    }

    /// Checks in place that the bytes are `TagSet.canonicalBytes` of some tag set: LEB128 lengths in their shortest
    /// form, keys that ascend, names and values that are UTF-8 and not empty.
    private static func checkTagSet(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        var offset = 0
        var lastKey: UnsafeRawBufferPointer?
        while offset < bytes.count {
            let key = try tagText(bytes, &offset)
            let value = try tagText(bytes, &offset)
            guard isUTF8(key), isUTF8(value) else { throw MartletError(.invalidUTF8, "a series' tags are not UTF-8") }
            if let lastKey, !lastKey.lexicographicallyPrecedes(key) {
                throw violation("the tag names of a series do not ascend")
            }
            lastKey = key
        }
    }

    private static func tagText(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(MartletError) -> UnsafeRawBufferPointer {
        var length = 0
        var shift = 0
        while true {
            guard offset < bytes.count, shift <= 28 else { throw violation("the tags of a series are cut off") }
            let byte = bytes[offset]
            offset += 1
            length |= Int(byte & 0x7f) << shift
            if byte & 0x80 == 0 {
                guard byte != 0 || shift == 0 else { throw violation("a tag's length is not in its shortest form") }
                break
            }
            shift += 7
        }
        guard length > 0 else { throw violation("a series has an empty tag name or value") }
        guard length <= bytes.count - offset else { throw violation("the tags of a series are cut off") }
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }

    private static func violation(_ message: String) -> MartletError { MartletError(.protocolViolation, message) }
}
