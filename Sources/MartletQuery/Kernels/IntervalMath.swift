import MartletModel

/// Arithmetic of intervals and of timestamps with intervals, as PostgreSQL and DuckDB define it.
enum IntervalMath {
    static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// The length with months of 30 days of 24 hours: what intervals are ordered and compared by.
    @inline(__always)
    static func comparable(_ value: Interval) -> Int128 {
        (Int128(value.months) * 30 + Int128(value.days)) * Int128(nanosecondsPerDay) + Int128(value.nanoseconds)
    }

    @inline(__always)
    static func compare(_ a: Interval, _ b: Interval) -> Int {
        let x = comparable(a)
        let y = comparable(b)
        return x < y ? -1 : x > y ? 1 : 0
    }

    /// `time` moved by `interval`: months first (the day clamped to the month's end), then days, then nanoseconds.
    /// `nil` when the result is outside the range of a timestamp.
    @inline(__always)
    static func add(_ time: Int64, _ interval: Interval) -> Int64? {
        var result = time
        if interval.months != 0 {
            guard let moved = addMonths(time, Int(interval.months)) else { return nil }
            result = moved
        }
        let days = Int64(interval.days).multipliedReportingOverflow(by: nanosecondsPerDay)
        let afterDays = result.addingReportingOverflow(days.partialValue)
        let end = afterDays.partialValue.addingReportingOverflow(interval.nanoseconds)
        return days.overflow || afterDays.overflow || end.overflow ? nil : end.partialValue
    }

    private static func addMonths(_ time: Int64, _ months: Int) -> Int64? {
        var civil = CivilTime(nanoseconds: time)
        civil.add(months: months)
        return civil.nanoseconds
    }

    /// `a - b` in whole days and the rest, as `timestamp - timestamp` gives it.
    @inline(__always)
    static func difference(_ a: Int64, _ b: Int64) -> Interval {
        let total = Int128(a) - Int128(b)
        let days = total / Int128(nanosecondsPerDay)
        return Interval(
            days: Int32(truncatingIfNeeded: days),
            nanoseconds: Int64(truncatingIfNeeded: total - days * Int128(nanosecondsPerDay)))
    }

    static func negate(_ value: Interval) -> Interval? {
        guard value.months != .min, value.days != .min, value.nanoseconds != .min else { return nil }
        return Interval(months: -value.months, days: -value.days, nanoseconds: -value.nanoseconds)
    }

    static func add(_ a: Interval, _ b: Interval) -> Interval? {
        let months = a.months.addingReportingOverflow(b.months)
        let days = a.days.addingReportingOverflow(b.days)
        let nanoseconds = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        if months.overflow || days.overflow || nanoseconds.overflow { return nil }
        return Interval(
            months: months.partialValue, days: days.partialValue, nanoseconds: nanoseconds.partialValue)
    }

    /// `value * factor`; fractions of months go to days (of a 30-day month), fractions of days to nanoseconds.
    static func multiply(_ value: Interval, _ factor: Double) -> Interval? {
        let months = Double(value.months) * factor
        let wholeMonths = months.rounded(.towardZero)
        let days = Double(value.days) * factor + (months - wholeMonths) * 30
        let wholeDays = days.rounded(.towardZero)
        let nanoseconds =
            (Double(value.nanoseconds) * factor + (days - wholeDays) * Double(nanosecondsPerDay)).rounded()
        guard let m = Int32(exactly: wholeMonths), let d = Int32(exactly: wholeDays),
            let n = Int64(exactly: nanoseconds)
        else { return nil }
        return Interval(months: m, days: d, nanoseconds: n)
    }
}
