/// The portable twins of the kernels in C, on the same contracts; see `Kernels`.
enum PortableKernels {
    private static let length = BitPacking.vectorLength

    static func reference(
        _ residuals: UnsafePointer<UInt32>, base: UInt64, divisor: UInt64, into output: UnsafeMutablePointer<Int64>
    ) {
        for index in 0..<length {
            output[index] = Int64(bitPattern: base &+ divisor &* UInt64(residuals[index]))
        }
    }

    @inline(__always) private static func unzigzag(_ value: UInt32) -> Int32 {
        Int32(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
    }

    static func delta(
        _ residuals: UnsafePointer<UInt32>, step: Int32, base: UInt64, divisor: UInt64,
        into output: UnsafeMutablePointer<Int64>
    ) {
        var sum = 0 &- step
        for index in 0..<length {
            sum = sum &+ step &+ unzigzag(residuals[index])
            output[index] = Int64(bitPattern: base &+ divisor &* UInt64(bitPattern: Int64(sum)))
        }
    }

    static func reference(
        _ residuals: UnsafePointer<UInt32>, base: Double, divisor: Double, power: Double,
        into output: UnsafeMutablePointer<Double>
    ) {
        for index in 0..<length {
            output[index] = (base + divisor * Double(Int32(bitPattern: residuals[index]))) / power
        }
    }

    static func delta(
        _ residuals: UnsafePointer<UInt32>, step: Int32, base: Double, divisor: Double, power: Double,
        into output: UnsafeMutablePointer<Double>
    ) {
        var sum = 0 &- step
        for index in 0..<length {
            sum = sum &+ step &+ unzigzag(residuals[index])
            output[index] = (base + divisor * Double(sum)) / power
        }
    }

    static func sum(_ residuals: UnsafePointer<UInt32>) -> UInt64 {
        var total: UInt64 = 0
        for index in 0..<length { total &+= UInt64(residuals[index]) }
        return total
    }

    static func sumOfDelta(_ residuals: UnsafePointer<UInt32>, step: Int32) -> Int64 {
        var total: Int64 = 0
        var sum = 0 &- step
        for index in 0..<length {
            sum = sum &+ step &+ unzigzag(residuals[index])
            total &+= Int64(sum)
        }
        return total
    }

    static func divide(
        _ input: UnsafePointer<Int64>, _ count: Int, power: Double, into output: UnsafeMutablePointer<Double>
    ) {
        for index in 0..<count { output[index] = Double(input[index]) / power }
    }

    static func decimal(
        _ input: UnsafePointer<Double>, _ count: Int, power: Double, into output: UnsafeMutablePointer<Int64>,
        exceptions: UnsafeMutablePointer<UInt32>, limit: Int
    ) -> Int {
        // Adding and subtracting 2^52 + 2^51 rounds a number below 2^51 to the nearest integer, ties to even.
        let magic = 6755399441055744.0
        var found = 0
        for index in 0..<count {
            let value = input[index]
            let product = value * power
            let rounded = (product + magic) - magic
            if abs(product) <= 2_251_799_813_685_247 && (rounded / power).bitPattern == value.bitPattern {
                output[index] = Int64(rounded)
            } else {
                output[index] = 0
                exceptions[found] = UInt32(truncatingIfNeeded: index)
                found += 1
                if found > limit { break }
            }
        }
        return found
    }

    static func bitLengths(
        _ residuals: UnsafePointer<UInt64>, _ count: Int, into histogram: UnsafeMutablePointer<UInt32>
    ) {
        for index in 0..<count { histogram[BitPacking.bitLength(residuals[index])] &+= 1 }
    }

    static func expand<Output: FixedWidthInteger>(
        _ symbols: UnsafePointer<UInt8>, _ count: Int, _ table: MagnitudeTable,
        raw: inout EntropyIntegers.RawBits, into output: UnsafeMutablePointer<Output>
    ) {
        var offset = raw.offset
        let words = UnsafeRawPointer(raw.base)
        table.entries.withUnsafeBufferPointer { entries in
            for index in 0..<count {
                let entry = entries[Int(symbols[index])]
                let length = entry & 0xff
                let word = words.loadUnaligned(fromByteOffset: Int(min(offset >> 3, raw.last)), as: UInt64.self)
                let bits = (UInt64(littleEndian: word) &>> (offset & 7)) & ((1 &<< length) &- 1)
                output[index] = Output(truncatingIfNeeded: (entry &>> 8) &+ bits)
                offset &+= length
            }
        }
        raw.offset = offset
    }
}
