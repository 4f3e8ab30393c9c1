import MartletModel

/// Rearranging columns: what sorting and merging do to rows.
///
/// Invariants of the unsafe parts: every row number in `rows` is below the column's count; output buffers are
/// allocated for exactly the rows given.
enum Columns {
    /// Rows at multiples of this begin on a 64-byte boundary in values and in bitmaps.
    private static let sliceAlignment = Buffer.alignment * 8

    /// The rows of `column` in the given order.
    static func gather(_ column: Column, _ rows: UnsafeBufferPointer<UInt32>) -> Column {
        let count = rows.count
        var nullCount = 0
        var validity: Buffer?
        if let source = column.validity {
            (validity, nullCount) = gatherBits(source, rows)
            nullCount = count - nullCount
        }
        if column.type == .bool {
            return Column(
                type: .bool, count: count, nullCount: nullCount, validity: validity,
                values: gatherBits(column.values, rows).0)
        }
        if column.type == .string && column.dictionary == nil { return gatherText(column, rows, validity, nullCount) }
        if column.isDictionaryEncoded {
            var values = MutableBuffer(capacity: count * 4)
            let out = values.base.bindMemory(to: UInt32.self, capacity: count)
            let source = column.values.pointer(to: UInt32.self)
            for index in 0..<count { out[index] = source[Int(rows[index])] }
            values.byteCount = count * 4
            return Column(
                type: .string, count: count, nullCount: nullCount, validity: validity, values: values.finish(),
                dictionary: column.dictionary)
        }
        precondition(column.type.fixedWidth == 8, "columns of \(column.type.name) are not stored")
        var values = MutableBuffer(capacity: count * 8)
        let out = values.base.bindMemory(to: UInt64.self, capacity: count)
        let source = column.values.pointer(to: UInt64.self)
        for index in 0..<count { out[index] = source[Int(rows[index])] }
        values.byteCount = count * 8
        return Column(
            type: column.type, count: count, nullCount: nullCount, validity: validity, values: values.finish())
    }

    /// The bits at the given places, and how many of them are set.
    private static func gatherBits(_ bits: Buffer, _ rows: UnsafeBufferPointer<UInt32>) -> (Buffer, Int) {
        let size = Bitmap.byteCount(forBits: rows.count)
        var out = MutableBuffer(capacity: size)
        out.appendZeros(size)
        var set = 0
        for index in 0..<rows.count where Bitmap.isSet(bits.baseAddress, Int(rows[index])) {
            Bitmap.set(out.base, index)
            set += 1
        }
        return (out.finish(), set)
    }

    private static func gatherText(
        _ column: Column, _ rows: UnsafeBufferPointer<UInt32>, _ validity: Buffer?, _ nullCount: Int
    ) -> Column {
        var offsets = MutableBuffer(capacity: (rows.count + 1) * 4)
        var text = MutableBuffer(capacity: rows.count * 8)
        offsets.append(Int32(0))
        for row in rows {
            if column.isValid(Int(row)) { text.append(column.stringBytes(Int(row))) }
            offsets.append(Int32(text.byteCount))
        }
        return Column(
            type: .string, count: rows.count, nullCount: nullCount, validity: validity, values: text.finish(),
            offsets: offsets.finish())
    }

    /// Consecutive rows of a column; without a copy where the first row lies on a boundary of buffers.
    static func slice(_ column: Column, _ rows: Range<Int>) -> Column {
        if rows == 0..<column.count { return column }
        if rows.lowerBound % sliceAlignment == 0, column.type.fixedWidth == 8 {
            var validity: Buffer?
            var nullCount = 0
            if let bits = column.validity {
                let part = Buffer(
                    bits, from: rows.lowerBound / 8, byteCount: Bitmap.byteCount(forBits: rows.count))
                nullCount = rows.count - Bitmap.countSet(part.baseAddress, count: rows.count)
                validity = part
            }
            return Column(
                type: column.type, count: rows.count, nullCount: nullCount, validity: validity,
                values: Buffer(column.values, from: rows.lowerBound * 8, byteCount: rows.count * 8))
        }
        var assembler = ColumnAssembler(column.type, capacity: rows.count)
        assembler.append(column, rows)
        return assembler.finish()
    }

    /// The rows of all columns one after the other; all must be of `type`.
    static func concatenate(_ columns: [Column], _ type: ColumnType) -> Column {
        if columns.count == 1 { return columns[0] }
        var assembler = ColumnAssembler(type, capacity: columns.reduce(0) { $0 + $1.count })
        for column in columns { assembler.append(column, 0..<column.count) }
        return assembler.finish()
    }

    /// The column in another type; values without an exact image become null, and their number is returned.
    static func convert(_ column: Column, to type: ColumnType) throws(MartletError) -> (column: Column, inexact: Int) {
        if column.type == type { return (column, 0) }
        var builder = ColumnBuilder(type, capacity: column.count)
        var inexact = 0
        for row in 0..<column.count {
            let value = column.value(at: row)
            let image = value.flatMap { $0.converted(to: type) }
            if value != nil && image == nil { inexact += 1 }
            try builder.append(image)
        }
        return (builder.finish(), inexact)
    }
}

extension FieldValue {
    /// The same value in another field type, or `nil` where there is no exact image.
    package func converted(to type: ColumnType) -> FieldValue? {
        if self.type == type { return self }
        switch (self, type) {
        case (.int64(let number), .float64): return Double(exactly: number).map(FieldValue.float64)
        case (.uint64(let number), .float64): return Double(exactly: number).map(FieldValue.float64)
        case (.bool(let flag), .float64): return .float64(flag ? 1 : 0)
        case (.float64(let number), .int64): return Int64(exactly: number).map(FieldValue.int64)
        case (.uint64(let number), .int64): return Int64(exactly: number).map(FieldValue.int64)
        case (.bool(let flag), .int64): return .int64(flag ? 1 : 0)
        case (.float64(let number), .uint64): return UInt64(exactly: number).map(FieldValue.uint64)
        case (.int64(let number), .uint64): return UInt64(exactly: number).map(FieldValue.uint64)
        case (.bool(let flag), .uint64): return .uint64(flag ? 1 : 0)
        case (.float64(let number), .bool): return number == 0 ? .bool(false) : number == 1 ? .bool(true) : nil
        case (.int64(let number), .bool): return number == 0 ? .bool(false) : number == 1 ? .bool(true) : nil
        case (.uint64(let number), .bool): return number == 0 ? .bool(false) : number == 1 ? .bool(true) : nil
        case (.float64(let number), .string): return .string("\(number)")
        case (.int64(let number), .string): return .string("\(number)")
        case (.uint64(let number), .string): return .string("\(number)")
        case (.bool(let flag), .string): return .string(flag ? "true" : "false")
        case (.string(let text), .float64): return Double(text).map(FieldValue.float64)
        case (.string(let text), .int64): return Int64(text).map(FieldValue.int64)
        case (.string(let text), .uint64): return UInt64(text).map(FieldValue.uint64)
        case (.string("true"), .bool): return .bool(true)
        case (.string("false"), .bool): return .bool(false)
        default: return nil
        }
    }
}
