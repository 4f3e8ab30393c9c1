import MartletModel

/// Puts a column together from stretches of other columns of the same type, and from nulls.
///
/// Invariants of the unsafe parts: stretches lie within their columns; the validity bitmap is made when the first null
/// comes and then has a bit for every row so far. The first column of strings decides the form: as long as all
/// stretches share one dictionary, indices are copied, else the text is.
struct ColumnAssembler: ~Copyable {
    private let type: ColumnType
    private(set) var count = 0
    private var nullCount = 0
    private var values: MutableBuffer
    private var offsets: MutableBuffer
    private var validity: MutableBuffer
    private var hasValidity = false
    private var dictionary: StringDictionary?

    init(_ type: ColumnType, capacity: Int) {
        self.type = type
        values = MutableBuffer(capacity: capacity * (type.fixedWidth ?? (type == .string ? 4 : 1)))
        offsets = MutableBuffer(capacity: 0)
        validity = MutableBuffer(capacity: 0)
    }

    /// Appends rows of a column.
    mutating func append(_ column: Column, _ rows: Range<Int>) {
        precondition(column.type == type, "a column of \(column.type.name) among columns of \(type.name)")
        if rows.isEmpty { return }
        if let source = column.validity {
            for row in rows { appendValidity(Bitmap.isSet(source.baseAddress, row), at: count + row - rows.lowerBound) }
        } else if hasValidity {
            for row in 0..<rows.count { appendValidity(true, at: count + row) }
        }
        switch type {
        case .bool:
            for row in rows {
                appendBit(Bitmap.isSet(column.values.baseAddress, row), at: count + row - rows.lowerBound)
            }
        case .string: appendText(column, rows)
        default:
            let width = type.fixedWidth!
            values.append(
                UnsafeRawBufferPointer(
                    start: column.values.baseAddress + rows.lowerBound * width, count: rows.count * width))
        }
        count += rows.count
    }

    /// Appends nulls.
    mutating func appendNulls(_ number: Int) {
        for row in 0..<number { appendValidity(false, at: count + row) }
        switch type {
        case .bool: for row in 0..<number { appendBit(false, at: count + row) }
        case .string:
            if dictionary != nil {
                values.appendZeros(number * 4)
            } else {
                if offsets.byteCount == 0 { offsets.append(Int32(0)) }
                for _ in 0..<number { offsets.append(Int32(values.byteCount)) }
            }
        default: values.appendZeros(number * type.fixedWidth!)
        }
        count += number
    }

    consuming func finish() -> Column {
        let (type, count, nullCount, dictionary) = (type, count, nullCount, dictionary)
        if type == .string && dictionary == nil && offsets.byteCount == 0 { offsets.append(Int32(0)) }
        let bits = nullCount > 0 ? validity.finish() : nil
        let text = type == .string && dictionary == nil ? offsets.finish() : nil
        return Column(
            type: type, count: count, nullCount: nullCount, validity: bits, values: values.finish(), offsets: text,
            dictionary: dictionary)
    }

    private mutating func appendValidity(_ valid: Bool, at row: Int) {
        if !hasValidity {
            if valid { return }
            hasValidity = true
            let size = Bitmap.byteCount(forBits: row)
            validity.reserve(size)
            validity.base.initializeMemory(as: UInt8.self, repeating: 0xff, count: size)
            validity.byteCount = size
        }
        if row >> 3 == validity.byteCount { validity.append(UInt8(0)) }
        if valid {
            Bitmap.set(validity.base, row)
        } else {
            Bitmap.clear(validity.base, row)
            nullCount += 1
        }
    }

    private mutating func appendBit(_ bit: Bool, at row: Int) {
        if row >> 3 == values.byteCount { values.append(UInt8(0)) }
        if bit { Bitmap.set(values.base, row) }
    }

    private mutating func appendText(_ column: Column, _ rows: Range<Int>) {
        if count == 0, let shared = column.dictionary { dictionary = shared }
        if let dictionary, dictionary === column.dictionary {
            values.append(
                UnsafeRawBufferPointer(
                    start: column.values.baseAddress + rows.lowerBound * 4, count: rows.count * 4))
            return
        }
        if dictionary != nil { spellOut() }
        if offsets.byteCount == 0 { offsets.append(Int32(0)) }
        for row in rows {
            if column.isValid(row) { values.append(column.stringBytes(row)) }
            offsets.append(Int32(values.byteCount))
        }
    }

    /// Replaces indices by the text that they stand for.
    private mutating func spellOut() {
        guard let former = dictionary else { return }
        dictionary = nil
        var text = MutableBuffer(capacity: values.byteCount * 4)
        offsets.append(Int32(0))
        let indices = values.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count {
            if !hasValidity || Bitmap.isSet(validity.base, row) { text.append(former.entry(Int(indices[row]))) }
            offsets.append(Int32(text.byteCount))
        }
        values = text
    }
}
