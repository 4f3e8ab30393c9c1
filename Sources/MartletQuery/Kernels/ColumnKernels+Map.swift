import MartletModel

// The loops that the other kernels are made of. Unsafe: a result's `MutableBuffer` has room for `rowCount` elements and
// exactly rows `0 ..< rowCount` are written; operands are read through `Lane`, at rows below their count.

extension ColumnKernels {
    /// `body` of every pair, nulls included (their slots hold unspecified but readable values).
    @inline(__always)
    static func mapPairs<A: BitwiseCopyable, B: BitwiseCopyable, R: BitwiseCopyable>(
        _ a: Column, _ b: Column, type: ColumnType, _ validity: Validity, _ rowCount: Int, _ body: (A, B) -> R
    ) -> Column {
        var result = MutableBuffer(capacity: rowCount * MemoryLayout<R>.stride)
        let target = result.base.assumingMemoryBound(to: R.self)
        let x = a.values.pointer(to: A.self)
        let y = b.values.pointer(to: B.self)
        switch (a.repeats(over: rowCount), b.repeats(over: rowCount)) {
        case (false, false): for row in 0..<rowCount { target[row] = body(x[row], y[row]) }
        case (false, true):
            let value = y[0]
            for row in 0..<rowCount { target[row] = body(x[row], value) }
        case (true, false):
            let value = x[0]
            for row in 0..<rowCount { target[row] = body(value, y[row]) }
        case (true, true):
            let value = body(x[0], y[0])
            for row in 0..<rowCount { target[row] = value }
        }
        result.byteCount = rowCount * MemoryLayout<R>.stride
        return Column(
            type: type, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: result.finish())
    }

    /// Like `mapPairs` for integers: an overflow in a valid row is an error, one in a null's slot is nothing.
    @inline(__always)
    static func mapOverflowing<T: FixedWidthInteger & BitwiseCopyable>(
        _ op: ArithmeticOperator, _ a: Column, _ b: Column, type: ColumnType, _ validity: Validity, _ rowCount: Int,
        _ body: (T, T) -> (partialValue: T, overflow: Bool)
    ) throws(MartletError) -> Column {
        var overflowed = false
        let result = mapPairs(a, b, type: type, validity, rowCount) { (x: T, y: T) -> T in
            let (value, overflow) = body(x, y)
            overflowed = overflowed || overflow
            return value
        }
        if overflowed {
            let x = Lane<T>(a, rowCount: rowCount)
            let y = Lane<T>(b, rowCount: rowCount)
            for row in 0..<rowCount where validity.isValid(row) && body(x[row], y[row]).overflow {
                throw overflow(op.rawValue, "\(x[row])", "\(y[row])", type)
            }
        }
        return result
    }

    /// `body` of every valid row; null slots become zero bytes.
    @inline(__always)
    static func buildFixed<R: BitwiseCopyable>(
        type: ColumnType, _ validity: Validity, _ rowCount: Int, _ body: (Int) throws(MartletError) -> R
    ) throws(MartletError) -> Column {
        let bytes = rowCount * MemoryLayout<R>.stride
        var result = MutableBuffer(capacity: bytes)
        let target = result.base.assumingMemoryBound(to: R.self)
        if validity.nullCount == 0 {
            for row in 0..<rowCount { target[row] = try body(row) }
            result.byteCount = bytes
        } else {
            result.appendZeros(bytes)
            for row in 0..<rowCount where validity.isValid(row) { target[row] = try body(row) }
        }
        return Column(
            type: type, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: result.finish())
    }

    /// `body` of every valid row, where `nil` makes a null.
    @inline(__always)
    static func buildOptional<R: BitwiseCopyable>(
        type: ColumnType, _ validity: Validity, _ rowCount: Int, _ body: (Int) throws(MartletError) -> R?
    ) throws(MartletError) -> Column {
        let bytes = rowCount * MemoryLayout<R>.stride
        var result = MutableBuffer(capacity: bytes)
        result.appendZeros(bytes)
        let target = result.base.assumingMemoryBound(to: R.self)
        var bits = BitmapBuilder(capacity: rowCount)
        for row in 0..<rowCount {
            if validity.isValid(row), let value = try body(row) {
                target[row] = value
                bits.append(true)
            } else {
                bits.append(false)
            }
        }
        let nulls = bits.clearCount
        return Column(type: type, count: rowCount, nullCount: nulls, validity: bits.finish(), values: result.finish())
    }

    /// A bool column of `predicate` over the valid rows.
    @inline(__always)
    static func buildBool(_ validity: Validity, _ rowCount: Int, _ predicate: (Int) -> Bool) -> Column {
        let values = BitWords.pack(rowCount: rowCount, predicate)
        return Column(
            type: .bool, count: rowCount, nullCount: validity.nullCount, validity: validity.bits, values: values)
    }

    /// `body` of every row of one fixed-width column.
    @inline(__always)
    static func mapFixed<A: BitwiseCopyable, R: BitwiseCopyable>(
        _ column: Column, type: ColumnType, rowCount: Int, _ body: (A) -> R
    ) -> Column {
        let validity = Validity(column, rowCount: rowCount)
        let source = Lane<A>(column, rowCount: rowCount)
        var result = MutableBuffer(capacity: rowCount * MemoryLayout<R>.stride)
        let target = result.base.assumingMemoryBound(to: R.self)
        for row in 0..<rowCount { target[row] = body(source[row]) }
        result.byteCount = rowCount * MemoryLayout<R>.stride
        return Column(
            type: type, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: result.finish())
    }

    /// `body` of every valid row of one fixed-width column; `nil` is out of range.
    @inline(__always)
    static func mapChecked<A: BitwiseCopyable, R: BitwiseCopyable>(
        _ column: Column, type: ColumnType, rowCount: Int, _ what: String, _ body: (A) -> R?
    ) throws(MartletError) -> Column {
        let source = Lane<A>(column, rowCount: rowCount)
        return try buildFixed(type: type, Validity(column, rowCount: rowCount), rowCount) {
            (row) throws(MartletError) -> R in
            guard let value = body(source[row]) else {
                throw MartletError(.outOfRange, "\(what) of \(source[row]) is outside the range of \(type.name)")
            }
            return value
        }
    }
}

extension Column {
    /// The column with further rows made null: those whose bit in `bits` is clear.
    func masked(by bits: Buffer) -> Column {
        let merged = Validity(bits: validity, nullCount: nullCount)
            .intersection(Validity(counting: bits, rowCount: count), rowCount: count)
        return Column(
            type: type, count: count, nullCount: merged.nullCount, validity: merged.bits, values: values,
            offsets: offsets, dictionary: dictionary)
    }
}
