/// Sum and extremes of numbers, with enough accumulators that the additions do not wait for each other.
enum NumericSummary {
    struct Floats {
        private(set) var sum = 0.0
        private(set) var low = Double.infinity
        private(set) var high = -Double.infinity
        private(set) var hasNaN = false

        mutating func add(_ value: Double) {
            sum += value
            if value < low { low = value }
            if value > high { high = value }
            if value.isNaN { hasNaN = true }
        }

        mutating func add(_ values: UnsafePointer<Double>, _ count: Int) {
            var sums = (SIMD4<Double>(repeating: 0), SIMD4<Double>(repeating: 0))
            var lows = SIMD4<Double>(repeating: low)
            var highs = SIMD4<Double>(repeating: high)
            let words = UnsafeRawPointer(values)
            var index = 0
            while index &+ 8 <= count {
                let a = words.loadUnaligned(fromByteOffset: index &* 8, as: SIMD4<Double>.self)
                let b = words.loadUnaligned(fromByteOffset: index &* 8 &+ 32, as: SIMD4<Double>.self)
                sums.0 += a
                sums.1 += b
                // A comparison with a NaN is false, so NaNs never replace anything.
                lows.replace(with: a, where: a .< lows)
                lows.replace(with: b, where: b .< lows)
                highs.replace(with: a, where: a .> highs)
                highs.replace(with: b, where: b .> highs)
                index &+= 8
            }
            let both = sums.0 + sums.1
            sum += (both[0] + both[1]) + (both[2] + both[3])
            for lane in 0..<4 {
                if lows[lane] < low { low = lows[lane] }
                if highs[lane] > high { high = highs[lane] }
            }
            let seen = index
            while index < count {
                add(values[index])
                index &+= 1
            }
            // A NaN among the values makes the sum NaN, so only then is it worth looking.
            if sum.isNaN && !hasNaN {
                for place in 0..<seen where values[place].isNaN { hasNaN = true }
            }
        }
    }

    struct Integers<Value: FixedWidthInteger> {
        /// The exact sum.
        private(set) var sum: Int128 = 0
        private(set) var low = Value.max
        private(set) var high = Value.min

        @inline(__always) mutating func add(_ value: Value) {
            sum += Int128(truncatingIfNeeded: value)
            low = Swift.min(low, value)
            high = Swift.max(high, value)
        }

        @inline(__always) mutating func add(_ values: UnsafePointer<Value>, _ count: Int) {
            var low = low
            var high = high
            var upper: Int64 = 0
            var lower: UInt64 = 0
            var done = 0
            while done < count {
                // Halves of 32 bits sum without overflow over 2^31 values.
                let stop = Swift.min(count, done &+ 1 << 30)
                for index in done..<stop {
                    let value = values[index]
                    low = Swift.min(low, value)
                    high = Swift.max(high, value)
                    upper &+= Int64(truncatingIfNeeded: value &>> 32)
                    lower &+= UInt64(truncatingIfNeeded: value & 0xffff_ffff)
                }
                sum += Int128(upper) << 32 + Int128(lower)
                upper = 0
                lower = 0
                done = stop
            }
            self.low = low
            self.high = high
        }
    }
}
