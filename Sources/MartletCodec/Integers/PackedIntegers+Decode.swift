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
        private let vectors: [Vector]

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

        /// Writes the values of `range` to `output`; decodes only the vectors that overlap it.
        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
            guard !range.isEmpty else { return }
            let residuals = Scratch<UInt64>(count: vectorLength)
            for vector in (range.lowerBound / vectorLength)...((range.upperBound - 1) / vectorLength) {
                let start = vector * vectorLength
                let length = min(vectorLength, count - start)
                try unpack(vectors[vector], length, into: residuals.pointer)
                restore(vectors[vector].base, length, residuals.pointer)
                let from = max(range.lowerBound, start)
                let to = min(range.upperBound, start + length)
                UnsafeMutableRawPointer(output + (from - range.lowerBound)).copyMemory(
                    from: residuals.pointer + (from - start), byteCount: (to - from) * 8)
            }
        }

        /// Writes the patched residuals of one vector.
        private func unpack(
            _ vector: Vector, _ length: Int, into residuals: UnsafeMutablePointer<UInt64>
        ) throws(MartletError) {
            let width = vector.cut.width
            if length < vectorLength {
                BitPacking.unpackSequence(vector.payload, count: length, width: width, into: residuals)
            } else if width > 32 {
                BitPacking.unpackVector64(vector.payload, width: width, into: residuals)
            } else {
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: vectorLength) { narrow in
                    let narrow = narrow.baseAddress!
                    BitPacking.unpackVector32(vector.payload, width: width, into: narrow)
                    for index in 0..<vectorLength { residuals[index] = UInt64(narrow[index]) }
                }
            }
            guard vector.cut.hasPatches else { return }
            let positions = vector.payload + BitPacking.byteCount(length, width: width)
            let highs = positions + (vector.cut.patches * 10 + 7) >> 3
            for patch in 0..<vector.cut.patches {
                let position = Int(BitPacking.bits(positions, at: patch * 10, width: 10))
                guard position < length else { throw corrupt("a patch at \(position) of a vector of \(length)") }
                let high = BitPacking.bits(highs, at: patch * vector.cut.highWidth, width: vector.cut.highWidth)
                residuals[position] |= high &<< UInt64(width)
            }
        }

        /// Turns residuals into values in place.
        private func restore(_ base: UInt64, _ length: Int, _ values: UnsafeMutablePointer<UInt64>) {
            let low = UInt64(bitPattern: low)
            var sum = base
            switch mode {
            case .reference:
                for index in 0..<length { values[index] = low &+ divisor &* (base &+ values[index]) }
            case .delta:
                let step = UInt64(bitPattern: step)
                values[0] = low &+ divisor &* sum
                for index in 1..<max(length, 1) {
                    sum = sum &+ step &+ UInt64(bitPattern: ZigZag.decode(values[index]))
                    values[index] = low &+ divisor &* sum
                }
            case .deltaOfDelta:
                var difference = UInt64(bitPattern: step)
                values[0] = low &+ divisor &* sum
                for index in 1..<max(length, 1) {
                    difference = difference &+ UInt64(bitPattern: ZigZag.decode(values[index]))
                    sum = sum &+ difference
                    values[index] = low &+ divisor &* sum
                }
            }
        }
    }
}
