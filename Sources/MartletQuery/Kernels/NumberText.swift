import MartletModel

/// Numbers and booleans as text.
enum NumberText {
    static func append(_ value: Int64, to target: inout MutableBuffer) {
        if value < 0 { target.append(UInt8(ascii: "-")) }
        append(value.magnitude, to: &target)
    }

    static func append(_ value: UInt64, to target: inout MutableBuffer) {
        target.reserve(20)
        var limit: UInt64 = 1
        while value / limit >= 10 { limit *= 10 }
        while limit > 0 {
            target.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / limit % 10))
            limit /= 10
        }
    }

    /// The shortest decimal that reads back as the same float, always with a point or an exponent.
    static func append(_ value: Double, to target: inout MutableBuffer) {
        if value.isNaN { return append("nan", to: &target) }
        var text = value.description
        text.withUTF8 { target.append(UnsafeRawBufferPointer($0)) }
    }

    static func append(_ word: StaticString, to target: inout MutableBuffer) {
        target.append(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// A sign and digits that fit the type. Other forms of a number (`2.5`, `1e3`) are read as floats and rounded, ties
    /// away from zero. `nil` for anything else and out of range.
    static func parseInteger<T: FixedWidthInteger>(_ text: UnsafeRawBufferPointer, as: T.Type) -> T? {
        let text = TextKernels.trimmed(text)
        var index = 0
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative || text.first == UInt8(ascii: "+") { index = 1 }
        guard index < text.count else { return nil }
        var value: T = 0
        while index < text.count, TextKernels.isDigit(text[index]) {
            let digit = T(text[index] - 0x30)
            let tenfold = value.multipliedReportingOverflow(by: 10)
            let next =
                isNegative
                ? tenfold.partialValue.subtractingReportingOverflow(digit)
                : tenfold.partialValue.addingReportingOverflow(digit)
            if tenfold.overflow || next.overflow { return nil }
            value = next.partialValue
            index += 1
        }
        if index == text.count { return value }
        guard let float = parseFloat(text) else { return nil }
        return T(exactly: float.rounded(.toNearestOrAwayFromZero))
    }

    /// A decimal number with optional point and exponent, `inf`, `infinity` or `nan`, any case; `nil` otherwise.
    static func parseFloat(_ text: UnsafeRawBufferPointer) -> Double? {
        let text = TextKernels.trimmed(text)
        var index = 0
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative || text.first == UInt8(ascii: "+") { index = 1 }
        let body = TextKernels.part(text, index..<text.count)
        var mantissa: UInt64 = 0
        var digits = 0
        var exponent = 0
        var sawDigit = false
        var sawPoint = false
        while index < text.count {
            let byte = text[index]
            if TextKernels.isDigit(byte) {
                sawDigit = true
                if mantissa > 0 || byte != 0x30 { digits += 1 }
                if digits <= 18 { mantissa = mantissa * 10 + UInt64(byte - 0x30) }
                if sawPoint { exponent -= 1 }
            } else if byte == UInt8(ascii: "."), !sawPoint {
                sawPoint = true
            } else {
                break
            }
            index += 1
        }
        if !sawDigit {
            let magnitude: Double
            if TextKernels.equalsIgnoringCase(body, "inf") || TextKernels.equalsIgnoringCase(body, "infinity") {
                magnitude = .infinity
            } else if TextKernels.equalsIgnoringCase(body, "nan") {
                magnitude = .nan
            } else {
                return nil
            }
            return isNegative ? -magnitude : magnitude
        }
        // Clinger's fast path: mantissa and power of ten are both exact floats.
        if index == text.count, digits <= 15, exponent >= -22 {
            let magnitude = Double(mantissa) / powersOfTen[-exponent]
            return isNegative ? -magnitude : magnitude
        }
        if index < text.count {
            guard TextKernels.lowered(text[index]) == UInt8(ascii: "e"), index + 1 < text.count else { return nil }
            var rest = index + 1
            if text[rest] == UInt8(ascii: "-") || text[rest] == UInt8(ascii: "+") { rest += 1 }
            guard rest < text.count else { return nil }
            for byte in text[rest...] where !TextKernels.isDigit(byte) { return nil }
        }
        var plain = String(decoding: text, as: UTF8.self)
        if plain.hasPrefix("+") { plain.removeFirst() }
        if plain.hasSuffix(".") { plain.removeLast() }
        return Double(plain.replacing(".e", with: "e").replacing(".E", with: "e"))
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// `true t 1 yes y` and `false f 0 no n`, any case.
    static func parseBool(_ text: UnsafeRawBufferPointer) -> Bool? {
        let text = TextKernels.trimmed(text)
        for word: StaticString in ["true", "t", "1", "yes", "y"] where TextKernels.equalsIgnoringCase(text, word) {
            return true
        }
        for word: StaticString in ["false", "f", "0", "no", "n"] where TextKernels.equalsIgnoringCase(text, word) {
            return false
        }
        return nil
    }
}
