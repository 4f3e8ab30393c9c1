import MartletModel

/// Builds one column of a batch from pieces of pages.
///
/// Text stays in the dictionary of its chunk as long as the pages use it, and becomes plain when one doesn't.
///
/// Invariants of the unsafe parts: for every appended row there is one slot (word, bool word, index or end offset), also
/// for nulls; indices are checked against the dictionary before they are kept.
struct ColumnAssembler: ~Copyable {
    private let leaf: ColumnLeaf
    private let limit: Int
    private var count = 0
    private var nullCount = 0
    private var validity = MutableBuffer(capacity: 0)
    /// Words, bools as 32-bit words, or dictionary indices.
    private var slots: MutableBuffer
    private var bytes = MutableBuffer(capacity: 0)
    private var offsets: MutableBuffer
    private var dictionary: StringDictionary?
    private var isPlainText = false
    private var levelWords = MutableBuffer(capacity: 0)
    private var dense = MutableBuffer(capacity: 0)
    /// The validity of the rows appended last, counted from the first of them; `nil` when all are valid.
    private var hasNullsInPiece = false

    init(_ leaf: ColumnLeaf, capacity: Int, limit: Int) {
        self.leaf = leaf
        self.limit = limit
        slots = MutableBuffer(capacity: capacity * 8)
        offsets = MutableBuffer(capacity: leaf.type == .string ? (capacity + 1) * 4 : 0)
    }

    /// Reads the definition levels of the next `rows` rows; returns how many hold a value.
    mutating func appendLevels(_ rows: Int, _ decoder: inout HybridRunDecoder?) throws(MartletError) -> Int {
        hasNullsInPiece = false
        guard decoder != nil else {
            if nullCount > 0 { appendValidity(repeating: true, rows) }
            return rows
        }
        levelWords.byteCount = 0
        levelWords.reserve(rows * 4)
        let words = levelWords.base.assumingMemoryBound(to: UInt32.self)
        try decoder!.decode(rows, into: words)
        var valid = 0
        for index in 0..<rows { valid &+= Int(words[index]) }
        if valid == rows {
            if nullCount > 0 { appendValidity(repeating: true, rows) }
            return rows
        }
        hasNullsInPiece = true
        if nullCount == 0 {
            validity.byteCount = 0
            appendOnes(count)
        }
        nullCount += rows - valid
        let needed = Bitmap.byteCount(forBits: count + rows)
        if needed > validity.byteCount { validity.appendZeros(needed - validity.byteCount) }
        for index in 0..<rows {
            if words[index] != 0 {
                Bitmap.set(validity.base, count &+ index)
            } else {
                Bitmap.clear(validity.base, count &+ index)
            }
        }
        return valid
    }

    /// Sets the first `rows` bits of an empty bitmap.
    private mutating func appendOnes(_ rows: Int) {
        let size = Bitmap.byteCount(forBits: rows)
        validity.reserve(size)
        validity.base.initializeMemory(as: UInt8.self, repeating: 0xff, count: size)
        validity.byteCount = size
    }

    private mutating func appendValidity(repeating bit: Bool, _ rows: Int) {
        let needed = Bitmap.byteCount(forBits: count + rows)
        if needed > validity.byteCount { validity.appendZeros(needed - validity.byteCount) }
        for index in count..<count + rows {
            if bit { Bitmap.set(validity.base, index) } else { Bitmap.clear(validity.base, index) }
        }
    }

    /// Appends slots for rows that are all null.
    mutating func appendNulls(_ rows: Int) {
        if leaf.type == .string && isPlainText {
            for _ in 0..<rows { offsets.append(Int32(bytes.byteCount)) }
        } else {
            slots.appendZeros(rows * slotWidth)
        }
        count += rows
    }

    private var slotWidth: Int { leaf.type == .string || leaf.type == .bool ? 4 : 8 }

    /// Appends `valid` values to the `rows` rows whose levels were just read.
    mutating func appendValues(
        _ valid: Int, rows: Int, _ values: inout ValueDecoder, _ pageDictionary: PageDictionary?
    ) throws(MartletError) {
        switch leaf.type {
        case .string: try appendText(valid, rows: rows, &values, pageDictionary)
        case .bool:
            slots.reserve(rows * 4)
            let target = (slots.base + slots.byteCount).assumingMemoryBound(to: UInt32.self)
            try values.bools(valid, into: target)
            spread(target, valid: valid, rows: rows)
            slots.byteCount += rows * 4
        default:
            slots.reserve(rows * 8)
            let target = (slots.base + slots.byteCount).assumingMemoryBound(to: UInt64.self)
            if values.isDictionary {
                try lookUp(valid, &values, pageDictionary, into: target)
            } else {
                try values.words(valid, leaf, into: target)
                try leaf.conversion.apply(target, count: valid)
            }
            spread(target, valid: valid, rows: rows)
            slots.byteCount += rows * 8
        }
        count += rows
    }

    private mutating func lookUp(
        _ valid: Int, _ values: inout ValueDecoder, _ pageDictionary: PageDictionary?,
        into target: UnsafeMutablePointer<UInt64>
    ) throws(MartletError) {
        guard let pageDictionary else { throw Self.noDictionary }
        dense.byteCount = 0
        dense.reserve(valid * 4)
        let indices = dense.base.assumingMemoryBound(to: UInt32.self)
        try values.indices(valid, into: indices)
        let entries = pageDictionary.words.pointer(to: UInt64.self)
        let entryCount = UInt32(pageDictionary.count)
        for index in 0..<valid {
            guard indices[index] < entryCount else { throw Self.badIndex(indices[index], pageDictionary.count) }
            target[index] = entries[Int(indices[index])]
        }
    }

    private static var noDictionary: MartletError {
        MartletError(.corrupt, "a page refers to a dictionary that its column chunk doesn't have")
    }

    private static func badIndex(_ index: UInt32, _ count: Int) -> MartletError {
        MartletError(.corrupt, "a page refers to entry \(index) of a dictionary of \(count)")
    }

    /// Moves `valid` values at the front of `target` to the rows that hold one, from the last to the first.
    private func spread<T: FixedWidthInteger>(_ target: UnsafeMutablePointer<T>, valid: Int, rows: Int) {
        guard hasNullsInPiece else { return }
        var source = valid
        var row = rows
        while row > 0 {
            row &-= 1
            if Bitmap.isSet(validity.base, count &+ row) {
                source &-= 1
                target[row] = target[source]
            } else {
                target[row] = 0
            }
        }
    }

    private mutating func appendText(
        _ valid: Int, rows: Int, _ values: inout ValueDecoder, _ pageDictionary: PageDictionary?
    ) throws(MartletError) {
        if values.isDictionary {
            guard let pageDictionary, let strings = pageDictionary.strings else { throw Self.noDictionary }
            slots.reserve(rows * 4)
            let target = (slots.base + slots.byteCount).assumingMemoryBound(to: UInt32.self)
            try values.indices(valid, into: target)
            let entryCount = UInt32(pageDictionary.count)
            for index in 0..<valid where target[index] >= entryCount {
                throw Self.badIndex(target[index], pageDictionary.count)
            }
            spread(target, valid: valid, rows: rows)
            if isPlainText {
                for row in 0..<rows { try appendEntry(strings, target[row], isNull: isNull(row)) }
            } else {
                dictionary = strings
                slots.byteCount += rows * 4
            }
            return
        }
        if !isPlainText { try becomePlain() }
        if !hasNullsInPiece {
            try values.strings(valid, bytes: &bytes, ends: &offsets, limit: limit)
            return
        }
        dense.byteCount = 0
        try values.strings(valid, bytes: &bytes, ends: &dense, limit: limit)
        let ends = dense.base.assumingMemoryBound(to: Int32.self)
        var last = offsets.bytes.loadUnaligned(fromByteOffset: offsets.byteCount - 4, as: Int32.self)
        var value = 0
        for row in 0..<rows {
            if !isNull(row) {
                last = ends[value]
                value += 1
            }
            offsets.append(last)
        }
    }

    private func isNull(_ row: Int) -> Bool { hasNullsInPiece && !Bitmap.isSet(validity.base, count + row) }

    private mutating func appendEntry(
        _ strings: StringDictionary, _ index: UInt32, isNull: Bool
    ) throws(MartletError) {
        if !isNull {
            let text = strings.entry(Int(index))
            guard text.count <= limit - bytes.byteCount else {
                throw MartletError(
                    .resourceExhausted, "the strings of one batch need more than \(limit) bytes",
                    hint: "read with fewer rows a batch, or raise the memory limit")
            }
            bytes.append(text)
        }
        offsets.append(Int32(bytes.byteCount))
    }

    /// Turns the indices kept so far into text.
    private mutating func becomePlain() throws(MartletError) {
        isPlainText = true
        offsets.append(Int32(0))
        guard count > 0 else { return }
        var indices = MutableBuffer(capacity: 0)
        swap(&indices, &slots)
        let words = indices.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count {
            let isNull = nullCount > 0 && !Bitmap.isSet(validity.base, row)
            if let dictionary {
                try appendEntry(dictionary, words[row], isNull: isNull)
            } else {
                offsets.append(Int32(bytes.byteCount))
            }
        }
        dictionary = nil
    }

    /// The finished column.
    consuming func finish() throws(MartletError) -> Column {
        if leaf.type == .string && !isPlainText && dictionary == nil { try becomePlain() }
        if leaf.type == .string && isPlainText {
            try UTF8Check.check(
                bytes.bytes, offsets: UnsafePointer(offsets.base.assumingMemoryBound(to: Int32.self)), count: count)
        }
        if leaf.type == .bool { packBools() }
        let leaf = leaf
        let count = count
        let nullCount = nullCount
        let dictionary = dictionary
        let isPlainText = isPlainText
        let validity = validity.finish()
        let values = isPlainText ? bytes.finish() : slots.finish()
        let offsets = offsets.finish()
        return Column(
            type: leaf.type, count: count, nullCount: nullCount, validity: nullCount == 0 ? nil : validity,
            values: values, offsets: isPlainText ? offsets : nil, dictionary: isPlainText ? nil : dictionary)
    }

    private mutating func packBools() {
        var bits = MutableBuffer(capacity: Bitmap.byteCount(forBits: count))
        bits.appendZeros(Bitmap.byteCount(forBits: count))
        let words = slots.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count where words[row] != 0 { Bitmap.set(bits.base, row) }
        swap(&bits, &slots)
    }
}
