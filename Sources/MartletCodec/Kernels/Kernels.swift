import CMartletKernels

/// The loops that have a version for AVX2 in C beside the portable one; the choice is made at run time.
///
/// Invariants: vectors are of 1,024 elements, packed vectors of width `w` of `128 * w` readable bytes, and the callers
/// have checked both against the block's length; pointers do not overlap.
enum Kernels {
    #if arch(x86_64)
        /// Whether the kernels in C may be called.
        static let isAccelerated = martlet_has_avx2() != 0
    #endif

    /// Unpacks an interleaved vector of `width` 0...32 bits a number.
    @inline(__always)
    static func unpack32(_ input: UnsafeRawPointer, width: Int, into output: UnsafeMutablePointer<UInt32>) {
        #if arch(x86_64)
            if isAccelerated { return martlet_unpack32(input, UInt32(truncatingIfNeeded: width), output) }
        #endif
        BitPacking.unpackVector32(input, width: width, into: output)
    }

    /// `base + divisor * residual`, wrapping.
    @inline(__always)
    static func reference(
        _ residuals: UnsafePointer<UInt32>, base: UInt64, divisor: UInt64, into output: UnsafeMutablePointer<Int64>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_reference_i64(residuals, base, divisor, output) }
        #endif
        PortableKernels.reference(residuals, base: base, divisor: divisor, into: output)
    }

    /// `base + divisor * (running sum of steps and unzigzagged residuals)`, wrapping; the sums fit 32 bits.
    @inline(__always)
    static func delta(
        _ residuals: UnsafePointer<UInt32>, step: Int32, base: UInt64, divisor: UInt64,
        into output: UnsafeMutablePointer<Int64>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_delta_i64(residuals, step, base, divisor, output) }
        #endif
        PortableKernels.delta(residuals, step: step, base: base, divisor: divisor, into: output)
    }

    /// `reference` as doubles divided by `power`; everything before the division is an integer below 2^53.
    @inline(__always)
    static func reference(
        _ residuals: UnsafePointer<UInt32>, base: Double, divisor: Double, power: Double,
        into output: UnsafeMutablePointer<Double>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_reference_f64(residuals, base, divisor, power, output) }
        #endif
        PortableKernels.reference(residuals, base: base, divisor: divisor, power: power, into: output)
    }

    /// `delta` as doubles divided by `power`; everything before the division is an integer below 2^53.
    @inline(__always)
    static func delta(
        _ residuals: UnsafePointer<UInt32>, step: Int32, base: Double, divisor: Double, power: Double,
        into output: UnsafeMutablePointer<Double>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_delta_f64(residuals, step, base, divisor, power, output) }
        #endif
        PortableKernels.delta(residuals, step: step, base: base, divisor: divisor, power: power, into: output)
    }

    /// The sum of a vector of residuals.
    @inline(__always) static func sum(_ residuals: UnsafePointer<UInt32>) -> UInt64 {
        #if arch(x86_64)
            if isAccelerated { return martlet_sum_u32(residuals) }
        #endif
        return PortableKernels.sum(residuals)
    }

    /// The sum of the running sums of `delta`; residuals and step below 2^20.
    @inline(__always) static func sumOfDelta(_ residuals: UnsafePointer<UInt32>, step: Int32) -> Int64 {
        #if arch(x86_64)
            if isAccelerated { return martlet_sum_delta(residuals, step) }
        #endif
        return PortableKernels.sumOfDelta(residuals, step: step)
    }

    /// Integers below 2^51 in magnitude, as doubles divided by `power`.
    @inline(__always)
    static func divide(
        _ input: UnsafePointer<Int64>, _ count: Int, power: Double, into output: UnsafeMutablePointer<Double>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_divide(input, count, power, output) }
        #endif
        PortableKernels.divide(input, count, power: power, into: output)
    }

    /// The integers that divided by `power` give the doubles bit for bit; lists where there is none, and stops once
    /// the list is longer than `limit`. `exceptions` holds `limit + 4`.
    @inline(__always)
    static func decimal(
        _ input: UnsafePointer<Double>, _ count: Int, power: Double, into output: UnsafeMutablePointer<Int64>,
        exceptions: UnsafeMutablePointer<UInt32>, limit: Int
    ) -> Int {
        #if arch(x86_64)
            if isAccelerated { return martlet_decimal(input, count, power, output, exceptions, limit) }
        #endif
        return PortableKernels.decimal(
            input, count, power: power, into: output, exceptions: exceptions, limit: limit)
    }

    /// Adds the bit lengths of the residuals to a histogram of 65 counts.
    @inline(__always)
    static func bitLengths(
        _ residuals: UnsafePointer<UInt64>, _ count: Int, into histogram: UnsafeMutablePointer<UInt32>
    ) {
        #if arch(x86_64)
            if isAccelerated { return martlet_bit_lengths(residuals, count, histogram) }
        #endif
        PortableKernels.bitLengths(residuals, count, into: histogram)
    }

    /// The magnitudes of a vector of symbols, shifted left by `shift`. Symbols below `plain` stand for themselves.
    static func expand(
        _ symbols: UnsafePointer<UInt8>, _ entries: MagnitudeTable, plain: Int, shift: Int,
        raw: inout EntropyIntegers.RawBits, into output: UnsafeMutablePointer<UInt32>
    ) {
        #if arch(x86_64)
            if isAccelerated {
                raw.offset = martlet_expand32(
                    symbols, entries.entries, entries.longest, UInt32(truncatingIfNeeded: plain), raw.base, raw.offset,
                    raw.last, UInt32(truncatingIfNeeded: shift), output)
                return
            }
        #endif
        let count = BitPacking.vectorLength
        PortableKernels.expand(symbols, count, entries, raw: &raw, into: output)
        for index in 0..<count { output[index] = output[index] &<< UInt32(truncatingIfNeeded: shift) }
    }

    /// The magnitudes of any number of symbols.
    static func expand(
        _ symbols: UnsafePointer<UInt8>, _ count: Int, _ entries: MagnitudeTable,
        raw: inout EntropyIntegers.RawBits, into output: UnsafeMutablePointer<UInt64>
    ) {
        #if arch(x86_64)
            if isAccelerated {
                raw.offset = martlet_expand64(
                    symbols, count, entries.entries, entries.longest, raw.base, raw.offset, raw.last, output)
                return
            }
        #endif
        PortableKernels.expand(symbols, count, entries, raw: &raw, into: output)
    }

    /// The sum of a vector of zig-zag coded residuals.
    @inline(__always) static func total(_ residuals: UnsafePointer<UInt32>) -> Int64 {
        var sum: Int32 = 0
        for index in 0..<BitPacking.vectorLength {
            let value = residuals[index]
            sum = sum &+ Int32(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
        }
        return Int64(sum)
    }
}
