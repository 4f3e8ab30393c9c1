import MartletModel

/// A date and time of day in the proleptic Gregorian calendar, UTC.
package struct CivilTime: Sendable, Hashable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var nanosecond: Int

    /// The civil time of a moment. Days to date after Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    package init(_ timestamp: Timestamp) {
        let perDay: Int64 = 86_400_000_000_000
        var days = timestamp.nanoseconds / perDay
        var rest = timestamp.nanoseconds % perDay
        if rest < 0 {
            rest += perDay
            days -= 1
        }
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        nanosecond = Int(rest % 1_000_000_000)
        let seconds = Int(rest / 1_000_000_000)
        second = seconds % 60
        minute = seconds / 60 % 60
        hour = seconds / 3600
    }

    /// Days from 1970-01-01 to the date.
    package static func days(year: Int, month: Int, day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// How a moment is written.
package enum TimestampStyle: Sendable {
    /// `2024-05-01T12:00:00.5Z`: RFC 3339, as many digits of the second as are needed, in threes when any.
    case rfc3339
    /// `2024-05-01 12:00:00.500` with this many digits of the second.
    case table(fractionDigits: Int)
}

extension MutableBuffer {
    /// Appends a moment in UTC.
    package mutating func append(_ timestamp: Timestamp, style: TimestampStyle) {
        let civil = CivilTime(timestamp)
        append(decimal: UInt64(civil.year), minimumDigits: 4)
        append(ascii: "-")
        append(decimal: UInt64(civil.month), minimumDigits: 2)
        append(ascii: "-")
        append(decimal: UInt64(civil.day), minimumDigits: 2)
        switch style {
        case .rfc3339: append(ascii: "T")
        case .table: append(ascii: " ")
        }
        append(decimal: UInt64(civil.hour), minimumDigits: 2)
        append(ascii: ":")
        append(decimal: UInt64(civil.minute), minimumDigits: 2)
        append(ascii: ":")
        append(decimal: UInt64(civil.second), minimumDigits: 2)
        let digits: Int
        switch style {
        case .rfc3339: digits = Self.fractionDigits(of: timestamp)
        case .table(let fractionDigits): digits = fractionDigits
        }
        if digits > 0 {
            append(ascii: ".")
            var fraction = UInt64(civil.nanosecond)
            for _ in digits..<9 { fraction /= 10 }
            append(decimal: fraction, minimumDigits: digits)
        }
        if case .rfc3339 = style { append(ascii: "Z") }
    }

    /// Digits after the second's point that the moment needs: 0, 3, 6 or 9.
    package static func fractionDigits(of timestamp: Timestamp) -> Int {
        if timestamp.nanoseconds % 1_000_000_000 == 0 { return 0 }
        if timestamp.nanoseconds % 1_000_000 == 0 { return 3 }
        return timestamp.nanoseconds % 1000 == 0 ? 6 : 9
    }

    /// Appends a span of time as PostgreSQL and DuckDB write it: `1 year 2 months 3 days 04:05:06.5`.
    package mutating func append(_ interval: Interval) {
        var first = true
        func part(_ number: Int32, _ unit: StaticString, into buffer: inout MutableBuffer) {
            guard number != 0 else { return }
            if !first { buffer.append(ascii: " ") }
            first = false
            buffer.append(decimal: Int64(number))
            buffer.append(ascii: " ")
            buffer.append(literal: unit)
            if number.magnitude != 1 { buffer.append(ascii: "s") }
        }
        part(interval.months / 12, "year", into: &self)
        part(interval.months % 12, "month", into: &self)
        part(interval.days, "day", into: &self)
        guard first || interval.nanoseconds != 0 else { return }
        if !first { append(ascii: " ") }
        if interval.nanoseconds < 0 { append(ascii: "-") }
        let magnitude = interval.nanoseconds.magnitude
        let seconds = magnitude / 1_000_000_000
        append(decimal: seconds / 3600, minimumDigits: 2)
        append(ascii: ":")
        append(decimal: seconds / 60 % 60, minimumDigits: 2)
        append(ascii: ":")
        append(decimal: seconds % 60, minimumDigits: 2)
        var fraction = magnitude % 1_000_000_000
        if fraction != 0 {
            var digits = 9
            while fraction % 10 == 0 {
                fraction /= 10
                digits -= 1
            }
            append(ascii: ".")
            append(decimal: fraction, minimumDigits: digits)
        }
    }
}
