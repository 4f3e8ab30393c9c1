import MartletModel

/// A moment in UTC split into date and time of day, in the proleptic Gregorian calendar.
///
/// Day counting after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
struct CivilTime {
    var year: Int
    /// 1 to 12.
    var month: Int
    /// 1 to 31.
    var day: Int
    /// 0 ..< 86,400 x 10^9.
    var nanosecondOfDay: Int64

    @inline(__always)
    init(nanoseconds: Int64) {
        let days = Self.floorDivide(nanoseconds, IntervalMath.nanosecondsPerDay)
        // Wrapping: the first day of the range begins before the range does.
        nanosecondOfDay = nanoseconds &- days &* IntervalMath.nanosecondsPerDay
        (year, month, day) = Self.date(ofDay: Int(days))
    }

    init(year: Int, month: Int, day: Int, nanosecondOfDay: Int64 = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.nanosecondOfDay = nanosecondOfDay
    }

    /// Nanoseconds since the epoch, or `nil` outside the range of a timestamp.
    @inline(__always)
    var nanoseconds: Int64? {
        let total = Int128(dayNumber) * Int128(IntervalMath.nanosecondsPerDay) + Int128(nanosecondOfDay)
        return Int64(exactly: total)
    }

    /// Days since 1970-01-01.
    @inline(__always)
    var dayNumber: Int { Self.dayNumber(year: year, month: month, day: day) }

    var hour: Int { Int(nanosecondOfDay / 3_600_000_000_000) }
    var minute: Int { Int(nanosecondOfDay / 60_000_000_000) % 60 }
    var second: Int { Int(nanosecondOfDay / 1_000_000_000) % 60 }
    /// Nanoseconds within the second.
    var nanosecond: Int { Int(nanosecondOfDay % 1_000_000_000) }

    /// Months since January of year 0.
    var monthNumber: Int { year * 12 + month - 1 }

    /// Moves by whole months; the day is clamped to the end of the month.
    mutating func add(months: Int) {
        let total = monthNumber + months
        year = Self.floorDivide(total, 12)
        month = total - year * 12 + 1
        day = min(day, Self.daysInMonth(year: year, month: month))
    }

    /// 1 = Monday ... 7 = Sunday.
    var isoWeekday: Int { Self.isoWeekday(ofDay: dayNumber) }

    /// 1 to 366.
    var dayOfYear: Int { dayNumber - Self.dayNumber(year: year, month: 1, day: 1) + 1 }

    /// ISO 8601 week and the year it belongs to.
    var isoWeek: (year: Int, week: Int) {
        let thursday = dayNumber + 4 - isoWeekday
        let isoYear = Self.date(ofDay: thursday).year
        return (isoYear, (thursday - Self.dayNumber(year: isoYear, month: 1, day: 1)) / 7 + 1)
    }

    static func isoWeekday(ofDay day: Int) -> Int { (day + 3) - floorDivide(day + 3, 7) * 7 + 1 }

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func daysInMonth(year: Int, month: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    static func dayNumber(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = floorDivide(y, 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func date(ofDay number: Int) -> (year: Int, month: Int, day: Int) {
        let z = number + 719_468
        let era = floorDivide(z, 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }

    /// The quotient rounded towards minus infinity; `divisor` is positive.
    @inline(__always)
    static func floorDivide<T: SignedInteger & FixedWidthInteger>(_ value: T, _ divisor: T) -> T {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
