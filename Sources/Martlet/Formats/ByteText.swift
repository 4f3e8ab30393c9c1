import MartletModel

/// Text written as bytes, without a `String` per value.
extension MutableBuffer {
    /// Appends one byte of ASCII.
    @inlinable package mutating func append(ascii character: Unicode.Scalar) {
        append(UInt8(truncatingIfNeeded: character.value))
    }

    /// Appends literal text.
    @inlinable package mutating func append(literal text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends `text` as UTF-8.
    package mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends `number` in decimal, with at least `minimumDigits` digits.
    package mutating func append(decimal number: UInt64, minimumDigits: Int = 1) {
        reserve(20)
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20 && number >= bound {
            digits += 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        if digits == 19 && number >= 10_000_000_000_000_000_000 { digits = 20 }
        let width = Swift.max(digits, Swift.min(minimumDigits, 20))
        var rest = number
        var position = byteCount + width
        byteCount = position
        while position > byteCount - width {
            position -= 1
            base.storeBytes(of: UInt8(48 + rest % 10), toByteOffset: position, as: UInt8.self)
            rest /= 10
        }
    }

    /// Appends `number` in decimal.
    package mutating func append(decimal number: Int64) {
        if number < 0 { append(ascii: "-") }
        append(decimal: number.magnitude)
    }

    /// Appends the shortest decimal text that reads back as `number`; non-finite numbers as `NaN`, `Infinity` and
    /// `-Infinity`, PostgreSQL's words.
    package mutating func append(decimal number: Double) {
        if number.isFinite {
            append(text: number.description)
        } else if number.isNaN {
            append(literal: "NaN")
        } else {
            append(text: number < 0 ? "-Infinity" : "Infinity")
        }
    }

    /// The bytes as text; for tests and small pieces.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}
