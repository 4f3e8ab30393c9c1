import MartletModel

/// Doubles that were decimals: integers and one power of ten to divide them by.
///
/// An integer below 2^53 divided by a power of ten up to 10^22, both exact doubles, gives the correctly rounded
/// quotient: the double that parsing the decimal text gives. So every decimal of up to 15 digits comes back without
/// exception, where ALP's two multiplications (Afroozeh and Boncz, SIGMOD 2023) leave around one per cent. Every value
/// is verified by bit pattern; those that fail (-0.0, infinities, NaNs, other doubles) are exceptions.
///
/// Layout: the exponent; the number of exceptions; if any, a section of their positions and eight bytes for each; the
/// stream of integers, in which an exception repeats its neighbour.
enum DecimalFloats {
    static let highestExponent = 15
    static let powers: [Double] = (0...highestExponent).map { exponent in
        (0..<exponent).reduce(1.0) { power, _ in power * 10 }
    }

    /// Appends the encoding, or returns `false` when more than one value in 64 is no short decimal.
    static func encode(
        _ values: UnsafePointer<Double>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) -> Bool {
        guard var exponent = sampleExponent(values, count) else { return false }
        let limit = count / 64 + 1
        let integers = Scratch<Int64>(count: count)
        let positions = Scratch<UInt32>(count: limit + 4)
        var exceptions = 0
        while true {
            exceptions = Kernels.decimal(
                values, count, power: powers[exponent], into: integers.pointer, exceptions: positions.pointer,
                limit: limit)
            if exceptions <= limit { break }
            // The sample missed longer decimals; one more digit may hold them.
            guard let longer = longerExponent(values, positions.pointer, exceptions, exponent) else { return false }
            exponent = longer
        }
        output.append(UInt8(exponent))
        output.append(varint: UInt64(exceptions))
        if exceptions > 0 {
            fillGaps(integers.pointer, count, positions.pointer, exceptions)
            let wide = Scratch<Int64>(count: exceptions)
            for index in 0..<exceptions { wide.pointer[index] = Int64(positions.pointer[index]) }
            var section = MutableBuffer(capacity: 64)
            try IntegerStream.encode(wide.pointer, count: exceptions, effort: effort, trying: [], into: &section)
            output.append(stream: section)
            for index in 0..<exceptions {
                output.append(values[Int(positions.pointer[index])].bitPattern.littleEndian)
            }
        }
        try IntegerStream.encode(integers.pointer, count: count, effort: effort, into: &output)
        return true
    }

    /// The integer of an exception is that of the value before it, so that it costs nothing in the stream.
    private static func fillGaps(
        _ integers: UnsafeMutablePointer<Int64>, _ count: Int, _ positions: UnsafePointer<UInt32>, _ exceptions: Int
    ) {
        var lead = 0
        while lead < exceptions && Int(positions[lead]) == lead { lead += 1 }
        if lead > 0 && lead < count { integers[0] = integers[lead] }
        for index in 0..<exceptions where positions[index] > 0 {
            integers[Int(positions[index])] = integers[Int(positions[index]) - 1]
        }
    }

    /// The smallest exponent that explains 31 in 32 of up to 96 values, if there is one.
    private static func sampleExponent(_ values: UnsafePointer<Double>, _ count: Int) -> Int? {
        let taken = min(96, count)
        var best: (exponent: Int, hits: Int)?
        for exponent in 0...highestExponent {
            var hits = 0
            for sample in 0..<taken where isDecimal(values[sample * count / taken], exponent) { hits += 1 }
            if hits == taken { return exponent }
            if hits > best?.hits ?? 0 { best = (exponent, hits) }
        }
        guard let best, best.hits >= taken - taken / 32 else { return nil }
        return best.exponent
    }

    private static func longerExponent(
        _ values: UnsafePointer<Double>, _ positions: UnsafePointer<UInt32>, _ exceptions: Int, _ exponent: Int
    ) -> Int? {
        var next = exponent + 1
        while next <= highestExponent {
            var hits = 0
            for index in 0..<exceptions where isDecimal(values[Int(positions[index])], next) { hits += 1 }
            if hits > exceptions / 2 { return next }
            next += 1
        }
        return nil
    }

    private static func isDecimal(_ value: Double, _ exponent: Int) -> Bool {
        let product = value * powers[exponent]
        guard abs(product) < 2_251_799_813_685_247 else { return false }
        return (product.rounded(.toNearestOrEven) / powers[exponent]).bitPattern == value.bitPattern
    }

    struct Decoder {
        let power: Double
        let integers: IntegerDecoder
        let exceptions: Int
        private let positions: [Int64]
        private let patterns: UnsafeRawPointer

        init(_ reader: inout ByteReader, count: Int) throws(MartletError) {
            let exponent = Int(try reader.byte())
            guard exponent <= highestExponent else { throw corrupt("a decimal exponent of \(exponent)") }
            power = powers[exponent]
            exceptions = try reader.count(upTo: count, "the number of exceptions")
            if exceptions > 0 {
                positions = try IntegerStream.array(try reader.stream(), count: exceptions, depth: 3)
                patterns = try reader.take(exceptions * 8).baseAddress ?? reader.end
                guard positions.allSatisfy({ $0 >= 0 && $0 < Int64(count) }) else {
                    throw corrupt("an exception beyond the block")
                }
            } else {
                positions = []
                patterns = reader.end
            }
            integers = try IntegerDecoder(reader.rest, count: count)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Double>) throws(MartletError) {
            try integers.decode(range, power: power, into: output)
            for index in 0..<exceptions where range.contains(Int(positions[index])) {
                let pattern = patterns.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                output[Int(positions[index]) - range.lowerBound] = Double(bitPattern: UInt64(littleEndian: pattern))
            }
        }
    }
}
