import MartletModel

/// Numbers the distinct combinations of key values in the order in which they first come.
///
/// A key row is written into bytes (a validity byte, then the value) and interned; a single 64-bit key goes through a
/// table of its own. NULL equals NULL, NaN equals NaN, and the two zeros are one.
struct GroupTable: ~Copyable {
    private let types: [ColumnType]
    private var index = ByteStringIndex()
    private var words = WordTable()
    private let isWord: Bool
    private var scratch = MutableBuffer(capacity: 256)

    init(types: [ColumnType]) {
        self.types = types
        isWord = types.count == 1 && types[0].fixedWidth == 8
    }

    /// The number of groups.
    var count: Int { isWord ? words.count : index.count }
    /// Bytes held.
    var memoryFootprint: Int { isWord ? words.memoryFootprint : index.memoryFootprint }

    /// The group of each row of `keys`, into `groups`, which has room for `rowCount`.
    mutating func assign(_ keys: [Column], rowCount: Int, groups: UnsafeMutablePointer<UInt32>) {
        if isWord { return assignWords(keys[0], rowCount: rowCount, groups: groups) }
        if keys.count == 1, let dictionary = keys[0].dictionary, dictionary.count <= rowCount * 4 {
            return assignCodes(keys[0], dictionary, rowCount: rowCount, groups: groups)
        }
        for row in 0..<rowCount {
            encode(keys, row: row)
            groups[row] = index.intern(scratch.bytes)
        }
    }

    /// The group of one row if it exists.
    mutating func find(_ keys: [Column], row: Int) -> UInt32? {
        encode(keys, row: row)
        return index.find(scratch.bytes)
    }

    private mutating func assignWords(_ key: Column, rowCount: Int, groups: UnsafeMutablePointer<UInt32>) {
        let isFloat = key.type == .float64
        withExtendedLifetime(key) {
            let bits = key.values.pointer(to: UInt64.self)
            let hasNulls = key.nullCount > 0
            var lastBits: UInt64 = 0
            var lastGroup = UInt32.max
            for row in 0..<rowCount {
                if hasNulls && !key.isValid(row) {
                    groups[row] = words.internNull()
                    continue
                }
                let value = isFloat ? HashMixing.canonicalBits(Double(bitPattern: bits[row])) : bits[row]
                if value == lastBits && lastGroup != .max {
                    groups[row] = lastGroup
                    continue
                }
                lastBits = value
                lastGroup = words.intern(value)
                groups[row] = lastGroup
            }
        }
    }

    /// Keys of one dictionary: each entry is looked up once.
    private mutating func assignCodes(
        _ key: Column, _ dictionary: StringDictionary, rowCount: Int, groups: UnsafeMutablePointer<UInt32>
    ) {
        var known = [UInt32](repeating: .max, count: dictionary.count)
        withExtendedLifetime(key) {
            let codes = key.values.pointer(to: UInt32.self)
            for row in 0..<rowCount {
                guard key.isValid(row) else {
                    encode([key], row: row)
                    groups[row] = index.intern(scratch.bytes)
                    continue
                }
                let code = Int(codes[row])
                if known[code] == .max {
                    encode([key], row: row)
                    known[code] = index.intern(scratch.bytes)
                }
                groups[row] = known[code]
            }
        }
    }

    private mutating func encode(_ keys: [Column], row: Int) {
        scratch.byteCount = 0
        for key in keys {
            guard key.isValid(row) else {
                scratch.append(UInt8(0))
                continue
            }
            scratch.append(UInt8(1))
            switch key.type {
            case .timestamp, .int64, .uint64: scratch.append(key.values.pointer(to: UInt64.self)[row])
            case .float64: scratch.append(HashMixing.canonicalBits(key.values.pointer(to: Double.self)[row]))
            case .bool: scratch.append(UInt8(Bitmap.isSet(key.values.baseAddress, row) ? 1 : 0))
            case .interval: scratch.append(key.values.pointer(to: Interval.self)[row])
            case .string:
                let bytes = key.stringBytes(row)
                scratch.append(UInt32(bytes.count))
                scratch.append(bytes)
            }
        }
    }

    /// The key values of groups in a range, one column per key.
    func keyColumns(_ range: Range<Int>) throws(MartletError) -> [Column] {
        if isWord { return [words.column(range, type: types[0])] }
        let builders = types.map { KeyColumn($0) }
        for group in range {
            let bytes = index.entryBytes(group)
            var offset = 0
            for builder in builders { builder.append(from: bytes, &offset) }
        }
        return builders.map { $0.finish() }
    }
}

/// One key column being read back from encoded keys. A class, because its builder cannot be copied.
private final class KeyColumn {
    private let type: ColumnType
    private var texts = MutableBuffer(capacity: 64)
    private var offsets = MutableBuffer(capacity: 64)
    private var words = MutableBuffer(capacity: 64)
    private var bits = BitmapBuilder()
    private var validity = BitmapBuilder()
    private var count = 0

    init(_ type: ColumnType) {
        self.type = type
        if type == .string { offsets.append(Int32(0)) }
    }

    func append(from bytes: UnsafeRawBufferPointer, _ offset: inout Int) {
        let isValid = bytes[offset] == 1
        offset += 1
        count += 1
        validity.append(isValid)
        switch type {
        case .timestamp, .int64, .uint64, .float64:
            words.append(isValid ? bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) : 0)
            if isValid { offset += 8 }
        case .interval:
            words.append(isValid ? bytes.loadUnaligned(fromByteOffset: offset, as: Interval.self) : Interval())
            if isValid { offset += 16 }
        case .bool:
            bits.append(isValid && bytes[offset] == 1)
            if isValid { offset += 1 }
        case .string:
            if isValid {
                let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                texts.append(UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + 4 + length]))
                offset += 4 + length
            }
            offsets.append(Int32(texts.byteCount))
        }
    }

    func finish() -> Column {
        let nulls = validity.clearCount
        let validity = take(&self.validity, BitmapBuilder()).finish()
        let values =
            type == .bool
            ? take(&bits, BitmapBuilder()).finish()
            : type == .string
                ? take(&texts, MutableBuffer(capacity: 0)).finish() : take(&words, MutableBuffer(capacity: 0)).finish()
        let offsets = type == .string ? take(&self.offsets, MutableBuffer(capacity: 0)).finish() : nil
        return Column(
            type: type, count: count, nullCount: nulls, validity: nulls == 0 ? nil : validity, values: values,
            offsets: offsets)
    }

    private func take<T: ~Copyable>(_ place: inout T, _ replacement: consuming T) -> T {
        swap(&place, &replacement)
        return replacement
    }
}

/// Numbers distinct 64-bit values. Open addressing, linear probing.
struct WordTable {
    private var slots: [UInt32]
    private var mask: Int
    private(set) var values: [UInt64] = []
    private var nullGroup: UInt32?

    init() {
        slots = [UInt32](repeating: .max, count: 64)
        mask = 63
    }

    var count: Int { values.count }
    var memoryFootprint: Int { slots.count * 4 + values.capacity * 8 }

    /// The number of `value`, which is added if it is new.
    mutating func intern(_ value: UInt64) -> UInt32 {
        var slot = Int(truncatingIfNeeded: HashMixing.hash(value) >> 7) & mask
        while slots[slot] != .max {
            let found = slots[slot]
            if values[Int(found)] == value && found != nullGroup { return found }
            slot = (slot + 1) & mask
        }
        let number = UInt32(values.count)
        slots[slot] = number
        values.append(value)
        if values.count * 2 > slots.count { rehash() }
        return number
    }

    /// The number of NULL.
    mutating func internNull() -> UInt32 {
        if let nullGroup { return nullGroup }
        let number = UInt32(values.count)
        values.append(0)
        nullGroup = number
        return number
    }

    private mutating func rehash() {
        slots = [UInt32](repeating: .max, count: slots.count * 2)
        mask = slots.count - 1
        for (number, value) in values.enumerated() where UInt32(number) != nullGroup {
            var slot = Int(truncatingIfNeeded: HashMixing.hash(value) >> 7) & mask
            while slots[slot] != .max { slot = (slot + 1) & mask }
            slots[slot] = UInt32(number)
        }
    }

    /// The values of numbers in a range as a column of a 64-bit type.
    func column(_ range: Range<Int>, type: ColumnType) -> Column {
        let part = Array(values[range])
        guard let nullGroup, range.contains(Int(nullGroup)) else {
            return Column(type: type, count: part.count, values: Buffer(part))
        }
        var validity = BitmapBuilder(capacity: part.count)
        for group in range { validity.append(group != Int(nullGroup)) }
        return Column(type: type, count: part.count, nullCount: 1, validity: validity.finish(), values: Buffer(part))
    }
}
