import MartletModel

/// A run of doubles inside a block: a kind byte and what that kind needs. Everything is compared and kept by bit
/// pattern, so that -0.0, infinities and the payloads of NaNs survive.
enum FloatStream {
    enum Kind: UInt8 {
        /// Eight bytes for all.
        case constant = 0
        /// Eight bytes each.
        case raw = 1
        /// See `DecimalFloats`.
        case decimal = 2
        /// The patterns of the values as singles, in their order, as integers; see `FloatOrder`.
        case single = 3
        /// The patterns in their order as integers.
        case ordered = 4
        /// The patterns, unordered, as runs or a dictionary of integers.
        case patterns = 5
        /// See `SplitFloats`.
        case split = 6
        /// See `NearDecimalFloats`.
        case nearDecimal = 7
    }

    static func encode(
        _ values: UnsafePointer<Double>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        let patterns = UnsafeRawPointer(values).assumingMemoryBound(to: Int64.self)
        guard count > 0 else {
            output.append(Kind.raw.rawValue)
            return
        }
        if IntegerStream.isConstant(patterns, count) {
            output.append(Kind.constant.rawValue)
            output.append(patterns[0].littleEndian)
            return
        }
        var best = Candidate(output)
        output.append(Kind.decimal.rawValue)
        if try DecimalFloats.encode(values, count: count, effort: effort, into: &output) {
            best.settle(&output)
        } else {
            best.withdraw(&output)
            output.append(Kind.nearDecimal.rawValue)
            if try NearDecimalFloats.encode(values, count: count, effort: effort, into: &output) {
                best.settle(&output)
            } else {
                best.withdraw(&output)
                try encodeBinary(values, count, effort, &best, &output)
            }
            try encodePatterns(patterns, count, effort, &best, &output)
        }
        if best.length > count * 8 + 1 {
            output.byteCount = best.start
            output.append(Kind.raw.rawValue)
            output.append(UnsafeRawBufferPointer(start: values, count: count * 8))
        }
    }

    /// Encodings of values that are no short decimals.
    private static func encodeBinary(
        _ values: UnsafePointer<Double>, _ count: Int, _ effort: Effort, _ best: inout Candidate,
        _ output: inout MutableBuffer
    ) throws(MartletError) {
        let integers = Scratch<Int64>(count: count)
        if FloatOrder.singles(values, count, into: integers.pointer) {
            output.append(Kind.single.rawValue)
            try IntegerStream.encode(integers.pointer, count: count, effort: effort, trying: .entropy, into: &output)
            best.settle(&output)
            return
        }
        FloatOrder.doubles(values, count, into: integers.pointer)
        output.append(Kind.ordered.rawValue)
        try IntegerStream.encode(integers.pointer, count: count, effort: effort, trying: .entropy, into: &output)
        best.settle(&output)
        // Where neighbours help, a split without a prediction does not.
        guard best.length > count * 7 || effort == .cold else { return }
        output.append(Kind.split.rawValue)
        try SplitFloats.encode(values, count: count, effort: effort, into: &output)
        best.settle(&output)
    }

    private static func encodePatterns(
        _ patterns: UnsafePointer<Int64>, _ count: Int, _ effort: Effort, _ best: inout Candidate,
        _ output: inout MutableBuffer
    ) throws(MartletError) {
        let runs = RunLengthIntegers.count(patterns, count)
        guard runs * 4 <= count || DictionaryIntegers.isPromising(patterns, count) else { return }
        output.append(Kind.patterns.rawValue)
        try IntegerStream.encode(patterns, count: count, effort: effort, trying: [.runs, .dictionary], into: &output)
        best.settle(&output)
    }
}

/// The decoder of one float stream.
enum FloatDecoder {
    case constant(Double)
    case raw(UnsafeRawPointer)
    case decimal(DecimalFloats.Decoder)
    case single(IntegerDecoder)
    case ordered(IntegerDecoder)
    case patterns(IntegerDecoder)
    case split(SplitFloats.Decoder)
    case nearDecimal(NearDecimalFloats.Decoder)

    /// Reads the head of a stream of `count` doubles that fills `bytes`.
    init(_ bytes: UnsafeRawBufferPointer, count: Int) throws(MartletError) {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        switch FloatStream.Kind(rawValue: kind) {
        case .constant:
            let pattern = try reader.take(8).loadUnaligned(as: UInt64.self)
            self = .constant(Double(bitPattern: UInt64(littleEndian: pattern)))
        case .raw: self = .raw(try reader.take(count * 8).baseAddress ?? reader.end)
        case .decimal: self = .decimal(try DecimalFloats.Decoder(&reader, count: count))
        case .single: self = .single(try IntegerDecoder(reader.rest, count: count))
        case .ordered: self = .ordered(try IntegerDecoder(reader.rest, count: count))
        case .patterns: self = .patterns(try IntegerDecoder(reader.rest, count: count))
        case .split: self = .split(try SplitFloats.Decoder(&reader, count: count))
        case .nearDecimal: self = .nearDecimal(try NearDecimalFloats.Decoder(&reader, count: count))
        case nil: throw corrupt("unknown float encoding \(kind)")
        }
    }

    /// Writes the values of `range` to `output`, which holds `range.count` elements.
    func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Double>) throws(MartletError) {
        // Integers are decoded to where the doubles will be and turned into them in place.
        let integers = UnsafeMutableRawPointer(output).assumingMemoryBound(to: Int64.self)
        switch self {
        case .constant(let value): output.update(repeating: value, count: range.count)
        case .raw(let base):
            UnsafeMutableRawPointer(output).copyMemory(from: base + range.lowerBound * 8, byteCount: range.count * 8)
        case .decimal(let decoder): try decoder.decode(range, into: output)
        case .single(let decoder):
            try decoder.decode(range, into: integers)
            FloatOrder.restoreSingles(integers, range.count)
        case .ordered(let decoder):
            try decoder.decode(range, into: integers)
            FloatOrder.restoreDoubles(integers, range.count)
        case .patterns(let decoder): try decoder.decode(range, into: integers)
        case .split(let decoder): try decoder.decode(range, into: integers)
        case .nearDecimal(let decoder): try decoder.decode(range, into: output)
        }
    }
}
