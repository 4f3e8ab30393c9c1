/// Integers in the order of floats: the pattern, with all bits but the sign inverted for negative numbers, as a signed
/// number. Neighbouring floats become neighbouring integers, so that differences are small where values are close.
enum FloatOrder {
    @inline(__always) private static func fold(_ pattern: Int64) -> Int64 { pattern ^ ((pattern &>> 63) & .max) }
    @inline(__always) private static func fold(_ pattern: Int32) -> Int32 { pattern ^ ((pattern &>> 31) & .max) }

    static func integer(_ value: Double) -> Int64 { fold(Int64(bitPattern: value.bitPattern)) }
    static func double(_ integer: Int64) -> Double { Double(bitPattern: UInt64(bitPattern: fold(integer))) }

    static func doubles(_ values: UnsafePointer<Double>, _ count: Int, into output: UnsafeMutablePointer<Int64>) {
        for index in 0..<count { output[index] = fold(Int64(bitPattern: values[index].bitPattern)) }
    }

    static func restoreDoubles(_ values: UnsafeMutablePointer<Int64>, _ count: Int) {
        for index in 0..<count { values[index] = fold(values[index]) }
    }

    /// The ordered patterns of singles, or `false` when some value is not a widened single. NaNs are none: widening
    /// may change their payload.
    static func singles(
        _ values: UnsafePointer<Double>, _ count: Int, into output: UnsafeMutablePointer<Int64>
    ) -> Bool {
        for index in 0..<count {
            let value = values[index]
            let single = Float(value)
            guard Double(single).bitPattern == value.bitPattern && !value.isNaN else { return false }
            output[index] = Int64(fold(Int32(bitPattern: single.bitPattern)))
        }
        return true
    }

    static func restoreSingles(_ values: UnsafeMutablePointer<Int64>, _ count: Int) {
        for index in 0..<count {
            let pattern = fold(Int32(truncatingIfNeeded: values[index]))
            values[index] = Int64(bitPattern: Double(Float(bitPattern: UInt32(bitPattern: pattern))).bitPattern)
        }
    }
}
