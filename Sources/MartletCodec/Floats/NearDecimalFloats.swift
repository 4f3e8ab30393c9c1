import MartletModel

/// Doubles that are nearly decimals: results of arithmetic on decimals, such as a percentage, that miss the correctly
/// rounded decimal by a few units in the last place.
///
/// Layout: the exponent; a section with the stream of misses, which are the distance from integer / power to the value
/// in the order of floats; the stream of integers.
enum NearDecimalFloats {
    private static let farthest: Int64 = 8

    /// Appends the encoding, or returns `false` when some value is further from a decimal.
    static func encode(
        _ values: UnsafePointer<Double>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) -> Bool {
        guard count >= 64, let exponent = sampleExponent(values, count) else { return false }
        let integers = Scratch<Int64>(count: count)
        let misses = Scratch<Int64>(count: count)
        for index in 0..<count {
            guard let (integer, miss) = approximate(values[index], exponent) else { return false }
            integers.pointer[index] = integer
            misses.pointer[index] = miss
        }
        output.append(UInt8(exponent))
        var section = MutableBuffer(capacity: count)
        try IntegerStream.encode(misses.pointer, count: count, effort: effort, trying: .entropy, into: &section)
        output.append(stream: section)
        try IntegerStream.encode(integers.pointer, count: count, effort: effort, trying: .entropy, into: &output)
        return true
    }

    /// The smallest exponent that brings a sample close to decimals.
    private static func sampleExponent(_ values: UnsafePointer<Double>, _ count: Int) -> Int? {
        let taken = min(64, count)
        return (0...DecimalFloats.highestExponent).first { exponent in
            (0..<taken).allSatisfy { approximate(values[$0 * count / taken], exponent) != nil }
        }
    }

    private static func approximate(_ value: Double, _ exponent: Int) -> (Int64, Int64)? {
        let power = DecimalFloats.powers[exponent]
        let product = value * power
        // With 47 bits or fewer, the decimals are so sparse that being within a few units of one is no accident.
        guard abs(product) < 140_737_488_355_328 else { return nil }
        let rounded = product.rounded(.toNearestOrEven)
        let (miss, overflow) = FloatOrder.integer(value).subtractingReportingOverflow(
            FloatOrder.integer(rounded / power))
        guard !overflow && miss >= -farthest && miss <= farthest else { return nil }
        let integer = Int64(rounded)
        // The decoder divides the integer, which has no negative zero.
        guard integer != 0 || rounded.sign == .plus else { return nil }
        return (integer, miss)
    }

    struct Decoder {
        private let power: Double
        private let misses: IntegerDecoder
        let integers: IntegerDecoder

        init(_ reader: inout ByteReader, count: Int) throws(MartletError) {
            let exponent = Int(try reader.byte())
            guard exponent <= DecimalFloats.highestExponent else { throw corrupt("a decimal exponent of \(exponent)") }
            power = DecimalFloats.powers[exponent]
            misses = try IntegerDecoder(try reader.stream(), count: count)
            integers = try IntegerDecoder(reader.rest, count: count)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Double>) throws(MartletError) {
            let missed = Scratch<Int64>(count: range.count)
            try misses.decode(range, into: missed.pointer)
            try integers.decode(range, power: power, into: output)
            for index in 0..<range.count {
                output[index] = FloatOrder.double(FloatOrder.integer(output[index]) &+ missed.pointer[index])
            }
        }
    }
}
