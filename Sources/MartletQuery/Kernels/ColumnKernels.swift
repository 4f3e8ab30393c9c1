import MartletModel

/// Loops over whole columns: what every operator and function of the query layer is made of.
///
/// Conventions:
/// - A kernel that takes `rowCount` accepts, for each argument, either a column of `rowCount` rows or one of a single
///   row, which stands for all rows (a literal). Results always have `rowCount` rows.
/// - NULL in, NULL out, unless a kernel says otherwise.
/// - Floats are ordered totally, as in PostgreSQL and DuckDB: NaN equals NaN and is greater than anything else, and
///   -0 equals 0. Strings are ordered by their bytes. Intervals are ordered with a month of 30 days of 24 hours.
package enum ColumnKernels {}

/// A fixed-width column seen as its values; a single-row column repeats.
///
/// Unsafe: the pointer is valid only while the column's buffer lives, so a `Lane` never leaves the kernel that made it
/// from an argument of its own.
struct Lane<Element: BitwiseCopyable> {
    let base: UnsafePointer<Element>
    /// 0 when one value stands for all rows, else 1.
    let step: Int

    @inline(__always)
    init(_ column: Column, rowCount: Int) {
        base = column.values.pointer(to: Element.self)
        step = column.count == 1 && rowCount != 1 ? 0 : 1
    }

    @inline(__always)
    subscript(row: Int) -> Element { base[row &* step] }
}

extension Column {
    /// Whether the column's single row stands for `rowCount` rows.
    @inline(__always)
    func repeats(over rowCount: Int) -> Bool { count == 1 && rowCount != 1 }
}

/// A validity bitmap with its number of nulls; `bits == nil` means that all rows are valid.
struct Validity {
    var bits: Buffer?
    var nullCount: Int

    static let allValid = Validity(bits: nil, nullCount: 0)

    static func allNull(_ rowCount: Int) -> Validity {
        if rowCount == 0 { return .allValid }
        var zeros = MutableBuffer(capacity: Bitmap.byteCount(forBits: rowCount))
        zeros.appendZeros(Bitmap.byteCount(forBits: rowCount))
        return Validity(bits: zeros.finish(), nullCount: rowCount)
    }

    init(bits: Buffer?, nullCount: Int) {
        self.bits = bits
        self.nullCount = nullCount
    }

    /// Counts the nulls of a finished bitmap.
    init(counting bits: Buffer, rowCount: Int) {
        let nulls = rowCount - Bitmap.countSet(bits.baseAddress, count: rowCount)
        self.init(bits: nulls == 0 ? nil : bits, nullCount: nulls)
    }

    /// The validity of one argument over `rowCount` rows.
    init(_ column: Column, rowCount: Int) {
        if column.repeats(over: rowCount) {
            self = column.nullCount == 0 ? .allValid : .allNull(rowCount)
        } else {
            self.init(bits: column.validity, nullCount: column.nullCount)
        }
    }

    /// Rows valid in both.
    func intersection(_ other: Validity, rowCount: Int) -> Validity {
        guard let mine = bits, nullCount > 0 else { return other }
        guard let theirs = other.bits, other.nullCount > 0 else { return self }
        let merged = BitWords.map2(mine, theirs, rowCount: rowCount) { $0 & $1 }
        return Validity(counting: merged, rowCount: rowCount)
    }

    /// Rows valid in all arguments.
    static func all(_ columns: [Column], rowCount: Int) -> Validity {
        var result = Validity.allValid
        for column in columns { result = result.intersection(Validity(column, rowCount: rowCount), rowCount: rowCount) }
        return result
    }

    @inline(__always)
    func isValid(_ row: Int) -> Bool {
        guard let bits else { return true }
        return Bitmap.isSet(bits.baseAddress, row)
    }
}

/// Bitmaps handled 64 bits at a time.
///
/// Unsafe: relies on `Buffer.padding`, so whole words that begin inside a bitmap can be read and, in a fresh
/// `MutableBuffer`, written. Bits past the last row are unspecified.
enum BitWords {
    @inline(__always)
    static func map1(_ source: Buffer, rowCount: Int, _ body: (UInt64) -> UInt64) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: rowCount)
        var result = MutableBuffer(capacity: bytes)
        var offset = 0
        while offset < bytes {
            let word = source.baseAddress.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            result.base.storeBytes(of: body(word), toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        result.byteCount = bytes
        return result.finish()
    }

    @inline(__always)
    static func map2(_ a: Buffer, _ b: Buffer, rowCount: Int, _ body: (UInt64, UInt64) -> UInt64) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: rowCount)
        var result = MutableBuffer(capacity: bytes)
        var offset = 0
        while offset < bytes {
            let x = a.baseAddress.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let y = b.baseAddress.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            result.base.storeBytes(of: body(x, y), toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        result.byteCount = bytes
        return result.finish()
    }

    /// A bitmap whose bit `row` is `predicate(row)`.
    @inline(__always)
    static func pack(rowCount: Int, _ predicate: (Int) -> Bool) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: rowCount)
        var result = MutableBuffer(capacity: bytes)
        let base = result.base
        let whole = rowCount >> 3
        for index in 0..<whole {
            let row = index &<< 3
            var byte: UInt8 = 0
            for bit in 0..<8 { byte |= (predicate(row &+ bit) ? 1 : 0) &<< UInt8(truncatingIfNeeded: bit) }
            base.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        if whole < bytes {
            var byte: UInt8 = 0
            for row in (whole << 3)..<rowCount where predicate(row) { byte |= 1 &<< UInt8(truncatingIfNeeded: row & 7) }
            base.storeBytes(of: byte, toByteOffset: whole, as: UInt8.self)
        }
        result.byteCount = bytes
        return result.finish()
    }

    /// A bitmap of `rowCount` equal bits.
    static func filled(_ bit: Bool, rowCount: Int) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: rowCount)
        var result = MutableBuffer(capacity: bytes)
        result.base.initializeMemory(as: UInt8.self, repeating: bit ? 0xff : 0, count: bytes)
        result.byteCount = bytes
        return result.finish()
    }

    /// The bits of a bool column over `rowCount` rows, repeated where one row stands for all.
    static func bits(of column: Column, rowCount: Int) -> Buffer {
        guard column.repeats(over: rowCount) else { return column.values }
        return filled(Bitmap.isSet(column.values.baseAddress, 0), rowCount: rowCount)
    }
}

extension ColumnKernels {
    /// A column of `count` equal values; `nil` gives nulls. O(count).
    package static func constant(_ value: FieldValue?, type: ColumnType, count: Int) throws(MartletError) -> Column {
        guard let value else { return .nulls(type, count: count) }
        return broadcast(try Column(type, [value]), to: count)
    }

    /// `column` itself if it has `count` rows, else its single row repeated. O(count) at most.
    package static func broadcast(_ column: Column, to count: Int) -> Column {
        if column.count == count { return column }
        precondition(column.count == 1, "a column of \(column.count) rows cannot stand for \(count)")
        if column.nullCount == 1 { return .nulls(column.type, count: count) }
        switch column.type {
        case .timestamp, .float64, .int64, .uint64:
            return fill(column, with: column.values.pointer(to: UInt64.self)[0], count: count)
        case .interval:
            return fill(column, with: column.values.pointer(to: Interval.self)[0], count: count)
        case .bool:
            let bit = Bitmap.isSet(column.values.baseAddress, 0)
            return Column(type: .bool, count: count, values: BitWords.filled(bit, rowCount: count))
        case .string:
            let entry = column.stringBytes(0)
            var offsets = MutableBuffer(capacity: 8)
            offsets.append(Int32(0))
            offsets.append(Int32(entry.count))
            let dictionary = StringDictionary(offsets: offsets.finish(), bytes: Buffer(copying: entry), count: 1)
            var codes = MutableBuffer(capacity: count * 4)
            codes.appendZeros(count * 4)
            return Column(type: .string, count: count, values: codes.finish(), dictionary: dictionary)
        }
    }

    private static func fill<T: BitwiseCopyable>(_ column: Column, with value: T, count: Int) -> Column {
        var values = MutableBuffer(capacity: count * MemoryLayout<T>.stride)
        let target = values.base.assumingMemoryBound(to: T.self)
        for row in 0..<count { target[row] = value }
        values.byteCount = count * MemoryLayout<T>.stride
        return Column(type: column.type, count: count, values: values.finish())
    }
}
