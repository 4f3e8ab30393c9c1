import MartletModel

/// A run of 64-bit integers inside a block: a kind byte and what that kind needs.
///
/// All arithmetic wraps modulo 2^64, so that signed and unsigned columns and every extreme value pass alike.
enum IntegerStream {
    enum Kind: UInt8 {
        /// One signed number for all.
        case constant = 0
        /// Eight bytes each.
        case raw = 1
        /// Patched bit-packing per vector, see `PackedIntegers`.
        case packed = 2
    }

    /// Appends the encoding of `count` values that the effort asks for.
    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        guard count > 0 else {
            output.append(Kind.raw.rawValue)
            return
        }
        if isConstant(values, count) {
            output.append(Kind.constant.rawValue)
            output.append(signedVarint: values[0])
            return
        }
        let start = output.byteCount
        output.append(Kind.packed.rawValue)
        PackedIntegers.encode(values, count: count, into: &output)
        if output.byteCount - start > count * 8 + 1 {
            output.byteCount = start
            output.append(Kind.raw.rawValue)
            output.append(UnsafeRawBufferPointer(start: values, count: count * 8))
        }
    }

    static func isConstant(_ values: UnsafePointer<Int64>, _ count: Int) -> Bool {
        let first = values[0]
        var index = 1
        while index < count {
            let stop = min(index &+ 64, count)
            var difference: Int64 = 0
            while index < stop {
                difference |= values[index] ^ first
                index &+= 1
            }
            if difference != 0 { return false }
        }
        return true
    }
}

/// The decoder of one integer stream: parses the head once, then decodes any range.
enum IntegerDecoder {
    case constant(Int64)
    case raw(UnsafeRawPointer)
    case packed(PackedIntegers.Decoder)

    /// Reads the head of a stream of `count` integers that fills `bytes`.
    init(_ bytes: UnsafeRawBufferPointer, count: Int) throws(MartletError) {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        switch IntegerStream.Kind(rawValue: kind) {
        case .constant: self = .constant(try reader.signedVarint())
        case .raw: self = .raw(try reader.take(count * 8).baseAddress ?? reader.end)
        case .packed: self = .packed(try PackedIntegers.Decoder(reader.rest, count: count))
        case nil: throw corrupt("unknown integer encoding \(kind)")
        }
    }

    /// Writes the values of `range` to `output`, which holds `range.count` elements.
    func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
        switch self {
        case .constant(let value): output.update(repeating: value, count: range.count)
        case .raw(let base):
            UnsafeMutableRawPointer(output).copyMemory(from: base + range.lowerBound * 8, byteCount: range.count * 8)
        case .packed(let decoder): try decoder.decode(range, into: output)
        }
    }
}
