import MartletModel

/// Few distinct integers: their number, a section of the values, most frequent first, and a stream of indices. Rare
/// values have large indices, which the patches of the packing take.
enum DictionaryIntegers {
    /// The distinct values of a column and each value's index, if there are at most `limit`.
    struct Table: ~Copyable {
        let values: Scratch<Int64>
        let indices: Scratch<Int64>
        var count = 0

        /// `nil` when more than `limit` values are distinct.
        init?(_ input: UnsafePointer<Int64>, count total: Int, limit: Int) {
            values = Scratch(count: limit)
            indices = Scratch(count: total)
            let capacity = 1 << (BitPacking.bitLength(UInt64(limit)) + 1)
            let slots = Scratch<Int32>(count: capacity)
            slots.pointer.update(repeating: -1, count: capacity)
            let frequencies = Scratch<Int32>(count: limit)
            let shift = UInt64(64 - BitPacking.bitLength(UInt64(capacity - 1)))
            for index in 0..<total {
                let value = input[index]
                var slot = Int(truncatingIfNeeded: (UInt64(bitPattern: value) &* 0x9e37_79b9_7f4a_7c15) &>> shift)
                while true {
                    let place = Int(slots.pointer[slot])
                    if place >= 0 && values.pointer[place] == value {
                        frequencies.pointer[place] &+= 1
                        indices.pointer[index] = Int64(place)
                        break
                    }
                    if place < 0 {
                        guard self.count < limit else { return nil }
                        slots.pointer[slot] = Int32(self.count)
                        values.pointer[self.count] = value
                        frequencies.pointer[self.count] = 1
                        indices.pointer[index] = Int64(self.count)
                        self.count += 1
                        break
                    }
                    slot = (slot &+ 1) & (capacity &- 1)
                }
            }
            sortByFrequency(frequencies.pointer, total)
        }

        private func sortByFrequency(_ frequencies: UnsafePointer<Int32>, _ total: Int) {
            let order = (0..<count).sorted {
                (frequencies[$1], values.pointer[$0]) < (frequencies[$0], values.pointer[$1])
            }
            var places = [Int64](repeating: 0, count: count)
            let sorted = order.map { values.pointer[$0] }
            for (place, old) in order.enumerated() {
                places[old] = Int64(place)
                values.pointer[place] = sorted[place]
            }
            places.withUnsafeBufferPointer { places in
                for index in 0..<total { indices.pointer[index] = places[Int(indices.pointer[index])] }
            }
        }
    }

    /// Whether a sample suggests that few values are distinct, and far enough apart that numbering them helps.
    static func isPromising(_ values: UnsafePointer<Int64>, _ count: Int) -> Bool {
        guard count >= 64 else { return false }
        var sample: [Int64] = []
        for step in 0..<256 where step * count / 256 < count { sample.append(values[step * count / 256]) }
        sample.sort()
        let range = sample[sample.count - 1].subtractingReportingOverflow(sample[0])
        guard range.overflow || range.partialValue >= 16 * 4096 else { return false }
        var distinct = 1
        for index in 1..<sample.count where sample[index] != sample[index - 1] { distinct += 1 }
        return distinct <= sample.count * 3 / 4
    }

    static func encode(
        _ table: borrowing Table, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        output.append(varint: UInt64(table.count))
        var section = MutableBuffer(capacity: 64)
        try IntegerStream.encode(
            table.values.pointer, count: table.count, effort: effort, trying: [], into: &section)
        output.append(stream: section)
        try IntegerStream.encode(table.indices.pointer, count: count, effort: effort, trying: .entropy, into: &output)
    }

    struct Decoder {
        private let values: [Int64]
        let indices: IntegerDecoder

        init(_ reader: inout ByteReader, count: Int, depth: Int) throws(MartletError) {
            let entries = try reader.count(upTo: count, "the size of a dictionary")
            guard entries > 0 else { throw corrupt("a dictionary of no values") }
            values = try IntegerStream.array(try reader.stream(), count: entries, depth: depth + 1)
            indices = try IntegerDecoder(reader.rest, count: count, depth: depth + 1)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
            try indices.decode(range, into: output)
            let limit = UInt64(values.count)
            var wrong = false
            values.withUnsafeBufferPointer { values in
                for index in 0..<range.count {
                    let place = UInt64(bitPattern: output[index])
                    // Compared without a branch; an index out of range reads entry 0 and is reported below.
                    let inside = place < limit
                    wrong = wrong || !inside
                    output[index] = values[inside ? Int(place) : 0]
                }
            }
            if wrong { throw corrupt("an index beyond a dictionary of \(limit)") }
        }
    }
}
