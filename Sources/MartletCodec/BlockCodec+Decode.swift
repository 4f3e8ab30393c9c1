import MartletModel

extension BlockCodec {
    /// Decodes rows of a block whose header was read. Values are stored without the slots of nulls; the validity
    /// bitmap says which rows they belong to.
    static func decode(
        _ reader: inout ByteReader, _ header: BlockHeader, rows: Range<Int>
    ) throws(MartletError) -> Column {
        guard header.hasNulls else {
            return try dense(reader.rest, header.type, count: header.count, range: rows)
        }
        let section = try reader.section()
        let whole = try BoolStream.decode(section, count: header.count, range: 0..<header.count)
        let present = Bitmap.countSet(whole.baseAddress, count: header.count)
        let first = Bitmap.countSet(whole.baseAddress, count: rows.lowerBound)
        var validity = whole
        if rows != 0..<header.count {
            validity = try BoolStream.decode(section, count: header.count, range: rows)
        }
        let wanted = Bitmap.countSet(validity.baseAddress, count: rows.count)
        guard wanted > 0 else { return .nulls(header.type, count: rows.count) }
        let values = try dense(reader.rest, header.type, count: present, range: first..<(first + wanted))
        return wanted == rows.count ? values : scatter(values, validity, rows.count)
    }

    private static func dense(
        _ bytes: UnsafeRawBufferPointer, _ type: ColumnType, count: Int, range: Range<Int>
    ) throws(MartletError) -> Column {
        guard count > 0 else { return .nulls(type, count: 0) }
        switch type {
        case .timestamp, .int64, .uint64:
            var values = MutableBuffer(capacity: range.count * 8)
            try IntegerDecoder(bytes, count: count).decode(range, into: values.base.assumingMemoryBound(to: Int64.self))
            values.byteCount = range.count * 8
            return Column(type: type, count: range.count, values: values.finish())
        case .float64:
            var values = MutableBuffer(capacity: range.count * 8)
            try FloatDecoder(bytes, count: count).decode(
                range, into: values.base.assumingMemoryBound(to: Double.self))
            values.byteCount = range.count * 8
            return Column(type: type, count: range.count, values: values.finish())
        case .bool:
            return Column(
                type: type, count: range.count, values: try BoolStream.decode(bytes, count: count, range: range))
        case .string:
            switch try StringStream.decode(bytes, count: count, range: range) {
            case .plain(let offsets, let text):
                return Column(type: type, count: range.count, values: text, offsets: offsets)
            case .dictionary(let indices, let dictionary):
                return Column(type: type, count: range.count, values: indices, dictionary: dictionary)
            }
        case .interval: throw corrupt("a block of intervals")
        }
    }

    /// Spreads dense values over the rows that `validity` marks; the slots of nulls become zero.
    private static func scatter(_ values: Column, _ validity: Buffer, _ count: Int) -> Column {
        let bits = validity.baseAddress
        var spread: Buffer
        var offsets: Buffer?
        if values.type == .bool {
            var builder = BitmapBuilder(capacity: count)
            var next = 0
            for row in 0..<count {
                let valid = Bitmap.isSet(bits, row)
                builder.append(valid && Bitmap.isSet(values.values.baseAddress, next))
                if valid { next += 1 }
            }
            spread = builder.finish()
        } else if values.isDictionaryEncoded {
            spread = scatter(values.values.pointer(to: UInt32.self), bits, count)
        } else if let dense = values.offsets {
            let source = dense.pointer(to: Int32.self)
            var target = MutableBuffer(capacity: (count + 1) * 4)
            var next = 0
            target.append(Int32(0))
            for row in 0..<count {
                if Bitmap.isSet(bits, row) { next += 1 }
                target.append(source[next])
            }
            offsets = target.finish()
            spread = values.values
        } else {
            spread = scatter(values.values.pointer(to: UInt64.self), bits, count)
        }
        return Column(
            type: values.type, count: count, nullCount: count - values.count, validity: validity, values: spread,
            offsets: offsets, dictionary: values.dictionary)
    }

    private static func scatter<T: BitwiseCopyable & FixedWidthInteger>(
        _ source: UnsafePointer<T>, _ bits: UnsafeRawPointer, _ count: Int
    ) -> Buffer {
        var target = MutableBuffer(capacity: count * MemoryLayout<T>.stride)
        let output = target.base.assumingMemoryBound(to: T.self)
        var next = 0
        for row in 0..<count {
            // Every set bit has a dense value, so `next` stays below their number when the bit is set.
            if Bitmap.isSet(bits, row) {
                output[row] = source[next]
                next &+= 1
            } else {
                output[row] = 0
            }
        }
        target.byteCount = count * MemoryLayout<T>.stride
        return target.finish()
    }
}
