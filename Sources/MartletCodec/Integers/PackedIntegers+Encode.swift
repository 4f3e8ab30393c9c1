import MartletModel

extension PackedIntegers {
    /// Appends the encoding of `count > 0` values.
    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) {
        let scaled = Scratch<UInt64>(count: count)
        let scale = Scale.measure(values, count: count, into: scaled.pointer)
        let residuals = Scratch<UInt64>(count: vectorLength)
        let choice = choose(scaled.pointer, count: count, effort: effort, scratch: residuals.pointer)

        let vectors = (count + vectorLength - 1) / vectorLength
        var cuts: [Cut] = []
        cuts.reserveCapacity(vectors)
        var bases: [UInt64] = []
        bases.reserveCapacity(vectors)
        var payload = MutableBuffer(capacity: count)
        for vector in 0..<vectors {
            let start = vector * vectorLength
            let length = min(vectorLength, count - start)
            let base = residualsOf(
                scaled.pointer + start, length, mode: choice.mode, step: choice.step, into: residuals.pointer)
            let cut = measure(residuals.pointer, length)
            append(residuals.pointer, length, cut, to: &payload)
            cuts.append(cut)
            bases.append(base)
        }
        writeHead(scale, choice, cuts, bases, into: &output)
        output.append(payload.bytes)
    }

    private static func writeHead(
        _ scale: Scale, _ choice: (mode: Mode, step: Int64), _ cuts: [Cut], _ bases: [UInt64],
        into output: inout MutableBuffer
    ) {
        let baseLow = bases.min() ?? 0
        let baseWidth = (BitPacking.bitLength((bases.max() ?? 0) - baseLow) + 7) / 8
        output.append(choice.mode.rawValue | UInt8(baseWidth) << 4)
        output.append(varint: scale.divisor)
        output.append(signedVarint: scale.low)
        output.append(varint: baseLow)
        if choice.mode != .reference { output.append(signedVarint: choice.step) }
        for cut in cuts {
            output.append(UInt8(cut.width) | (cut.hasPatches ? 0x80 : 0))
            if cut.hasPatches {
                output.append(varint: UInt64(cut.patches))
                output.append(UInt8(cut.highWidth))
            }
        }
        for base in bases {
            withUnsafeBytes(of: (base - baseLow).littleEndian) { bytes in
                output.append(UnsafeRawBufferPointer(rebasing: bytes[0..<baseWidth]))
            }
        }
    }

    /// Writes one vector's residuals and returns its base.
    static func residualsOf(
        _ values: UnsafePointer<UInt64>, _ count: Int, mode: Mode, step: Int64,
        into residuals: UnsafeMutablePointer<UInt64>
    ) -> UInt64 {
        switch mode {
        case .reference:
            var low = values[0]
            for index in 1..<max(count, 1) { low = min(low, values[index]) }
            for index in 0..<count { residuals[index] = values[index] &- low }
            return low
        case .delta:
            residuals[0] = 0
            let step = UInt64(bitPattern: step)
            for index in 1..<max(count, 1) {
                residuals[index] = ZigZag.encode(
                    Int64(bitPattern: values[index] &- values[index &- 1] &- step))
            }
            return values[0]
        case .deltaOfDelta:
            residuals[0] = 0
            var previous = UInt64(bitPattern: step)
            for index in 1..<max(count, 1) {
                let difference = values[index] &- values[index &- 1]
                residuals[index] = ZigZag.encode(Int64(bitPattern: difference &- previous))
                previous = difference
            }
            return values[0]
        }
    }

    /// The best cut of a vector's residuals.
    static func measure(_ residuals: UnsafePointer<UInt64>, _ count: Int) -> Cut {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 65) { histogram in
            histogram.update(repeating: 0)
            Kernels.bitLengths(residuals, count, into: histogram.baseAddress!)
            return Cut.best(histogram: histogram.baseAddress!, count: count)
        }
    }

    private static func append(
        _ residuals: UnsafeMutablePointer<UInt64>, _ count: Int, _ cut: Cut, to payload: inout MutableBuffer
    ) {
        var start = payload.byteCount
        payload.appendZeros(cut.payload(count))
        if count == vectorLength {
            BitPacking.packVector(residuals, width: cut.width, into: payload.base + start)
        } else {
            BitPacking.packSequence(residuals, count: count, width: cut.width, into: payload.base + start)
        }
        guard cut.hasPatches else { return }
        start += BitPacking.byteCount(count, width: cut.width)
        // Every residual is written and only those with high bits are kept: no branch on the data. The last one that is
        // not kept lands in the one place beyond the patches.
        let positions = Scratch<UInt64>(count: cut.patches + 1)
        let highs = Scratch<UInt64>(count: cut.patches + 1)
        var found = 0
        for index in 0..<count {
            let high = residuals[index] &>> UInt64(cut.width)
            positions.pointer[found] = UInt64(truncatingIfNeeded: index)
            highs.pointer[found] = high
            found &+= high == 0 ? 0 : 1
        }
        BitPacking.packSequence(positions.pointer, count: found, width: 10, into: payload.base + start)
        start += (found * 10 + 7) >> 3
        BitPacking.packSequence(highs.pointer, count: found, width: cut.highWidth, into: payload.base + start)
    }

    /// Picks mode and step from the first, the middle and the last vector.
    private static func choose(
        _ values: UnsafePointer<UInt64>, count: Int, effort: Effort, scratch: UnsafeMutablePointer<UInt64>
    ) -> (mode: Mode, step: Int64) {
        let vectors = (count + vectorLength - 1) / vectorLength
        let samples = vectors <= 3 ? Array(0..<vectors) : [0, vectors / 2, vectors - 2]
        let median = medianStep(values, count: count)
        var best: (mode: Mode, step: Int64) = (.reference, 0)
        var bestCost = Int.max
        var candidates: [(mode: Mode, step: Int64)] = [(.reference, 0), (.delta, 0)]
        if median != 0 { candidates.append((.delta, median)) }
        candidates.append((.deltaOfDelta, median))
        for candidate in candidates {
            var cost = 0
            for vector in samples {
                let start = vector * vectorLength
                let length = min(vectorLength, count - start)
                _ = residualsOf(
                    values + start, length, mode: candidate.mode, step: candidate.step, into: scratch)
                cost += measure(scratch, length).payload(length)
            }
            // The double running sum of second differences has no fast kernel.
            if candidate.mode == .deltaOfDelta && effort != .cold { cost += cost / 4 }
            if cost < bestCost {
                bestCost = cost
                best = candidate
            }
        }
        return best
    }

    /// The median of up to 63 differences spread over the values.
    static func medianStep(_ values: UnsafePointer<UInt64>, count: Int) -> Int64 {
        guard count > 1 else { return 0 }
        let taken = min(63, count - 1)
        var steps: [Int64] = []
        steps.reserveCapacity(taken)
        for sample in 0..<taken {
            let index = 1 + sample * (count - 1) / taken
            steps.append(Int64(bitPattern: values[index] &- values[index - 1]))
        }
        steps.sort()
        return steps[taken / 2]
    }

    /// The affine map `x = low + divisor * y` that makes the values small and not negative.
    struct Scale {
        var low: Int64
        var divisor: UInt64

        /// Finds the map and writes the mapped values.
        static func measure(
            _ values: UnsafePointer<Int64>, count: Int, into output: UnsafeMutablePointer<UInt64>
        ) -> Scale {
            var low = values[0]
            for index in 1..<max(count, 1) { low = min(low, values[index]) }
            for index in 0..<count { output[index] = UInt64(bitPattern: values[index] &- low) }
            var divisor: UInt64 = 0
            let stride = max(1, count / 64)
            for index in Swift.stride(from: 0, to: count, by: stride) {
                divisor = greatestCommonDivisor(divisor, output[index])
            }
            while divisor > 1 {
                guard let offender = divide(output, count, by: divisor) else { break }
                divisor = greatestCommonDivisor(divisor, output[offender])
            }
            return Scale(low: low, divisor: max(divisor, 1))
        }

        /// Divides all values by `divisor`, or returns the index of one that does not divide and changes none.
        ///
        /// Division of multiples by multiplication with the inverse modulo 2^64 (Granlund and Montgomery, 1994): the
        /// rotated product is at most `max / divisor` if and only if the division is exact.
        private static func divide(
            _ values: UnsafeMutablePointer<UInt64>, _ count: Int, by divisor: UInt64
        ) -> Int? {
            let zeros = UInt64(divisor.trailingZeroBitCount)
            let odd = divisor >> zeros
            var inverse = odd
            for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
            let limit = UInt64.max / divisor
            @inline(__always) func quotient(_ value: UInt64) -> UInt64 {
                let product = value &* inverse
                return (product &>> zeros) | (product &<< ((64 &- zeros) & 63)) & (zeros == 0 ? 0 : .max)
            }
            for index in 0..<count where quotient(values[index]) > limit { return index }
            for index in 0..<count { values[index] = quotient(values[index]) }
            return nil
        }

        private static func greatestCommonDivisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
            var a = a
            var b = b
            while b != 0 { (a, b) = (b, a % b) }
            return a
        }
    }
}
