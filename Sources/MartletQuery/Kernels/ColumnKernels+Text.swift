import MartletModel

extension ColumnKernels {
    /// A plain string column: `body` appends the text of each valid row. The result must stay below 2 GiB, which holds
    /// for batches; whoever writes long text per row uses `buildBoundedText`.
    @inline(__always)
    static func buildText(
        _ validity: Validity, _ rowCount: Int, _ body: (Int, inout MutableBuffer) -> Void
    ) -> Column {
        var offsets = MutableBuffer(capacity: (rowCount + 1) * 4)
        var bytes = MutableBuffer(capacity: rowCount * 16)
        offsets.append(Int32(0))
        for row in 0..<rowCount {
            if validity.isValid(row) { body(row, &bytes) }
            offsets.append(Int32(bytes.byteCount))
        }
        return Column(
            type: .string, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: bytes.finish(), offsets: offsets.finish())
    }

    /// Like `buildText` with the 2 GiB limit checked, errors, and `false` from `body` for a NULL.
    @inline(__always)
    static func buildBoundedText(
        _ validity: Validity, _ rowCount: Int, _ body: (Int, inout MutableBuffer) throws(MartletError) -> Bool
    ) throws(MartletError) -> Column {
        var offsets = MutableBuffer(capacity: (rowCount + 1) * 4)
        var bytes = MutableBuffer(capacity: rowCount * 16)
        var valid = BitmapBuilder(capacity: rowCount)
        offsets.append(Int32(0))
        for row in 0..<rowCount {
            let start = bytes.byteCount
            let isPresent = validity.isValid(row) ? try body(row, &bytes) : false
            if !isPresent { bytes.byteCount = start }
            valid.append(isPresent)
            guard bytes.byteCount <= Int(Int32.max) else { throw textTooLarge() }
            offsets.append(Int32(truncatingIfNeeded: bytes.byteCount))
        }
        let nulls = valid.clearCount
        return Column(
            type: .string, count: rowCount, nullCount: nulls, validity: valid.finish(), values: bytes.finish(),
            offsets: offsets.finish())
    }

    /// Text made from text: `body` sees each dictionary entry once where that is less work than every row, and returns
    /// `false` for a NULL.
    static func mapText(
        _ column: Column, rowCount: Int,
        _ body: (UnsafeRawBufferPointer, inout MutableBuffer) throws(MartletError) -> Bool
    ) throws(MartletError) -> Column {
        if column.repeats(over: rowCount) {
            return broadcast(try mapText(column, rowCount: 1, body), to: rowCount)
        }
        guard let dictionary = column.dictionary, dictionary.count < rowCount else {
            return try buildBoundedText(Validity(column, rowCount: rowCount), rowCount) {
                (row, target) throws(MartletError) -> Bool in try body(column.stringBytes(row), &target)
            }
        }
        let entries = try buildBoundedText(.allValid, dictionary.count) {
            (entry, target) throws(MartletError) -> Bool in try body(dictionary.entry(entry), &target)
        }
        let mapped = StringDictionary(offsets: entries.offsets!, bytes: entries.values, count: dictionary.count)
        let result = Column(
            type: .string, count: rowCount, nullCount: column.nullCount, validity: column.validity,
            values: column.values, dictionary: mapped)
        guard entries.nullCount > 0 else { return result }
        let codes = column.values.pointer(to: UInt32.self)
        return result.masked(by: BitWords.pack(rowCount: rowCount) { entries.isValid(Int(codes[$0])) })
    }

    /// Fixed-width values made from text, over dictionary entries where that is less work.
    static func mapTextToFixed<R: BitwiseCopyable>(
        _ column: Column, type: ColumnType, rowCount: Int,
        _ body: (UnsafeRawBufferPointer) throws(MartletError) -> R
    ) throws(MartletError) -> Column {
        let validity = Validity(column, rowCount: rowCount)
        if let dictionary = column.dictionary, dictionary.count < rowCount {
            var table: [R] = []
            table.reserveCapacity(dictionary.count)
            for entry in 0..<dictionary.count { table.append(try body(dictionary.entry(entry))) }
            let codes = Lane<UInt32>(column, rowCount: rowCount)
            return try buildFixed(type: type, validity, rowCount) { (row) throws(MartletError) -> R in
                table[Int(codes[row])]
            }
        }
        let step = column.repeats(over: rowCount) ? 0 : 1
        return try buildFixed(type: type, validity, rowCount) { (row) throws(MartletError) -> R in
            try body(column.stringBytes(row * step))
        }
    }
}
