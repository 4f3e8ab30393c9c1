import MartletModel

/// Field values: the two usual kinds fast, all others in full.
///
/// The invariants of `LineParsing` hold here: a pointer into the text may be read up to the newline that ends the
/// line, and eight bytes at a time from any byte up to it.
extension LineProtocolParser {
    // MARK: The usual kinds

    /// Reads an integer of one to seven digits and its `i` into row `row`; `nil` for anything else.
    @inline(__always)
    func shortInteger(_ start: UnsafeRawPointer, _ values: UnsafeMutableRawPointer, _ row: Int) -> UnsafeRawPointer? {
        let isNegative = TextScan.byte(start) == UInt8(ascii: "-")
        let p = isNegative ? start + 1 : start
        let (digits, stop) = TextScan.digitWord(p)
        let count = stop.trailingZeroBitCount &>> 3
        guard count &- 1 < 7, count > 0, TextScan.byte(p + count) == UInt8(ascii: "i") else { return nil }
        let magnitude = Int64(truncatingIfNeeded: TextScan.number(digits, first: count))
        values.storeBytes(of: isNegative ? 0 &- magnitude : magnitude, toByteOffset: row &* 8, as: Int64.self)
        return p + (count &+ 1)
    }

    /// Reads a number of up to seven digits before the point and seven after it into row `row`; `nil` for anything
    /// else. Both parts are below 2^53 together, so that one division rounds correctly.
    @inline(__always)
    func shortDecimal(_ start: UnsafeRawPointer, _ values: UnsafeMutableRawPointer, _ row: Int) -> UnsafeRawPointer? {
        let isNegative = TextScan.byte(start) == UInt8(ascii: "-")
        let p = isNegative ? start + 1 : start
        let (whole, wholeStop) = TextScan.digitWord(p)
        let wholeCount = wholeStop.trailingZeroBitCount &>> 3
        guard wholeCount &- 1 < 7, wholeCount > 0 else { return nil }
        var next = p + wholeCount
        var number = Double(TextScan.number(whole, first: wholeCount))
        if TextScan.byte(next) == UInt8(ascii: ".") {
            let (fraction, fractionStop) = TextScan.digitWord(next + 1)
            let fractionCount = fractionStop.trailingZeroBitCount &>> 3
            guard fractionCount < 8 else { return nil }
            let scale = TextScan.powersOfTen[fractionCount]
            let digits =
                TextScan.number(whole, first: wholeCount) &* scale &+ TextScan.number(fraction, first: fractionCount)
            number = Double(digits) / Double(scale)
            next += fractionCount &+ 1
        }
        let after = TextScan.byte(next)
        guard after == TextScan.comma || after == TextScan.space || after == TextScan.newline else { return nil }
        values.storeBytes(of: isNegative ? -number : number, toByteOffset: row &* 8, as: Double.self)
        return next
    }

    // MARK: All kinds

    private enum Value {
        case number(ColumnType, bits: UInt64)
        case bool(Bool)
        case text(UnsafeRawPointer, count: Int, escapes: Bool)

        var type: ColumnType {
            switch self {
            case .number(let type, _): type
            case .bool: .bool
            case .text: .string
            }
        }
    }

    /// Reads any value into the row after the table's last; says where it ends, or fails.
    @inline(never)
    mutating func parseValue(
        _ start: UnsafeRawPointer, column: Int, of table: UnsafeMutablePointer<TableState>
    ) -> UnsafeRawPointer? {
        var p = start
        isIncomplete = false
        let value: Value?
        switch TextScan.byte(p) {
        case TextScan.quote: value = parseText(&p)
        case UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "f"), UInt8(ascii: "F"): value = parseBool(&p)
        case TextScan.comma, TextScan.space, TextScan.newline, TextScan.carriageReturn:
            fail(p, .malformedLine, "the field has no value")
            return nil
        default: value = parseNumber(&p)
        }
        guard let value, store(value, start, column, table) else { return nil }
        return p
    }

    private mutating func store(
        _ value: Value, _ start: UnsafeRawPointer, _ index: Int, _ table: UnsafeMutablePointer<TableState>
    ) -> Bool {
        let row = table.pointee.rowCount
        let filled = table.pointee.filled(index)
        let column = table.pointee.columns + index
        let offered = value.type
        var type = offered
        if let fixed = filled > 0 ? column.pointee.type : column.pointee.stored, fixed != offered {
            guard fixed == .float64, offered == .int64 || offered == .uint64 else {
                fail(
                    start, .typeConflict,
                    "field '\(column.pointee.name)' of table '\(table.pointee.name)' is stored as \(fixed.name); "
                        + "this value is \(offered.name)")
                return false
            }
            type = fixed
        }
        let before = column.pointee.byteCount
        table.pointee.prepare(index, type: type)
        switch value {
        case .number(.int64, let bits) where type == .float64:
            column.pointee.write(Double(Int64(bitPattern: bits)), row: row)
        case .number(.uint64, let bits) where type == .float64: column.pointee.write(Double(bits), row: row)
        case .number(_, let bits): column.pointee.write(bits, row: row)
        case .bool(let flag): column.pointee.write(flag, row: row)
        case .text(let text, let count, let escapes):
            column.pointee.write(text: text, count, escapes: escapes, row: row, after: filled)
        }
        let growth = column.pointee.byteCount - before
        if growth > 0 { hold(growth) }
        return true
    }

    private mutating func parseBool(_ p: inout UnsafeRawPointer) -> Value? {
        let start = p
        let flag = TextScan.byte(p) | 0x20 == UInt8(ascii: "t")
        while TextScan.byte(p) | 0x20 >= UInt8(ascii: "a"), TextScan.byte(p) | 0x20 <= UInt8(ascii: "z") { p += 1 }
        let spellings: [StaticString] =
            flag ? ["t", "T", "true", "True", "TRUE"] : ["f", "F", "false", "False", "FALSE"]
        for spelling in spellings
        where spelling.utf8CodeUnitCount == p - start && RawBytes.equal(spelling.utf8Start, start, p - start) {
            return .bool(flag)
        }
        fail(start, .malformedLine, "a truth value is written t, T, true, True, TRUE, f, F, false, False or FALSE")
        return nil
    }

    private mutating func parseText(_ p: inout UnsafeRawPointer) -> Value? {
        let start = p + 1
        var q = start
        var escapes = false
        while true {
            q = TextScan.stringStop(q, textEnd)
            if q == textEnd {
                isIncomplete = true
                return nil
            }
            switch TextScan.byte(q) {
            case TextScan.quote:
                if let offset = TextScan.invalidUTF8(start, q - start) {
                    fail(start + offset, .invalidUTF8, "the text is not valid UTF-8")
                    return nil
                }
                p = q + 1
                return .text(start, count: q - start, escapes: escapes)
            case TextScan.backslash:
                let next = TextScan.byte(q + 1)
                escapes = escapes || next == TextScan.quote || next == TextScan.backslash
                q += next == TextScan.quote || next == TextScan.backslash ? 2 : 1
            default:
                if q < strictEnd {
                    fail(q, .malformedLine, "the quoted string is not closed")
                    return nil
                }
                newlinesInLine += 1
                q += 1
            }
        }
    }

    private mutating func parseNumber(_ p: inout UnsafeRawPointer) -> Value? {
        let start = p
        var q = p
        let isNegative = TextScan.byte(q) == UInt8(ascii: "-")
        let isSigned = isNegative || TextScan.byte(q) == UInt8(ascii: "+")
        if isSigned { q += 1 }
        let whole = q
        let (wholeValue, wholeCount) = TextScan.digits(q)
        q += wholeCount
        switch TextScan.byte(q) {
        case UInt8(ascii: "i") where wholeCount > 0:
            guard let magnitude = wholeCount <= 19 ? wholeValue : TextScan.longDigits(whole, wholeCount),
                magnitude <= UInt64(Int64.max) + (isNegative ? 1 : 0)
            else {
                fail(start, .outOfRange, "the integer does not fit into 64 bits")
                return nil
            }
            p = q + 1
            return .number(.int64, bits: isNegative ? 0 &- magnitude : magnitude)
        case UInt8(ascii: "u") where wholeCount > 0:
            if isSigned {
                fail(start, .malformedLine, "an unsigned integer has no sign")
                return nil
            }
            guard let number = wholeCount <= 19 ? wholeValue : TextScan.longDigits(whole, wholeCount) else {
                fail(start, .outOfRange, "the unsigned integer does not fit into 64 bits")
                return nil
            }
            p = q + 1
            return .number(.uint64, bits: number)
        default: break
        }

        var fractionCount = 0
        var fraction: UInt64 = 0
        if TextScan.byte(q) == UInt8(ascii: ".") {
            (fraction, fractionCount) = TextScan.digits(q + 1)
            q += 1 + fractionCount
        }
        guard wholeCount + fractionCount > 0 else {
            fail(start, .malformedLine, "the value is no number, truth value or quoted text")
            return nil
        }
        var exponent = 0
        let digitsEnd = q
        if TextScan.byte(q) | 0x20 == UInt8(ascii: "e") {
            q += 1
            let exponentIsNegative = TextScan.byte(q) == UInt8(ascii: "-")
            if exponentIsNegative || TextScan.byte(q) == UInt8(ascii: "+") { q += 1 }
            let (digits, count) = TextScan.digits(q)
            guard count > 0 else {
                fail(q, .malformedLine, "the number's exponent has no digits")
                return nil
            }
            q += count
            // Beyond this the result is 0 or infinite, whatever the digits of a line of allowed length.
            let bounded = count > 7 ? 9_999_999 : Int(digits)
            exponent = exponentIsNegative ? -bounded : bounded
        }
        guard
            let number = float(
                whole, digitsEnd, q, wholeValue, wholeCount, fraction, fractionCount, exponent: exponent)
        else {
            fail(start, .outOfRange, "the number is too large for 64-bit floating point")
            return nil
        }
        p = q
        return .number(.float64, bits: (isNegative ? -number : number).bitPattern)
    }

    /// The number whose parts were read, correctly rounded; `nil` where it is infinite.
    private func float(
        _ start: UnsafeRawPointer, _ digitsEnd: UnsafeRawPointer, _ end: UnsafeRawPointer, _ whole: UInt64,
        _ wholeCount: Int, _ fraction: UInt64, _ fractionCount: Int, exponent: Int
    ) -> Double? {
        if wholeCount + fractionCount <= 19 {
            var digits = whole
            for _ in 0..<fractionCount { digits &*= 10 }
            if let number = DecimalConversion.convert(digits &+ fraction, exponent: exponent - fractionCount) {
                return number
            }
        }
        // Rare: very many digits or a very large exponent. The library's own conversion takes the text as a copy.
        let text = String(decoding: UnsafeRawBufferPointer(start: start, count: end - start), as: UTF8.self)
        guard let number = Double(text.hasSuffix(".") ? text + "0" : text), number.isFinite else { return nil }
        return number
    }
}
