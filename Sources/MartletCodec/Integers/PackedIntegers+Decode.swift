import MartletModel

extension PackedIntegers {
    /// The parsed head of a packed stream.
    ///
    /// Invariant: every vector's payload lies inside the bytes that were given; checked when the head is read.
    struct Decoder {
        let mode: Mode
        let divisor: UInt64
        let low: Int64
        let step: Int64
        let count: Int
        /// One entry a vector.
        let vectors: [Vector]

        struct Vector {
            var cut: Cut
            var base: UInt64
            var payload: UnsafeRawPointer
        }

        init(_ bytes: UnsafeRawBufferPointer, count: Int) throws(MartletError) {
            var reader = ByteReader(bytes)
            let modes = try reader.byte()
            guard let mode = Mode(rawValue: modes & 15), modes >> 4 <= 8 else {
                throw corrupt("unknown packing mode \(modes)")
            }
            let baseWidth = Int(modes >> 4)
            self.mode = mode
            self.count = count
            divisor = try reader.varint()
            low = try reader.signedVarint()
            let baseLow = try reader.varint()
            step = mode == .reference ? 0 : try reader.signedVarint()
            let vectorCount = (count + vectorLength - 1) / vectorLength
            var vectors: [Vector] = []
            vectors.reserveCapacity(vectorCount)
            for vector in 0..<vectorCount {
                let length = min(vectorLength, count - vector * vectorLength)
                let cut = try Self.readCut(&reader, length)
                vectors.append(Vector(cut: cut, base: 0, payload: reader.end))
            }
            for vector in 0..<vectorCount {
                let bytes = try reader.take(baseWidth)
                var base: UInt64 = 0
                for index in 0..<baseWidth { base |= UInt64(bytes[index]) << UInt64(8 * index) }
                vectors[vector].base = baseLow &+ base
            }
            for vector in 0..<vectorCount {
                let length = min(vectorLength, count - vector * vectorLength)
                let payload = try reader.take(vectors[vector].cut.payload(length))
                vectors[vector].payload = payload.baseAddress ?? reader.end
            }
            self.vectors = vectors
        }

        private static func readCut(_ reader: inout ByteReader, _ length: Int) throws(MartletError) -> Cut {
            let head = try reader.byte()
            var cut = Cut(width: Int(head & 0x7f))
            guard cut.width <= 64 else { throw corrupt("a vector of \(cut.width) bits") }
            if head & 0x80 != 0 {
                cut.patches = try reader.count(upTo: length, "a vector's patch count")
                cut.highWidth = Int(try reader.byte())
                guard cut.patches > 0 && cut.highWidth > 0 && cut.width + cut.highWidth <= 64 else {
                    throw corrupt("a vector of \(cut.width) bits patched by \(cut.highWidth)")
                }
            }
            return cut
        }

        /// Where the values go.
        enum Target {
            case integers(UnsafeMutablePointer<Int64>)
            /// As doubles, divided by `power`; the integers are below 2^51 in magnitude.
            case doubles(UnsafeMutablePointer<Double>, power: Double)
        }

        /// Writes the values of `range` to the target; decodes only the vectors that overlap it.
        func decode(_ range: Range<Int>, to target: Target) throws(MartletError) {
            guard !range.isEmpty else { return }
            let work = Work()
            for vector in (range.lowerBound / vectorLength)...((range.upperBound - 1) / vectorLength) {
                let start = vector * vectorLength
                let length = min(vectorLength, count - start)
                let from = max(range.lowerBound, start)
                let to = min(range.upperBound, start + length)
                if to - from == length {
                    let place = start - range.lowerBound
                    switch target {
                    case .integers(let output): try decode(vector, length, work, to: .integers(output + place))
                    case .doubles(let output, let power):
                        try decode(vector, length, work, to: .doubles(output + place, power: power))
                    }
                    continue
                }
                let output: UnsafeMutableRawPointer
                switch target {
                case .integers(let base):
                    try decode(vector, length, work, to: .integers(work.integers.pointer))
                    output = UnsafeMutableRawPointer(base + (from - range.lowerBound))
                case .doubles(let base, let power):
                    let doubles = UnsafeMutableRawPointer(work.integers.pointer).assumingMemoryBound(to: Double.self)
                    try decode(vector, length, work, to: .doubles(doubles, power: power))
                    output = UnsafeMutableRawPointer(base + (from - range.lowerBound))
                }
                output.copyMemory(from: work.integers.pointer + (from - start), byteCount: (to - from) * 8)
            }
        }

        /// Memory for one vector at each stage.
        struct Work: ~Copyable {
            let narrow = Scratch<UInt32>(count: vectorLength)
            let wide = Scratch<UInt64>(count: vectorLength)
            let integers = Scratch<Int64>(count: vectorLength)
            let positions = Scratch<UInt64>(count: vectorLength)
            let highs = Scratch<UInt64>(count: vectorLength)
        }

        /// Reads a vector's patches into `work`.
        private func readPatches(_ cut: Cut, _ payload: UnsafeRawPointer, _ length: Int, _ work: borrowing Work) {
            let positions = payload + BitPacking.byteCount(length, width: cut.width)
            let highs = positions + (cut.patches * 10 + 7) >> 3
            BitPacking.unpackSequence(positions, count: cut.patches, width: 10, into: work.positions.pointer)
            BitPacking.unpackSequence(highs, count: cut.patches, width: cut.highWidth, into: work.highs.pointer)
        }

        /// Whether a vector's residuals and sums fit the kernels of 32 bits.
        @inline(__always) func isNarrow(_ vector: Vector, _ length: Int) -> Bool {
            let bits = vector.cut.width + vector.cut.highWidth
            switch mode {
            case .reference: return length == vectorLength && bits <= 31
            case .delta: return length == vectorLength && bits <= 20 && abs(step) < 1 << 20
            case .deltaOfDelta: return false
            }
        }

        private func decode(_ index: Int, _ length: Int, _ work: borrowing Work, to target: Target) throws(MartletError)
        {
            let vector = vectors[index]
            guard isNarrow(vector, length) else {
                try unpack(vector, length, work, into: work.wide.pointer)
                switch target {
                case .integers(let output): restore(vector.base, length, work.wide.pointer, into: output)
                case .doubles(let output, let power):
                    // The doubles may go to `work.integers` itself; the division reads each element before it writes.
                    let integers = UnsafeMutableRawPointer(output).assumingMemoryBound(to: Int64.self)
                    restore(vector.base, length, work.wide.pointer, into: integers)
                    Kernels.divide(integers, length, power: power, into: output)
                }
                return
            }
            let residuals = work.narrow.pointer
            unpack(vector, work, into: residuals)
            let base = UInt64(bitPattern: low) &+ divisor &* vector.base
            switch (target, mode) {
            case (.integers(let output), .reference):
                Kernels.reference(residuals, base: base, divisor: divisor, into: output)
            case (.integers(let output), _):
                Kernels.delta(
                    residuals, step: Int32(truncatingIfNeeded: step), base: base, divisor: divisor, into: output)
            case (.doubles(let output, let power), .reference):
                Kernels.reference(
                    residuals, base: Double(Int64(bitPattern: base)), divisor: Double(divisor), power: power,
                    into: output)
            case (.doubles(let output, let power), _):
                Kernels.delta(
                    residuals, step: Int32(truncatingIfNeeded: step), base: Double(Int64(bitPattern: base)),
                    divisor: Double(divisor), power: power, into: output)
            }
        }

        /// Writes the patched residuals of one whole vector of at most 32 bits.
        func unpack(_ vector: Vector, _ work: borrowing Work, into residuals: UnsafeMutablePointer<UInt32>) {
            let cut = vector.cut
            Kernels.unpack32(vector.payload, width: cut.width, into: residuals)
            guard cut.hasPatches else { return }
            readPatches(cut, vector.payload, vectorLength, work)
            for patch in 0..<cut.patches {
                // Ten bits are below 1,024.
                residuals[Int(work.positions.pointer[patch])] |=
                    UInt32(truncatingIfNeeded: work.highs.pointer[patch]) &<< UInt32(truncatingIfNeeded: cut.width)
            }
        }

        /// Writes the patched residuals of any vector.
        private func unpack(
            _ vector: Vector, _ length: Int, _ work: borrowing Work,
            into residuals: UnsafeMutablePointer<UInt64>
        ) throws(MartletError) {
            let cut = vector.cut
            if length < vectorLength {
                BitPacking.unpackSequence(vector.payload, count: length, width: cut.width, into: residuals)
            } else if cut.width > 32 {
                BitPacking.unpackVector64(vector.payload, width: cut.width, into: residuals)
            } else {
                Kernels.unpack32(vector.payload, width: cut.width, into: work.narrow.pointer)
                for index in 0..<vectorLength { residuals[index] = UInt64(work.narrow.pointer[index]) }
            }
            guard cut.hasPatches else { return }
            readPatches(cut, vector.payload, length, work)
            for patch in 0..<cut.patches {
                let position = Int(work.positions.pointer[patch])
                guard position < length else { throw corrupt("a patch at \(position) of a vector of \(length)") }
                residuals[position] |= work.highs.pointer[patch] &<< UInt64(cut.width)
            }
        }

        /// Turns residuals into values.
        private func restore(
            _ base: UInt64, _ length: Int, _ residuals: UnsafePointer<UInt64>, into values: UnsafeMutablePointer<Int64>
        ) {
            let low = UInt64(bitPattern: low)
            let divisor = divisor
            var sum = base
            switch mode {
            case .reference:
                for index in 0..<length {
                    values[index] = Int64(bitPattern: low &+ divisor &* (base &+ residuals[index]))
                }
            case .delta:
                let step = UInt64(bitPattern: step)
                values[0] = Int64(bitPattern: low &+ divisor &* sum)
                for index in 1..<max(length, 1) {
                    sum = sum &+ step &+ UInt64(bitPattern: ZigZag.decode(residuals[index]))
                    values[index] = Int64(bitPattern: low &+ divisor &* sum)
                }
            case .deltaOfDelta:
                var difference = UInt64(bitPattern: step)
                values[0] = Int64(bitPattern: low &+ divisor &* sum)
                for index in 1..<max(length, 1) {
                    difference = difference &+ UInt64(bitPattern: ZigZag.decode(residuals[index]))
                    sum = sum &+ difference
                    values[index] = Int64(bitPattern: low &+ divisor &* sum)
                }
            }
        }
    }
}
