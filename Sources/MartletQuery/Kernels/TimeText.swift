import MartletModel

/// Timestamps and intervals as text.
///
/// A timestamp is written `2024-01-02 03:04:05.123456789` (SQL) or `2024-01-02T03:04:05.123456789Z` (RFC 3339), always
/// UTC, the fraction without trailing zeros. Read: date, then optionally `T` or a space and `HH:MM[:SS[.fraction]]`,
/// then optionally `Z`, `UTC` or an offset `±HH[:MM]`; without one the time is UTC. Digits after the ninth of a fraction
/// are dropped.
package enum TimeText {
    /// How a timestamp is written.
    package enum Style: Sendable {
        /// `2024-01-02 03:04:05.5`
        case sql
        /// `2024-01-02T03:04:05.5Z`
        case rfc3339
    }

    /// Appends a timestamp's text.
    package static func append(_ nanoseconds: Int64, style: Style = .sql, to target: inout MutableBuffer) {
        let civil = CivilTime(nanoseconds: nanoseconds)
        target.reserve(40)
        appendDigits(civil.year, width: 4, to: &target)
        target.append(UInt8(ascii: "-"))
        appendDigits(civil.month, width: 2, to: &target)
        target.append(UInt8(ascii: "-"))
        appendDigits(civil.day, width: 2, to: &target)
        target.append(style == .sql ? UInt8(ascii: " ") : UInt8(ascii: "T"))
        appendClock(civil.nanosecondOfDay, to: &target)
        if style == .rfc3339 { target.append(UInt8(ascii: "Z")) }
    }

    /// A timestamp as text.
    package static func format(_ nanoseconds: Int64, style: Style = .sql) -> String {
        var buffer = MutableBuffer(capacity: 40)
        append(nanoseconds, style: style, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// Appends an interval's text as DuckDB writes it: `1 year 2 months 3 days 04:05:06.5`.
    package static func append(_ value: Interval, to target: inout MutableBuffer) {
        let start = target.byteCount
        func part(_ amount: Int, _ unit: StaticString, _ target: inout MutableBuffer) {
            guard amount != 0 else { return }
            if target.byteCount > start { target.append(UInt8(ascii: " ")) }
            NumberText.append(Int64(amount), to: &target)
            target.append(UInt8(ascii: " "))
            target.append(UnsafeRawBufferPointer(start: unit.utf8Start, count: unit.utf8CodeUnitCount))
            if amount != 1 && amount != -1 { target.append(UInt8(ascii: "s")) }
        }
        part(Int(value.months) / 12, "year", &target)
        part(Int(value.months) % 12, "month", &target)
        part(Int(value.days), "day", &target)
        if value.nanoseconds != 0 || target.byteCount == start {
            if target.byteCount > start { target.append(UInt8(ascii: " ")) }
            if value.nanoseconds < 0 { target.append(UInt8(ascii: "-")) }
            appendClock(magnitude: value.nanoseconds.magnitude, to: &target)
        }
    }

    /// An interval as text.
    package static func format(_ value: Interval) -> String {
        var buffer = MutableBuffer(capacity: 64)
        append(value, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    static func appendClock(_ nanosecondOfDay: Int64, to target: inout MutableBuffer) {
        appendClock(magnitude: UInt64(nanosecondOfDay), to: &target)
    }

    private static func appendClock(magnitude: UInt64, to target: inout MutableBuffer) {
        let seconds = magnitude / 1_000_000_000
        appendDigits(Int(seconds / 3600), width: 2, to: &target)
        target.append(UInt8(ascii: ":"))
        appendDigits(Int(seconds / 60 % 60), width: 2, to: &target)
        target.append(UInt8(ascii: ":"))
        appendDigits(Int(seconds % 60), width: 2, to: &target)
        var fraction = Int(magnitude % 1_000_000_000)
        guard fraction > 0 else { return }
        var width = 9
        while fraction % 10 == 0 {
            fraction /= 10
            width -= 1
        }
        target.append(UInt8(ascii: "."))
        appendDigits(fraction, width: width, to: &target)
    }

    /// Appends a non-negative number with leading zeros; wider numbers are written whole.
    static func appendDigits(_ value: Int, width: Int, to target: inout MutableBuffer) {
        var limit = 1
        for _ in 1..<max(width, 1) { limit *= 10 }
        while value / limit >= 10 { limit *= 10 }
        while limit > 0 {
            target.append(UInt8(ascii: "0") + UInt8(value / limit % 10))
            limit /= 10
        }
    }

    /// Reads a timestamp; `nil` when the text is none or is outside the range of a timestamp.
    package static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        var reader = Reader(TextKernels.trimmed(text))
        guard let year = reader.number(4...4), reader.take("-") || reader.take("/"),
            let month = reader.number(1...2), reader.take("-") || reader.take("/"), let day = reader.number(1...2),
            month >= 1, month <= 12, day >= 1, day <= CivilTime.daysInMonth(year: year, month: month)
        else { return nil }
        var ofDay: Int64 = 0
        var offset = 0
        if reader.take("T") || reader.take("t") || reader.take(" ") {
            guard let hour = reader.number(1...2), hour <= 24, reader.take(":"), let minute = reader.number(2...2),
                minute < 60
            else { return nil }
            var second = 0
            var fraction: Int64 = 0
            if reader.take(":") {
                guard let value = reader.number(2...2), value < 60 else { return nil }
                second = value
                if reader.take(".") {
                    guard let value = reader.fraction() else { return nil }
                    fraction = value
                }
            }
            ofDay = Int64(hour * 3600 + minute * 60 + second) * 1_000_000_000 + fraction
            guard ofDay <= IntervalMath.nanosecondsPerDay else { return nil }
            guard let zone = reader.zone() else { return nil }
            offset = zone
        }
        guard reader.isAtEnd else { return nil }
        let days = Int128(CivilTime.dayNumber(year: year, month: month, day: day))
        return Int64(
            exactly: days * Int128(IntervalMath.nanosecondsPerDay) + Int128(ofDay) - Int128(offset) * 1_000_000_000)
    }
}

/// Reads text from left to right. Every look is bounds-checked.
struct Reader {
    let text: UnsafeRawBufferPointer
    var position = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    var isAtEnd: Bool { position == text.count }
    var next: UInt8? { position < text.count ? text[position] : nil }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func skipSpaces() {
        while position < text.count, TextKernels.isSpace(text[position]) { position += 1 }
    }

    /// A decimal number of so many digits.
    mutating func number(_ digits: ClosedRange<Int>) -> Int? {
        var value = 0
        var count = 0
        while count < digits.upperBound, position < text.count, TextKernels.isDigit(text[position]) {
            value = value * 10 + Int(text[position] - 0x30)
            position += 1
            count += 1
        }
        return digits.contains(count) ? value : nil
    }

    /// Digits after a decimal point as billionths.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while position < text.count, TextKernels.isDigit(text[position]) {
            if count < 9 { value = value * 10 + Int64(text[position] - 0x30) }
            position += 1
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 9)..<9 { value *= 10 }
        return value
    }

    /// A zone's offset in seconds east of Greenwich; 0 where nothing stands.
    mutating func zone() -> Int? {
        if isAtEnd { return 0 }
        skipSpaces()
        if take("Z") || take("z") { return 0 }
        if text.count - position == 3,
            TextKernels.equalsIgnoringCase(TextKernels.part(text, position..<text.count), "utc")
        {
            position = text.count
            return 0
        }
        let sign: Int
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(2...2), hours <= 18 else { return nil }
        var seconds = hours * 3600
        if take(":") || next.map(TextKernels.isDigit) == true {
            guard let minutes = number(2...2), minutes < 60 else { return nil }
            seconds += minutes * 60
        }
        return sign * seconds
    }

    /// A run of ASCII letters.
    mutating func word() -> UnsafeRawBufferPointer {
        let start = position
        while let byte = next, TextKernels.lowered(byte) >= 0x61, TextKernels.lowered(byte) <= 0x7a { position += 1 }
        return TextKernels.part(text, start..<position)
    }
}
