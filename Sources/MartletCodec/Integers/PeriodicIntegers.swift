import MartletModel

/// A pattern that repeats: the period and a stream of its values. Series that were scraped together, stored one after
/// the other, repeat their timestamps.
enum PeriodicIntegers {
    /// The period of the values, or `nil`. O(n).
    static func period(_ values: UnsafePointer<Int64>, _ count: Int) -> Int? {
        // A period starts over, so it holds a fall; the value before the first fall is that before every period's end.
        var fall = 1
        while fall < count && values[fall] >= values[fall - 1] { fall += 1 }
        guard fall < count else { return nil }
        // Within one series of timestamps no value comes twice, so the first return of the first value decides; a few
        // more tries serve other data, and their number bounds the cost.
        let first = values[0]
        var tries = 4
        var candidate = fall
        while candidate + 16 <= count && tries > 0 {
            if values[candidate] == first {
                if repeats(values, count, candidate) { return candidate }
                tries -= 1
            }
            candidate += 1
        }
        return nil
    }

    private static func repeats(_ values: UnsafePointer<Int64>, _ count: Int, _ period: Int) -> Bool {
        var index = period
        while index < count {
            let stop = min(index &+ 64, count)
            var difference: Int64 = 0
            while index < stop {
                difference |= values[index] ^ values[index &- period]
                index &+= 1
            }
            if difference != 0 { return false }
        }
        return true
    }

    static func encode(
        _ values: UnsafePointer<Int64>, period: Int, effort: Effort, trying attempts: IntegerStream.Attempts,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        output.append(varint: UInt64(period))
        try IntegerStream.encode(
            values, count: period, effort: effort, trying: attempts.subtracting(.periodic), into: &output)
    }

    struct Decoder {
        private let pattern: [Int64]

        init(_ reader: inout ByteReader, count: Int, depth: Int) throws(MartletError) {
            let period = try reader.count(upTo: count, "a period")
            guard period > 0 else { throw corrupt("a period of no values") }
            pattern = try IntegerStream.array(reader.rest, count: period, depth: depth + 1)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) {
            pattern.withUnsafeBufferPointer { pattern in
                guard let base = pattern.baseAddress else { return }
                var index = range.lowerBound
                while index < range.upperBound {
                    let phase = index % pattern.count
                    let taken = min(pattern.count - phase, range.upperBound - index)
                    (output + (index - range.lowerBound)).update(from: base + phase, count: taken)
                    index += taken
                }
            }
        }
    }
}
