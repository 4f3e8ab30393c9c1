import MartletModel

/// A run of bits inside a block: bool columns and validity bitmaps.
enum BoolStream {
    enum Kind: UInt8 {
        case allClear = 0
        case allSet = 1
        /// One bit each, least significant first.
        case bits = 2
        /// The first bit, and an integer stream of alternating run lengths.
        case runs = 3
        /// Four bits a symbol, range-coded: symbol tables, then the symbols of all bits.
        case entropy = 4
    }

    private static let symbolCount = 16

    /// Appends the encoding of the first `count` of `bits`.
    static func encode(
        _ bits: UnsafeRawPointer, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        let set = Bitmap.countSet(bits, count: count)
        if set == 0 || set == count {
            output.append(set == 0 ? Kind.allClear.rawValue : Kind.allSet.rawValue)
            return
        }
        let plainSize = Bitmap.byteCount(forBits: count)
        var best = Candidate(output)
        var runs = countRuns(bits, count)
        if runs < max(plainSize, 16) {
            let lengths = Scratch<Int64>(count: runs)
            runs = writeRuns(bits, count, into: lengths.pointer)
            output.append(Kind.runs.rawValue)
            output.append(UInt8(Bitmap.isSet(bits, 0) ? 1 : 0))
            output.append(varint: UInt64(runs))
            try IntegerStream.encode(
                lengths.pointer, count: runs, effort: effort, trying: [.runs, .entropy], into: &output)
            best.settle(&output)
        }
        if effort != .hot && best.length > plainSize / 16 && count >= 1024 {
            output.append(Kind.entropy.rawValue)
            encodeSymbols(bits, count, effort, into: &output)
            best.settle(&output)
        }
        if best.length <= plainSize - plainSize / 32 { return }
        output.byteCount = best.start
        output.append(Kind.bits.rawValue)
        output.append(UnsafeRawBufferPointer(start: bits, count: plainSize))
        // Bits beyond the count are unspecified in memory and zero in the format.
        if count & 7 != 0 {
            let last = output.base + (output.byteCount - 1)
            let kept = UInt8((1 << (count & 7)) - 1)
            last.storeBytes(of: last.load(as: UInt8.self) & kept, as: UInt8.self)
        }
    }

    private static func encodeSymbols(
        _ bits: UnsafeRawPointer, _ count: Int, _ effort: Effort, into output: inout MutableBuffer
    ) {
        let symbolTotal = (count + 3) / 4
        let symbols = Scratch<UInt8>(count: symbolTotal)
        for index in 0..<symbolTotal {
            let byte = bits.load(fromByteOffset: index >> 1, as: UInt8.self)
            symbols.pointer[index] = index & 1 == 0 ? byte & 15 : byte >> 4
        }
        // What follows the last bit is unspecified in memory and clear in the format.
        if count & 3 != 0 { symbols.pointer[symbolTotal - 1] &= 1 << UInt8(count & 3) - 1 }
        let tables = ContextModel.tables(
            symbols.pointer, symbolTotal, pageLength: symbolTotal, symbolCount: symbolCount, effort: effort)
        tables.write(into: &output)
        RangeCoder.encode(symbols.pointer, count: symbolTotal, tables: tables, into: &output)
    }

    private static func decodeSymbols(_ reader: inout ByteReader, _ count: Int) throws(MartletError) -> Buffer {
        let symbolTotal = (count + 3) / 4
        let tables = try SymbolTables(&reader, symbolCount: symbolCount)
        let symbols = Scratch<UInt8>(count: RangeCoder.paddedCount(symbolTotal) + 64)
        try RangeCoder.decode(
            &reader, count: symbolTotal, tables: tables, table: tables.decodingTable(), into: symbols.pointer)
        symbols.pointer[symbolTotal] = 0
        var bits = MutableBuffer(capacity: (symbolTotal + 1) / 2)
        for index in 0..<(symbolTotal + 1) / 2 {
            bits.append(symbols.pointer[2 * index] | symbols.pointer[2 * index + 1] << 4)
        }
        return bits.finish()
    }

    /// The number of runs of equal bits.
    private static func countRuns(_ bits: UnsafeRawPointer, _ count: Int) -> Int {
        var changes = 0
        var index = 1
        // Bit i of `word ^ word >> 1` tells whether bits i and i + 1 differ.
        while index + 63 <= count {
            let low = word(bits, at: index - 1)
            changes += ((low ^ (low &>> 1)) & (.max >> 1)).nonzeroBitCount
            index += 63
        }
        while index < count {
            if Bitmap.isSet(bits, index) != Bitmap.isSet(bits, index - 1) { changes += 1 }
            index += 1
        }
        return changes + 1
    }

    /// 64 bits from bit `start` on, of which the last may lie in the padding of the buffer.
    private static func word(_ bits: UnsafeRawPointer, at start: Int) -> UInt64 {
        let low = bits.loadUnaligned(fromByteOffset: start >> 3, as: UInt64.self)
        let shift = UInt64(start & 7)
        guard shift > 0 else { return low }
        let high = UInt64(bits.load(fromByteOffset: start >> 3 + 8, as: UInt8.self))
        return (low &>> shift) | (high &<< (64 - shift))
    }

    private static func writeRuns(
        _ bits: UnsafeRawPointer, _ count: Int, into lengths: UnsafeMutablePointer<Int64>
    ) -> Int {
        var runs = 0
        var start = 0
        var current = Bitmap.isSet(bits, 0)
        for index in 1..<max(count, 1) where Bitmap.isSet(bits, index) != current {
            lengths[runs] = Int64(index - start)
            runs += 1
            start = index
            current.toggle()
        }
        lengths[runs] = Int64(count - start)
        return runs + 1
    }

    /// Decodes the bits of `range` of a stream of `count` bits into a bitmap that starts at bit 0.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, count: Int, range: Range<Int>
    ) throws(MartletError) -> Buffer {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        let size = Bitmap.byteCount(forBits: range.count)
        var output = MutableBuffer(capacity: size)
        output.appendZeros(size)
        switch Kind(rawValue: kind) {
        case .allClear: break
        case .allSet: fill(output.base, 0..<range.count)
        case .bits:
            let source = try reader.take(Bitmap.byteCount(forBits: count))
            copy(source, range, into: output.base, size)
        case .runs:
            var current = try reader.byte() & 1 == 1
            let runs = try reader.count(upTo: count, "the number of runs")
            let lengths = Scratch<Int64>(count: runs)
            try IntegerDecoder(reader.rest, count: runs).decode(0..<runs, into: lengths.pointer)
            var position = 0
            for run in 0..<runs {
                let length = lengths.pointer[run]
                guard length >= 0 && length <= count - position else { throw corrupt("a run of \(length) bits") }
                if current {
                    let from = max(position, range.lowerBound)
                    let to = min(position + Int(length), range.upperBound)
                    if from < to { fill(output.base, (from - range.lowerBound)..<(to - range.lowerBound)) }
                }
                position += Int(length)
                current.toggle()
            }
            guard position == count else { throw corrupt("runs of \(position) bits where \(count) were promised") }
        case .entropy:
            let bits = try decodeSymbols(&reader, count)
            copy(bits.bytes, range, into: output.base, size)
            withExtendedLifetime(bits) {}
        case nil: throw corrupt("unknown bit encoding \(kind)")
        }
        return output.finish()
    }

    /// Sets the bits of `range`.
    private static func fill(_ bits: UnsafeMutableRawPointer, _ range: Range<Int>) {
        var index = range.lowerBound
        while index < range.upperBound && index & 7 != 0 {
            Bitmap.set(bits, index)
            index += 1
        }
        let whole = (range.upperBound - index) >> 3
        if whole > 0 {
            (bits + index >> 3).initializeMemory(as: UInt8.self, repeating: 0xff, count: whole)
            index += whole << 3
        }
        while index < range.upperBound {
            Bitmap.set(bits, index)
            index += 1
        }
    }

    /// Copies bits `range` of `source` to bit 0 of `target` and clears what follows in the last byte.
    private static func copy(
        _ source: UnsafeRawBufferPointer, _ range: Range<Int>, into target: UnsafeMutableRawPointer, _ size: Int
    ) {
        let shift = range.lowerBound & 7
        let first = range.lowerBound >> 3
        for index in 0..<size {
            var byte = UInt16(source[first + index]) >> UInt16(shift)
            if shift > 0 && first + index + 1 < source.count {
                byte |= UInt16(source[first + index + 1]) << UInt16(8 - shift)
            }
            target.storeBytes(of: UInt8(truncatingIfNeeded: byte), toByteOffset: index, as: UInt8.self)
        }
        if range.count & 7 != 0 {
            let kept = UInt8((1 << (range.count & 7)) - 1)
            let last = target.load(fromByteOffset: size - 1, as: UInt8.self) & kept
            target.storeBytes(of: last, toByteOffset: size - 1, as: UInt8.self)
        }
    }
}
