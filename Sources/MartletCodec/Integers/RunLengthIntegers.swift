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
            heads.withUnsafeBufferPointer { expand($0, range, into: output) }
        }

        /// The values of `range`, below 2^51 in magnitude, divided by `power`: one division a run.
        func decode(_ range: Range<Int>, power: Double, into output: UnsafeMutablePointer<Double>) {
            let divided = Scratch<Double>(count: heads.count)
            for run in 0..<heads.count { divided.pointer[run] = Double(heads[run]) / power }
            expand(UnsafeBufferPointer(start: divided.pointer, count: heads.count), range, into: output)
        }

        /// Writes each run's head as often as its length says, `range.count` elements in all.
        ///
        /// Runs are short more often than not, so a head is stored eight at a time, past the end of its run: the next one
        /// overwrites what is too much. Only where that would leave the output is the rest written exactly.
        private func expand<T: SIMDScalar>(
            _ heads: UnsafeBufferPointer<T>, _ range: Range<Int>, into output: UnsafeMutablePointer<T>
        ) {
            var run = 0
            var end = 0
            while run < lengths.count && end + Int(lengths[run]) <= range.lowerBound {
                end += Int(lengths[run])
                run += 1
            }
            let memory = UnsafeMutableRawPointer(output)
            let total = range.count
            let stride = MemoryLayout<T>.stride
            var place = 0
            while place < total {
                end += Int(lengths[run])
                let stop = min(end &- range.lowerBound, total)
                if stop &+ 7 <= total {
                    let eight = SIMD8(repeating: heads[run])
                    while place < stop {
                        memory.storeBytes(of: eight, toByteOffset: place &* stride, as: SIMD8<T>.self)
                        place &+= 8
                    }
                    place = stop
                } else {
                    (output + place).update(repeating: heads[run], count: stop - place)
                    place = stop
                }
                run &+= 1
            }
        }
    }
}
