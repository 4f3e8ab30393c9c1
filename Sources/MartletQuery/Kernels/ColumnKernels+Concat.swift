import MartletModel

extension ColumnKernels {
    /// The rows of `columns`, one after the other. All must be of `type`. O(rows + distinct strings).
    ///
    /// Dictionary-encoded columns stay so; their dictionaries are unified where they are not the same object.
    ///
    /// - Throws: `.resourceExhausted` when plain strings add up to more than a column can hold (2 GiB).
    package static func concat(_ columns: [Column], type: ColumnType) throws(MartletError) -> Column {
        if columns.count == 1 { return columns[0] }
        let count = columns.reduce(0) { $0 + $1.count }
        for column in columns {
            precondition(column.type == type, "\(column.type.name) rows in a column of \(type.name)")
        }
        let nullCount = columns.reduce(0) { $0 + $1.nullCount }
        if nullCount == count { return .nulls(type, count: count) }
        let validity = nullCount == 0 ? nil : concatBits(columns.map { ($0.validity, $0.count) }, count: count)
        switch type {
        case .timestamp, .float64, .int64, .uint64, .interval:
            let values = concatBytes(columns.map { ($0.values, $0.count * type.fixedWidth!) })
            return Column(type: type, count: count, nullCount: nullCount, validity: validity, values: values)
        case .bool:
            let values = concatBits(columns.map { ($0.values, $0.count) }, count: count)
            return Column(type: type, count: count, nullCount: nullCount, validity: validity, values: values)
        case .string:
            let meaningful = columns.filter { $0.nullCount < $0.count }
            if meaningful.allSatisfy(\.isDictionaryEncoded) {
                return concatDictionaries(columns, count: count, nullCount: nullCount, validity: validity)
            }
            return try concatPlain(columns, count: count, nullCount: nullCount, validity: validity)
        }
    }

    private static func concatBytes(_ parts: [(Buffer, Int)]) -> Buffer {
        var result = MutableBuffer(capacity: parts.reduce(0) { $0 + $1.1 })
        for (buffer, bytes) in parts { result.append(UnsafeRawBufferPointer(start: buffer.baseAddress, count: bytes)) }
        return result.finish()
    }

    /// Joins bitmaps; a missing one is all ones.
    private static func concatBits(_ parts: [(Buffer?, Int)], count: Int) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: count)
        // One spare word, because a part that ends mid-byte is carried into the byte after it.
        var result = MutableBuffer(capacity: bytes + 16)
        result.appendZeros(bytes + 16)
        var position = 0
        for (buffer, rows) in parts {
            var row = 0
            while row < rows {
                var word = buffer?.baseAddress.loadUnaligned(fromByteOffset: row >> 3, as: UInt64.self) ?? .max
                let take = min(64, rows - row)
                if take < 64 { word &= (1 << UInt64(take)) - 1 }
                let shift = UInt64((position + row) & 7)
                let offset = (position + row) >> 3
                let low = result.base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                result.base.storeBytes(of: low | (word << shift), toByteOffset: offset, as: UInt64.self)
                if shift > 0 {
                    result.base.storeBytes(
                        of: UInt8(truncatingIfNeeded: word >> (64 - shift)), toByteOffset: offset + 8, as: UInt8.self)
                }
                row += take
            }
            position += rows
        }
        result.byteCount = bytes
        return result.finish()
    }

    private static func concatDictionaries(
        _ columns: [Column], count: Int, nullCount: Int, validity: Buffer?
    ) -> Column {
        var codes = MutableBuffer(capacity: count * 4)
        let target = codes.base.assumingMemoryBound(to: UInt32.self)
        var unified = DictionaryUnifier()
        var next = 0
        for column in columns {
            guard let dictionary = column.dictionary, column.nullCount < column.count else {
                for row in 0..<column.count { target[next + row] = 0 }
                next += column.count
                continue
            }
            let source = column.values.pointer(to: UInt32.self)
            unified.add(dictionary, codes: UnsafeBufferPointer(start: source, count: column.count))
            if let mapping = unified.lastMapping {
                mapping.withUnsafeBufferPointer { mapping in
                    for row in 0..<column.count { target[next + row] = mapping[Int(source[row])] }
                }
            } else {
                for row in 0..<column.count { target[next + row] = source[row] }
            }
            next += column.count
        }
        codes.byteCount = count * 4
        return Column(
            type: .string, count: count, nullCount: nullCount, validity: validity, values: codes.finish(),
            dictionary: unified.finish())
    }

    private static func concatPlain(
        _ columns: [Column], count: Int, nullCount: Int, validity: Buffer?
    ) throws(MartletError) -> Column {
        var offsets = MutableBuffer(capacity: (count + 1) * 4)
        var bytes = MutableBuffer(
            capacity: columns.reduce(0) { $0 + ($1.isDictionaryEncoded ? 0 : $1.values.byteCount) })
        offsets.append(Int32(0))
        for column in columns {
            for row in 0..<column.count {
                if column.isValid(row) { bytes.append(column.stringBytes(row)) }
                guard bytes.byteCount <= Int(Int32.max) else { throw Self.textTooLarge() }
                offsets.append(Int32(truncatingIfNeeded: bytes.byteCount))
            }
        }
        return Column(
            type: .string, count: count, nullCount: nullCount, validity: validity, values: bytes.finish(),
            offsets: offsets.finish())
    }

    static func textTooLarge() -> MartletError {
        MartletError(
            .resourceExhausted, "the text of one column of a result would be larger than 2 GiB",
            hint: "select fewer rows or shorter strings")
    }
}

/// Builds one dictionary out of several and the mapping of each one's codes into it.
struct DictionaryUnifier: ~Copyable {
    private var only: StringDictionary?
    private var index = ByteStringIndex()
    private var isMerged = false
    /// How the dictionary added last maps into the unified one; `nil` means identity.
    private(set) var lastMapping: [UInt32]?
    private var mappings: [ObjectIdentifier: [UInt32]] = [:]

    /// Adds a dictionary. Rows that came before keep their codes.
    mutating func add(_ dictionary: StringDictionary, codes: UnsafeBufferPointer<UInt32>) {
        if !isMerged {
            if only == nil { only = dictionary }
            if only === dictionary {
                lastMapping = nil
                return
            }
            isMerged = true
            // Codes of the first dictionary must stay, so its entries go in at their places, duplicates included.
            for entry in 0..<only!.count { index.appendKeepingPlace(only!.entry(entry)) }
            mappings[ObjectIdentifier(only!)] = (0..<UInt32(only!.count)).map { $0 }
        }
        if let known = mappings[ObjectIdentifier(dictionary)] {
            lastMapping = known
            return
        }
        let mapping = (0..<dictionary.count).map { index.intern(dictionary.entry($0)) }
        mappings[ObjectIdentifier(dictionary)] = mapping
        lastMapping = mapping
    }

    /// The unified dictionary.
    consuming func finish() -> StringDictionary {
        if isMerged { return index.finish() }
        return only ?? StringDictionary([])
    }
}
