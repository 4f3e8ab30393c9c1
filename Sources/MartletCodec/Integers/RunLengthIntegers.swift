import MartletModel

/// Runs of equal integers: a count, a section of run lengths, and a stream of one value a run.
enum RunLengthIntegers {
    /// The number of runs. O(n), at memory speed.
    static func count(_ values: UnsafePointer<Int64>, _ count: Int) -> Int {
        var changes = 0
        for index in 1..<max(count, 1) {
            // The sign of d | -d tells whether d is not 0, without a branch on the data.
            let difference = UInt64(bitPattern: values[index] ^ values[index &- 1])
            changes &+= Int(truncatingIfNeeded: (difference | (0 &- difference)) &>> 63)
        }
        return count == 0 ? 0 : changes + 1
    }

    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, runs: Int, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        let lengths = Scratch<Int64>(count: runs)
        let heads = Scratch<Int64>(count: runs)
        var run = 0
        var start = 0
        for index in 1...count where index == count || values[index] != values[start] {
            lengths.pointer[run] = Int64(index - start)
            heads.pointer[run] = values[start]
            run += 1
            start = index
        }
        output.append(varint: UInt64(runs))
        var section = MutableBuffer(capacity: 64)
        try IntegerStream.encode(lengths.pointer, count: runs, effort: effort, trying: .entropy, into: &section)
        output.append(stream: section)
        try IntegerStream.encode(
            heads.pointer, count: runs, effort: effort, trying: [.dictionary, .entropy], into: &output)
    }

    struct Decoder {
        private let lengths: [Int64]
        private let heads: [Int64]

        init(_ reader: inout ByteReader, count: Int, depth: Int) throws(MartletError) {
            let runs = try reader.count(upTo: count, "the number of runs")
            lengths = try IntegerStream.array(try reader.stream(), count: runs, depth: depth + 1)
            heads = try IntegerStream.array(reader.rest, count: runs, depth: depth + 1)
            try IntegerStream.checkLengths(lengths, sum: count)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) {
            var position = 0
            for run in 0..<lengths.count {
                let end = position + Int(lengths[run])
                let from = max(position, range.lowerBound)
                let to = min(end, range.upperBound)
                if from < to { (output + (from - range.lowerBound)).update(repeating: heads[run], count: to - from) }
                position = end
                if position >= range.upperBound { return }
            }
        }
    }
}
