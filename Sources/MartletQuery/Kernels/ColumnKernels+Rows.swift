import MartletModel

// Unsafe: every index into a column is checked against its count by `precondition` once per call (`checkRows`), or is
// produced here. Buffers are filled through `MutableBuffer.base` up to the capacity that was asked for.

extension ColumnKernels {
    /// The rows where a bool column is true (neither false nor null), ascending.
    package static func selectedRows(_ mask: Column) -> [Int32] {
        precondition(mask.type == .bool, "a selection comes from booleans")
        let count = mask.count
        return [Int32](unsafeUninitializedCapacity: count) { target, written in
            let values = mask.values.baseAddress
            let validity = mask.validity?.baseAddress
            var next = 0
            var row = 0
            while row < count {
                var word = values.loadUnaligned(fromByteOffset: row >> 3, as: UInt64.self)
                if let validity { word &= validity.loadUnaligned(fromByteOffset: row >> 3, as: UInt64.self) }
                if count - row < 64 { word &= (1 << UInt64(count - row)) - 1 }
                while word != 0 {
                    target[next] = Int32(truncatingIfNeeded: row + word.trailingZeroBitCount)
                    next += 1
                    word &= word &- 1
                }
                row += 64
            }
            written = next
        }
    }

    /// The rows listed in `selection`, in that order. Indices must be rows of `column`. O(selection).
    package static func filter(_ column: Column, _ selection: UnsafeBufferPointer<Int32>) -> Column {
        checkRows(selection, of: column, least: 0)
        return gather(column, selection, mayBeMissing: false)
    }

    /// Like `filter`, but an index of -1 gives a null: for outer joins and shifts. O(indices).
    package static func take(_ column: Column, _ indices: UnsafeBufferPointer<Int32>) -> Column {
        checkRows(indices, of: column, least: -1)
        return gather(column, indices, mayBeMissing: true)
    }

    /// `filter` for an array of rows.
    package static func filter(_ column: Column, _ selection: [Int32]) -> Column {
        selection.withUnsafeBufferPointer { filter(column, $0) }
    }

    /// `take` for an array of rows.
    package static func take(_ column: Column, _ indices: [Int32]) -> Column {
        indices.withUnsafeBufferPointer { take(column, $0) }
    }

    private static func checkRows(_ indices: UnsafeBufferPointer<Int32>, of column: Column, least: Int32) {
        var low = Int32.max
        var high = Int32.min
        for index in indices {
            low = min(low, index)
            high = max(high, index)
        }
        precondition(
            indices.isEmpty || (low >= least && Int(high) < column.count),
            "rows \(low)...\(high) of a column of \(column.count)")
    }

    private static func gather(
        _ column: Column, _ indices: UnsafeBufferPointer<Int32>, mayBeMissing: Bool
    ) -> Column {
        let count = indices.count
        var validity = Validity.allValid
        if column.nullCount > 0 || mayBeMissing {
            let bits = BitWords.pack(rowCount: count) { row in
                let index = Int(indices[row])
                return index >= 0 && column.isValid(index)
            }
            validity = Validity(counting: bits, rowCount: count)
        }
        // A row of an empty column can only be -1: there is nothing to read, so the result is made of nulls.
        if column.count == 0 { return .nulls(column.type, count: count) }
        switch column.type {
        case .timestamp, .float64, .int64, .uint64:
            let values = gatherFixed(column.values.pointer(to: UInt64.self), indices)
            return Column(
                type: column.type, count: count, nullCount: validity.nullCount, validity: validity.bits, values: values)
        case .interval:
            let values = gatherFixed(column.values.pointer(to: Interval.self), indices)
            return Column(
                type: .interval, count: count, nullCount: validity.nullCount, validity: validity.bits, values: values)
        case .bool:
            let source = column.values.baseAddress
            let values = BitWords.pack(rowCount: count) { Bitmap.isSet(source, max(0, Int(indices[$0]))) }
            return Column(
                type: .bool, count: count, nullCount: validity.nullCount, validity: validity.bits, values: values)
        case .string:
            if let dictionary = column.dictionary {
                let values = gatherFixed(column.values.pointer(to: UInt32.self), indices)
                return Column(
                    type: .string, count: count, nullCount: validity.nullCount, validity: validity.bits,
                    values: values, dictionary: dictionary)
            }
            return gatherPlainStrings(column, indices, validity)
        }
    }

    @inline(__always)
    private static func gatherFixed<T: BitwiseCopyable>(
        _ source: UnsafePointer<T>, _ indices: UnsafeBufferPointer<Int32>
    ) -> Buffer {
        let bytes = indices.count * MemoryLayout<T>.stride
        var values = MutableBuffer(capacity: bytes)
        let target = values.base.assumingMemoryBound(to: T.self)
        for row in 0..<indices.count { target[row] = source[max(0, Int(indices[row]))] }
        values.byteCount = bytes
        return values.finish()
    }

    private static func gatherPlainStrings(
        _ column: Column, _ indices: UnsafeBufferPointer<Int32>, _ validity: Validity
    ) -> Column {
        let count = indices.count
        let source = column.offsets!.pointer(to: Int32.self)
        var total = 0
        for row in 0..<count where validity.isValid(row) {
            let index = Int(indices[row])
            total += Int(source[index + 1] - source[index])
        }
        // A column holds at most 2^31 - 1 bytes of text, and a gather of more than that (a join that repeats long
        // strings) goes through a dictionary instead, which shares the bytes.
        if total > Int(Int32.max) { return gather(dictionaryEncoded(column), indices, mayBeMissing: true) }
        var offsets = MutableBuffer(capacity: (count + 1) * 4)
        var bytes = MutableBuffer(capacity: total)
        let target = offsets.base.assumingMemoryBound(to: Int32.self)
        target[0] = 0
        var end = 0
        for row in 0..<count {
            if validity.isValid(row) {
                let index = Int(indices[row])
                let length = Int(source[index + 1] - source[index])
                (bytes.base + end).copyMemory(from: column.values.baseAddress + Int(source[index]), byteCount: length)
                end += length
            }
            target[row + 1] = Int32(truncatingIfNeeded: end)
        }
        offsets.byteCount = (count + 1) * 4
        bytes.byteCount = end
        return Column(
            type: .string, count: count, nullCount: validity.nullCount, validity: validity.bits,
            values: bytes.finish(), offsets: offsets.finish())
    }

    /// A plain string column as one whose every row is a dictionary entry of its own; shares the bytes. O(rows).
    private static func dictionaryEncoded(_ column: Column) -> Column {
        let dictionary = StringDictionary(offsets: column.offsets!, bytes: column.values, count: column.count)
        return Column(
            type: .string, count: column.count, nullCount: column.nullCount, validity: column.validity,
            values: Buffer((0..<UInt32(column.count)).map { $0 }), dictionary: dictionary)
    }

    /// Rows `range` of a column. O(rows); a dictionary is shared.
    package static func slice(_ column: Column, _ range: Range<Int>) -> Column {
        precondition(range.lowerBound >= 0 && range.upperBound <= column.count, "rows \(range) of \(column.count)")
        if range.count == column.count { return column }
        let count = range.count
        var validity = Validity.allValid
        if let bits = column.validity {
            validity = Validity(counting: sliceBits(bits, range), rowCount: count)
        }
        let values: Buffer
        var offsets: Buffer?
        switch column.type {
        case .timestamp, .float64, .int64, .uint64: values = sliceBytes(column.values, range, width: 8)
        case .interval: values = sliceBytes(column.values, range, width: 16)
        case .bool: values = sliceBits(column.values, range)
        case .string where column.isDictionaryEncoded: values = sliceBytes(column.values, range, width: 4)
        case .string:
            let source = column.offsets!.pointer(to: Int32.self)
            let start = source[range.lowerBound]
            var moved = MutableBuffer(capacity: (count + 1) * 4)
            let target = moved.base.assumingMemoryBound(to: Int32.self)
            for row in 0...count { target[row] = source[range.lowerBound + row] - start }
            moved.byteCount = (count + 1) * 4
            offsets = moved.finish()
            values = sliceBytes(column.values, Int(start)..<Int(source[range.upperBound]), width: 1)
        }
        return Column(
            type: column.type, count: count, nullCount: validity.nullCount, validity: validity.bits, values: values,
            offsets: offsets, dictionary: column.dictionary)
    }

    private static func sliceBytes(_ buffer: Buffer, _ range: Range<Int>, width: Int) -> Buffer {
        Buffer(
            copying: UnsafeRawBufferPointer(
                start: buffer.baseAddress + range.lowerBound * width, count: range.count * width))
    }

    private static func sliceBits(_ buffer: Buffer, _ range: Range<Int>) -> Buffer {
        let bytes = Bitmap.byteCount(forBits: range.count)
        var result = MutableBuffer(capacity: bytes)
        let source = buffer.baseAddress + (range.lowerBound >> 3)
        let shift = UInt64(range.lowerBound & 7)
        var offset = 0
        while offset < bytes {
            var word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) >> shift
            if shift > 0 {
                let next = source.loadUnaligned(fromByteOffset: offset + 8, as: UInt8.self)
                word |= UInt64(next) << (64 - shift)
            }
            result.base.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        result.byteCount = bytes
        return result.finish()
    }
}
