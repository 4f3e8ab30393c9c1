/// Exact conversion of decimal numbers to binary64.
enum DecimalConversion {
    /// Powers of ten that binary64 holds exactly.
    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
    /// Powers of five that 64 bits hold.
    private static let powersOfFive: [UInt64] = {
        var powers: [UInt64] = [1]
        for _ in 1...27 { powers.append(powers.last! * 5) }
        return powers
    }()

    /// `digits * 10^exponent`, correctly rounded, or `nil` where it takes more than 128-bit arithmetic.
    static func convert(_ digits: UInt64, exponent: Int) -> Double? {
        if digits == 0 { return 0 }
        if digits <= 1 << 53 && exponent >= -22 && exponent <= 22 {
            // Both operands are exact, so the one rounding of the operation is the right one (W. Clinger, "How to
            // read floating point numbers accurately", PLDI 1990).
            let number = Double(digits)
            return exponent < 0 ? number / exactPowers[-exponent] : number * exactPowers[exponent]
        }
        if exponent < -27 || exponent > 27 { return nil }
        return exponent < 0 ? quotient(digits, -exponent) : product(digits, exponent)
    }

    /// `digits / 10^exponent`: the quotient to 63 bits or more, and whether a remainder is left, decide the rounding.
    private static func quotient(_ digits: UInt64, _ exponent: Int) -> Double {
        let divisor = powersOfFive[exponent]
        let digitShift = digits.leadingZeroBitCount
        let divisorShift = divisor.leadingZeroBitCount
        let numerator = digits << UInt64(digitShift)
        let (quotient, remainder) = (divisor << UInt64(divisorShift)).dividingFullWidth(
            (numerator >> 1, numerator << 63))
        return rounded(quotient, sticky: remainder != 0, exponent: divisorShift - digitShift - 63 - exponent)
    }

    private static func product(_ digits: UInt64, _ exponent: Int) -> Double {
        let (high, low) = digits.multipliedFullWidth(by: powersOfFive[exponent])
        if high == 0 { return Double(low) * powerOfTwo(exponent) }
        let shift = UInt64(high.leadingZeroBitCount)
        let top = shift == 0 ? high : high << shift | low >> (64 - shift)
        return rounded(top, sticky: low << shift != 0, exponent: 64 - Int(shift) + exponent)
    }

    /// `(bits + something below one if sticky) * 2^exponent`, ties to even; `bits` has 63 or 64 significant bits and
    /// the result is a normal number.
    private static func rounded(_ bits: UInt64, sticky: Bool, exponent: Int) -> Double {
        let drop = UInt64(64 - bits.leadingZeroBitCount - 53)
        var significand = bits >> drop
        let rest = bits & (1 << drop - 1)
        let half: UInt64 = 1 << (drop - 1)
        if rest > half || (rest == half && (sticky || significand & 1 == 1)) { significand += 1 }
        return Double(significand) * powerOfTwo(exponent + Int(drop))
    }

    private static func powerOfTwo(_ exponent: Int) -> Double { Double(bitPattern: UInt64(1_023 + exponent) << 52) }
}
