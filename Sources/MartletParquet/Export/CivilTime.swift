import MartletModel

/// Days and times of the calendar, in UTC, for the names of folders and the manifest.
enum CivilTime {
    private static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// The day of a moment, counted from 1970-01-01.
    static func day(of nanoseconds: Int64) -> Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: nanosecondsPerDay)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// `YYYY-MM-DD`, by Hinnant's days-to-civil algorithm for the proleptic Gregorian calendar.
    static func date(day: Int64) -> String {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    }

    /// RFC 3339 with nine decimal places.
    static func timestamp(_ nanoseconds: Int64) -> String {
        let day = day(of: nanoseconds)
        // The arithmetic wraps, since midnight of the first representable day is not representable.
        let inDay = nanoseconds &- day &* nanosecondsPerDay
        let seconds = inDay / 1_000_000_000
        return "\(date(day: day))T\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):"
            + "\(padded(seconds % 60, 2)).\(padded(inDay % 1_000_000_000, 9))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
