import MartletModel

/// A field's values as they are collected.
///
/// Invariants of the unsafe code here:
/// - slots of rows below `rowCapacity` are allocated in `values` (and bits in `validity`, once it is in use);
/// - rows below `filled` are final; a row at or above it may be written any number of times, and counts only when
///   `filled` moves past it. That is how a refused line leaves nothing behind;
/// - once `validity` is in use its bits are set from the start, so that only nulls cost a write;
/// - for strings `values` holds `rowCapacity + 1` offsets into `bytes`, of which those up to `filled` are final.
struct FieldColumn: ~Copyable {
    /// The entry of the key as written.
    let key: EntryPointer
    let name: String
    /// The type of the values in this batch; `nil` until the first one is seen.
    private(set) var type: ColumnType?
    /// The type that the table's schema had when the batch began.
    private(set) var stored: ColumnType?
    /// Rows of this batch that are final, nulls included.
    var filled = 0
    /// Whether the table's expected fields include this one.
    var isExpected = false
    private(set) var rowCapacity = 0
    private(set) var values = MutableBuffer(capacity: 0)
    private var bytes = MutableBuffer(capacity: 0)
    private var validity = MutableBuffer(capacity: 0)
    private var nullCount = 0

    init(key: EntryPointer, name: String) {
        self.key = key
        self.name = name
    }

    /// Bytes allocated.
    var byteCount: Int { values.capacity + bytes.capacity + validity.capacity }

    /// Starts a batch in which the schema knows the field with type `stored`, or not at all.
    mutating func begin(stored: ColumnType?) {
        self.stored = stored
        type = stored
    }

    /// Makes the column one of `type`. Nothing may be final yet.
    mutating func retype(_ type: ColumnType) {
        self.type = type
        rowCapacity = 0
    }

    mutating func reserve(rows: Int) {
        guard rows > rowCapacity, let type else { return }
        switch type {
        case .string: Self.grow(&values, used: (filled + 1) * 4, to: (rows + 1) * 4)
        case .bool: Self.grow(&values, used: Bitmap.byteCount(forBits: filled), to: Bitmap.byteCount(forBits: rows))
        default: Self.grow(&values, used: filled * 8, to: rows * 8)
        }
        if type == .string && filled == 0 { values.base.storeBytes(of: 0, as: Int32.self) }
        if nullCount > 0 { growValidity(from: rowCapacity, to: rows) }
        rowCapacity = rows
    }

    private static func grow(_ buffer: inout MutableBuffer, used: Int, to size: Int) {
        buffer.byteCount = min(used, buffer.capacity)
        buffer.reserve(max(0, size - buffer.byteCount))
    }

    private mutating func growValidity(from: Int, to rows: Int) {
        let old = nullCount > 0 ? Bitmap.byteCount(forBits: from) : 0
        let size = Bitmap.byteCount(forBits: rows)
        Self.grow(&validity, used: old, to: size)
        (validity.base + old).initializeMemory(as: UInt8.self, repeating: 0xFF, count: size - old)
    }

    // MARK: Writing a row that is not final

    @inline(__always) func write<T: BitwiseCopyable>(_ value: T, row: Int) {
        values.base.storeBytes(of: value, toByteOffset: row &* 8, as: T.self)
    }

    func write(_ value: Bool, row: Int) {
        if value { Bitmap.set(values.base, row) } else { Bitmap.clear(values.base, row) }
    }

    /// Writes text; with `escapes`, a backslash before a quote or a backslash is left out.
    mutating func write(text: UnsafeRawPointer, _ length: Int, escapes: Bool, row: Int, after filled: Int) {
        let offsets = values.base
        let start = offsets.load(fromByteOffset: filled &* 4, as: Int32.self)
        bytes.byteCount = Int(start)
        bytes.reserve(length)
        var target = bytes.base + Int(start)
        if escapes {
            var index = 0
            while index < length {
                var byte = TextScan.byte(text + index)
                if byte == TextScan.backslash && index + 1 < length {
                    let next = TextScan.byte(text + index + 1)
                    if next == TextScan.quote || next == TextScan.backslash {
                        byte = next
                        index += 1
                    }
                }
                target.storeBytes(of: byte, as: UInt8.self)
                target += 1
                index += 1
            }
        } else {
            target.copyMemory(from: text, byteCount: length)
            target += length
        }
        var gap = filled
        while gap < row {
            gap += 1
            offsets.storeBytes(of: start, toByteOffset: gap &* 4, as: Int32.self)
        }
        offsets.storeBytes(of: Int32(target - bytes.base), toByteOffset: (row &+ 1) &* 4, as: Int32.self)
    }

    /// Makes rows `from ..< to` null.
    mutating func clear(_ from: Int, _ to: Int) {
        guard from < to, let type else { return }
        if nullCount == 0 { growValidity(from: 0, to: rowCapacity) }
        nullCount += to - from
        for row in from..<to {
            Bitmap.clear(validity.base, row)
            switch type {
            case .bool: Bitmap.clear(values.base, row)
            case .string:
                let end = values.base.load(fromByteOffset: row &* 4, as: Int32.self)
                values.base.storeBytes(of: end, toByteOffset: (row &+ 1) &* 4, as: Int32.self)
            default: values.base.storeBytes(of: 0, toByteOffset: row &* 8, as: UInt64.self)
            }
        }
    }

    /// The finished column of `rows` rows, all of them final; the builder starts again from nothing.
    mutating func take(rows: Int) -> Column {
        let type = type!
        let finished: Column
        let validityBits = nullCount > 0 ? takeBuffer(&validity, Bitmap.byteCount(forBits: rows)) : nil
        switch type {
        case .string:
            let end = Int(values.base.load(fromByteOffset: rows &* 4, as: Int32.self))
            finished = Column(
                type: type, count: rows, nullCount: nullCount, validity: validityBits,
                values: takeBuffer(&bytes, end), offsets: takeBuffer(&values, (rows + 1) * 4))
        case .bool:
            finished = Column(
                type: type, count: rows, nullCount: nullCount, validity: validityBits,
                values: takeBuffer(&values, Bitmap.byteCount(forBits: rows)))
        default:
            finished = Column(
                type: type, count: rows, nullCount: nullCount, validity: validityBits,
                values: takeBuffer(&values, rows * 8))
        }
        reset()
        return finished
    }

    /// Forgets the batch's values.
    mutating func reset() {
        filled = 0
        nullCount = 0
        rowCapacity = 0
    }
}

/// Hands the first `byteCount` bytes over and leaves an empty buffer behind.
func takeBuffer(_ buffer: inout MutableBuffer, _ byteCount: Int) -> Buffer {
    var taken = MutableBuffer(capacity: 0)
    swap(&taken, &buffer)
    taken.byteCount = byteCount
    return taken.finish()
}
