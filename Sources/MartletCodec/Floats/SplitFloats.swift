import MartletModel

/// ALP-RD (Afroozeh and Boncz, SIGMOD 2023): doubles without structure share their upper bits. A cut at bit 48...63
/// leaves up to 16 upper bits, few of them distinct, and lower bits that are kept as they are.
///
/// Layout: the number of lower bits; a section with the stream of upper bits; the stream of lower bits. The upper bits
/// are a dictionary with the most frequent first, whose rare entries the packing patches.
enum SplitFloats {
    static func encode(
        _ values: UnsafePointer<Double>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        let cut = bestCut(values, count)
        let upper = Scratch<Int64>(count: count)
        let lower = Scratch<Int64>(count: count)
        let mask = BitPacking.mask(cut)
        for index in 0..<count {
            upper.pointer[index] = Int64(bitPattern: values[index].bitPattern &>> UInt64(cut))
            lower.pointer[index] = Int64(bitPattern: values[index].bitPattern & mask)
        }
        output.append(UInt8(cut))
        var section = MutableBuffer(capacity: count)
        try IntegerStream.encode(
            upper.pointer, count: count, effort: effort, trying: [.runs, .dictionary, .entropy],
            into: &section)
        output.append(stream: section)
        try IntegerStream.encode(lower.pointer, count: count, effort: effort, trying: [], into: &output)
    }

    /// The cut with the fewest bits for a sample: those below it, and three or, for all but the eight most frequent
    /// upper parts, thirty-two.
    private static func bestCut(_ values: UnsafePointer<Double>, _ count: Int) -> Int {
        let taken = min(256, count)
        var sample = (0..<taken).map { values[$0 * count / taken].bitPattern }
        sample.sort()
        var best = 48
        var bestCost = Int.max
        for cut in 48...63 {
            var frequencies: [Int] = []
            for (index, pattern) in sample.enumerated() {
                if index > 0 && pattern >> UInt64(cut) == sample[index - 1] >> UInt64(cut) {
                    frequencies[frequencies.count - 1] += 1
                } else {
                    frequencies.append(1)
                }
            }
            frequencies.sort(by: >)
            let cost = taken * (cut + 3) + frequencies.dropFirst(8).reduce(0, +) * 32
            if cost < bestCost {
                bestCost = cost
                best = cut
            }
        }
        return best
    }

    struct Decoder {
        private let cut: UInt64
        private let upper: IntegerDecoder
        private let lower: IntegerDecoder

        init(_ reader: inout ByteReader, count: Int) throws(MartletError) {
            let cut = try reader.byte()
            guard (48...63).contains(cut) else { throw corrupt("a cut of doubles at bit \(cut)") }
            self.cut = UInt64(cut)
            upper = try IntegerDecoder(try reader.stream(), count: count)
            lower = try IntegerDecoder(reader.rest, count: count, depth: 4)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
            let uppers = Scratch<Int64>(count: range.count)
            try upper.decode(range, into: uppers.pointer)
            try lower.decode(range, into: output)
            for index in 0..<range.count { output[index] |= uppers.pointer[index] &<< Int64(cut) }
        }
    }
}
