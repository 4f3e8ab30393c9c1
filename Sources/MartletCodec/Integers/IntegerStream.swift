import MartletModel

/// A run of 64-bit integers inside a block: a kind byte and what that kind needs.
///
/// All arithmetic wraps modulo 2^64, so that signed and unsigned columns and every extreme value pass alike. Streams
/// nest (run lengths are a stream themselves) at most `deepest` levels.
enum IntegerStream {
    enum Kind: UInt8 {
        /// One signed number for all.
        case constant = 0
        /// Eight bytes each.
        case raw = 1
        /// Patched bit-packing per vector, see `PackedIntegers`.
        case packed = 2
        /// See `RunLengthIntegers`.
        case runs = 3
        /// See `PiecewiseIntegers`.
        case pieces = 4
        /// See `PeriodicIntegers`.
        case periodic = 5
        /// See `DictionaryIntegers`.
        case dictionary = 6
        /// See `EntropyIntegers`.
        case entropy = 7
        /// See `ListedIntegers`.
        case listed = 8
    }

    static let deepest = 5

    /// The encodings, beside constant, packed and raw, that an encoder may try for a stream. Streams inside a stream try
    /// fewer, so that the work stays proportional to the values.
    struct Attempts: OptionSet {
        let rawValue: UInt8

        static let runs = Attempts(rawValue: 1)
        static let pieces = Attempts(rawValue: 2)
        static let periodic = Attempts(rawValue: 4)
        static let dictionary = Attempts(rawValue: 8)
        static let entropy = Attempts(rawValue: 16)
        static let all: Attempts = [.runs, .pieces, .periodic, .dictionary, .entropy]
    }

    /// Appends the encoding of `count` values that the effort asks for.
    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, effort: Effort, trying attempts: Attempts = .all,
        into output: inout MutableBuffer
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
        if attempts.contains(.periodic), let period = PeriodicIntegers.period(values, count) {
            output.append(Kind.periodic.rawValue)
            try PeriodicIntegers.encode(values, period: period, effort: effort, trying: attempts, into: &output)
            return
        }
        var best = Candidate(output)
        output.append(Kind.packed.rawValue)
        PackedIntegers.encode(values, count: count, effort: effort, into: &output)
        best.settle(&output)
        if count <= ListedIntegers.longest {
            output.append(Kind.listed.rawValue)
            ListedIntegers.encode(values, count: count, into: &output)
            best.settle(&output)
        }
        try encodeNested(values, count, effort, attempts, &best, &output)
        if output.byteCount - best.start > count * 8 + 1 {
            output.byteCount = best.start
            output.append(Kind.raw.rawValue)
            output.append(UnsafeRawBufferPointer(start: values, count: count * 8))
        }
    }

    /// Tries the encodings that are made of other streams, and the entropy coder, and keeps the shortest. Hot blocks must
    /// gain more by them, as they take longer to decode than packed ones.
    private static func encodeNested(
        _ values: UnsafePointer<Int64>, _ count: Int, _ effort: Effort, _ attempts: Attempts,
        _ best: inout Candidate, _ output: inout MutableBuffer
    ) throws(MartletError) {
        let handicap = effort == .hot ? 1.25 : 1.0
        var runs = count
        if !attempts.isDisjoint(with: [.runs, .pieces]) { runs = RunLengthIntegers.count(values, count) }
        if attempts.contains(.runs) && runs * 4 <= count {
            output.append(Kind.runs.rawValue)
            try RunLengthIntegers.encode(values, count: count, runs: runs, effort: effort, into: &output)
            best.settle(&output, handicap: runs * 8 <= count ? 1 : handicap)
        }
        if attempts.contains(.pieces) && runs > count / 2 && best.length > 8 {
            output.append(Kind.pieces.rawValue)
            let straight = try PiecewiseIntegers.encode(values, count: count, effort: effort, into: &output)
            if straight { best.settle(&output) } else { best.withdraw(&output) }
        }
        // A dictionary of n values takes log2(n) bits an index, so it cannot beat a packing of fewer.
        if attempts.contains(.dictionary) && best.length > count / 2 && DictionaryIntegers.isPromising(values, count),
            let table = DictionaryIntegers.Table(values, count: count, limit: min(4096, count / 4 + 8))
        {
            output.append(Kind.dictionary.rawValue)
            try DictionaryIntegers.encode(table, count: count, effort: effort, into: &output)
            best.settle(&output, handicap: handicap)
        }
        if attempts.contains(.entropy) && effort != .hot && best.length > 64 {
            output.append(Kind.entropy.rawValue)
            let limit = effort == .sealed ? best.length * 10 / 11 : best.length
            if try EntropyIntegers.encode(values, count: count, effort: effort, limit: limit, into: &output) {
                // It decodes at about half the speed of packed integers.
                best.settle(&output, handicap: effort == .sealed ? 1.1 : 1)
            } else {
                best.withdraw(&output)
            }
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

    /// All values of a stream.
    static func array(_ bytes: UnsafeRawBufferPointer, count: Int, depth: Int) throws(MartletError) -> [Int64] {
        let values = Scratch<Int64>(count: count)
        try IntegerDecoder(bytes, count: count, depth: depth).decode(0..<count, into: values.pointer)
        return Array(UnsafeBufferPointer(start: values.pointer, count: count))
    }

    /// Checks that lengths are positive and add up.
    static func checkLengths(_ lengths: [Int64], sum expected: Int) throws(MartletError) {
        var sum: Int64 = 0
        for length in lengths {
            guard length > 0 && length <= Int64(expected) - sum else { throw corrupt("a run of \(length) values") }
            sum += length
        }
        guard sum == Int64(expected) else { throw corrupt("runs of \(sum) values where \(expected) were promised") }
    }
}

/// The shortest of several encodings written one after the other to the end of a buffer.
struct Candidate {
    /// Where the winner starts.
    let start: Int
    /// How long it is.
    private(set) var length = Int.max

    init(_ output: borrowing MutableBuffer) { start = output.byteCount }

    /// Compares what was appended since the last call with the winner, and keeps the challenger if it is shorter even
    /// when its length is multiplied by the handicap.
    mutating func settle(_ output: inout MutableBuffer, handicap: Double = 1) {
        let previous = length == .max ? 0 : length
        let challenger = output.byteCount - start - previous
        if Double(challenger) * handicap < Double(length) {
            if previous > 0 {
                (output.base + start).copyMemory(from: output.base + start + previous, byteCount: challenger)
            }
            length = challenger
        }
        output.byteCount = start + length
    }

    /// Removes what was appended since the last call.
    func withdraw(_ output: inout MutableBuffer) { output.byteCount = start + (length == .max ? 0 : length) }
}

/// The decoder of one integer stream: parses the head once, then decodes any range.
indirect enum IntegerDecoder {
    case constant(Int64)
    case raw(UnsafeRawPointer)
    case packed(PackedIntegers.Decoder)
    case runs(RunLengthIntegers.Decoder)
    case pieces(PiecewiseIntegers.Decoder)
    case periodic(PeriodicIntegers.Decoder)
    case dictionary(DictionaryIntegers.Decoder)
    case entropy(EntropyIntegers.Decoder)
    case listed([Int64])

    /// Reads the head of a stream of `count` integers that fills `bytes`.
    init(_ bytes: UnsafeRawBufferPointer, count: Int, depth: Int = 0) throws(MartletError) {
        guard depth <= IntegerStream.deepest else { throw corrupt("streams nest too deep") }
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        switch IntegerStream.Kind(rawValue: kind) {
        case .constant: self = .constant(try reader.signedVarint())
        case .raw: self = .raw(try reader.take(count * 8).baseAddress ?? reader.end)
        case .packed: self = .packed(try PackedIntegers.Decoder(reader.rest, count: count))
        case .runs: self = .runs(try RunLengthIntegers.Decoder(&reader, count: count, depth: depth))
        case .pieces: self = .pieces(try PiecewiseIntegers.Decoder(&reader, count: count, depth: depth))
        case .periodic: self = .periodic(try PeriodicIntegers.Decoder(&reader, count: count, depth: depth))
        case .dictionary: self = .dictionary(try DictionaryIntegers.Decoder(&reader, count: count, depth: depth))
        case .entropy: self = .entropy(try EntropyIntegers.Decoder(&reader, count: count))
        case .listed: self = .listed(try ListedIntegers.decode(&reader, count: count))
        case nil: throw corrupt("unknown integer encoding \(kind)")
        }
    }

    /// Writes the values of `range` to `output`, which holds `range.count` elements.
    func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
        switch self {
        case .constant(let value): output.update(repeating: value, count: range.count)
        case .raw(let base):
            UnsafeMutableRawPointer(output).copyMemory(from: base + range.lowerBound * 8, byteCount: range.count * 8)
        case .packed(let decoder): try decoder.decode(range, to: .integers(output))
        case .runs(let decoder): decoder.decode(range, into: output)
        case .pieces(let decoder): try decoder.decode(range, into: output)
        case .periodic(let decoder): decoder.decode(range, into: output)
        case .dictionary(let decoder): try decoder.decode(range, into: output)
        case .entropy(let decoder): try decoder.decode(range, to: .integers(output))
        case .listed(let values): for index in range { output[index - range.lowerBound] = values[index] }
        }
    }

    /// Writes the values of `range`, below 2^51 in magnitude, as doubles divided by `power`.
    func decode(_ range: Range<Int>, power: Double, into output: UnsafeMutablePointer<Double>) throws(MartletError) {
        switch self {
        case .constant(let value): output.update(repeating: Double(value) / power, count: range.count)
        case .packed(let decoder): try decoder.decode(range, to: .doubles(output, power: power))
        case .runs(let decoder): decoder.decode(range, power: power, into: output)
        case .entropy(let decoder): try decoder.decode(range, to: .doubles(output, power: power))
        default:
            // The integers are written where the doubles will be; the division reads each before it writes it.
            let integers = UnsafeMutableRawPointer(output).assumingMemoryBound(to: Int64.self)
            try decode(range, into: integers)
            Kernels.divide(integers, range.count, power: power, into: output)
        }
    }
}
