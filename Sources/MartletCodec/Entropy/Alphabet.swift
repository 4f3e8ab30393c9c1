import MartletModel

/// The bucket codes that occur in a stream, numbered in ascending order: at most 256.
struct Alphabet {
    let code: BucketCode
    let codes: [Int]
    /// The number of each code, or -1.
    private let numbers: [Int16]

    /// The alphabet of the precision that costs the least, or `nil` when raw bits would be too many.
    init?(_ magnitudes: UnsafePointer<UInt64>, _ count: Int) {
        let histogram = Self.histogram(magnitudes, count)
        var best: (code: BucketCode, codes: [Int], cost: Double)?
        for precision in 0...BucketCode.highestPrecision {
            let (codes, cost) = Self.codes(histogram, precision: precision)
            if codes.count <= 256 && cost < best?.cost ?? .infinity {
                best = (BucketCode(precision: precision), codes, cost)
            }
        }
        guard var best, let last = best.codes.last, best.code.isSupported(last) else {
            return nil
        }
        // The range coder needs two symbols.
        if best.codes.count == 1 { best.codes.append(last + 1) }
        guard best.code.isSupported(best.codes[best.codes.count - 1]) else { return nil }
        self.init(code: best.code, codes: best.codes)
    }

    private init(code: BucketCode, codes: [Int]) {
        self.code = code
        self.codes = codes
        var numbers = [Int16](repeating: -1, count: (codes.last ?? 0) + 1)
        for (number, code) in codes.enumerated() { numbers[code] = Int16(number) }
        self.numbers = numbers
    }

    /// Counts of the codes of the highest precision, from which those of the others follow.
    private static func histogram(_ magnitudes: UnsafePointer<UInt64>, _ count: Int) -> [UInt32] {
        let finest = BucketCode(precision: BucketCode.highestPrecision)
        var histogram = [UInt32](repeating: 0, count: BucketCode.codeLimit)
        histogram.withUnsafeMutableBufferPointer { histogram in
            for index in 0..<count { histogram[finest.code(magnitudes[index])] &+= 1 }
        }
        return histogram
    }

    /// The codes that occur at a precision, and an estimate of all bits.
    private static func codes(_ histogram: [UInt32], precision: Int) -> ([Int], Double) {
        let finest = BucketCode(precision: BucketCode.highestPrecision)
        let code = BucketCode(precision: precision)
        var codes: [Int] = []
        var counts: [UInt32] = []
        for (fine, count) in histogram.enumerated() where count > 0 {
            let coarse = code.code(finest.base(fine))
            if codes.last == coarse {
                counts[counts.count - 1] += count
            } else {
                codes.append(coarse)
                counts.append(count)
            }
        }
        var total: UInt32 = 0
        var bits = 0.0
        for (place, count) in counts.enumerated() {
            total += count
            // Each symbol costs about nine bits of tables.
            bits += Double(count) * Double(code.rawLength(codes[place])) - Logarithms.entropyTerm(count) + 9
        }
        return (codes, bits + Logarithms.entropyTerm(total))
    }

    /// The bits that magnitudes would take with the best alphabet.
    static func estimate(_ magnitudes: UnsafePointer<UInt64>, _ count: Int) -> Double {
        let histogram = histogram(magnitudes, count)
        return [1, 3, 5].map { codes(histogram, precision: $0).1 }.min() ?? .infinity
    }

    func symbols(_ magnitudes: UnsafePointer<UInt64>, _ count: Int, into output: UnsafeMutablePointer<UInt8>) {
        numbers.withUnsafeBufferPointer { numbers in
            for index in 0..<count {
                output[index] = UInt8(truncatingIfNeeded: numbers[code.code(magnitudes[index])])
            }
        }
    }

    /// Appends the length of the raw bits in bytes, the raw bits, and the padding that decoders need; nothing but a zero
    /// when no code has raw bits.
    func writeRaw(
        _ magnitudes: UnsafePointer<UInt64>, _ symbols: UnsafePointer<UInt8>, _ count: Int,
        into output: inout MutableBuffer
    ) {
        guard let last = codes.last, code.rawLength(last) > 0 else { return }
        let lengths = codes.map { code.rawLength($0) }
        var writer = BitWriter(capacity: count)
        lengths.withUnsafeBufferPointer { lengths in
            for index in 0..<count {
                let length = lengths[Int(symbols[index])]
                if length > 0 { writer.append(magnitudes[index] & BitPacking.mask(length), width: length) }
            }
        }
        writer.align()
        output.append(writer.buffer.bytes)
        output.appendZeros(EntropyIntegers.rawPadding)
    }

    // MARK: The format

    /// Appends the number of codes and their gaps as gamma codes.
    func write(into output: inout MutableBuffer) {
        output.append(UInt8(truncatingIfNeeded: codes.count - 1))
        var writer = BitWriter(capacity: codes.count)
        var previous = -1
        for code in codes {
            writer.append(gamma: UInt64(code - previous))
            previous = code
        }
        writer.align()
        output.append(writer.buffer.bytes)
    }

    init(_ reader: inout ByteReader, precision: Int) throws(MartletError) {
        let count = Int(try reader.byte()) + 1
        var bits = BitReader(reader.rest)
        let code = BucketCode(precision: precision)
        var codes: [Int] = []
        codes.reserveCapacity(count)
        var last = -1
        for _ in 0..<count {
            last += Int(try bits.gamma())
            guard last < BucketCode.codeLimit && code.isSupported(last) else {
                throw corrupt("a bucket code of \(last)")
            }
            codes.append(last)
        }
        _ = try reader.take(bits.byteCount)
        self.init(code: code, codes: codes)
    }
}
