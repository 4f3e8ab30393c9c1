import MartletModel

/// The parts of a date that `date_part`, `EXTRACT` and `date_trunc` know; DuckDB's names and meanings.
enum DatePart: String, CaseIterable {
    case nanosecond, microsecond, millisecond, second, minute, hour, day, week, month, quarter, year, decade, century
    case millennium, dow, isodow, doy, isoyear, epoch, era, yearweek, julian

    init?(name: String) {
        if let part = DatePart(rawValue: name) {
            self = part
            return
        }
        switch name {
        case "nanoseconds", "ns": self = .nanosecond
        case "microseconds", "us", "usec": self = .microsecond
        case "milliseconds", "ms", "msec": self = .millisecond
        case "seconds", "sec", "s": self = .second
        case "minutes", "min", "m": self = .minute
        case "hours", "hr", "h": self = .hour
        case "days", "dayofmonth", "d": self = .day
        case "weeks", "weekofyear", "w": self = .week
        case "months", "mon", "mons": self = .month
        case "quarters": self = .quarter
        case "years", "yr", "y": self = .year
        case "decades": self = .decade
        case "centuries": self = .century
        case "millennia", "millenniums": self = .millennium
        case "dayofweek", "weekday": self = .dow
        case "dayofyear": self = .doy
        default: return nil
        }
    }

    static func named(_ name: String) throws(MartletError) -> DatePart {
        if let part = DatePart(name: name.lowercased()) { return part }
        throw MartletError(
            .invalidArgument, "'\(name)' is no part of a date",
            hint: "the parts are " + DatePart.allCases.map(\.rawValue).joined(separator: ", "))
    }

    /// Whether the part has a fraction and comes as DOUBLE.
    var isFractional: Bool { self == .epoch || self == .julian }

    /// The part of a timestamp. Sub-second parts include the seconds, as in PostgreSQL.
    @inline(__always)
    func value(_ time: Int64) -> Int64 {
        let civil = CivilTime(nanoseconds: time)
        switch self {
        case .nanosecond: return civil.nanosecondOfDay % 60_000_000_000
        case .microsecond: return civil.nanosecondOfDay % 60_000_000_000 / 1000
        case .millisecond: return civil.nanosecondOfDay % 60_000_000_000 / 1_000_000
        case .second: return Int64(civil.second)
        case .minute: return Int64(civil.minute)
        case .hour: return Int64(civil.hour)
        case .day: return Int64(civil.day)
        case .week: return Int64(civil.isoWeek.week)
        case .month: return Int64(civil.month)
        case .quarter: return Int64((civil.month - 1) / 3 + 1)
        case .year: return Int64(civil.year)
        case .decade: return Int64(civil.year / 10)
        case .century: return Int64((civil.year - 1) / 100 + 1)
        case .millennium: return Int64((civil.year - 1) / 1000 + 1)
        case .dow: return Int64(civil.isoWeekday % 7)
        case .isodow: return Int64(civil.isoWeekday)
        case .doy: return Int64(civil.dayOfYear)
        case .isoyear: return Int64(civil.isoWeek.year)
        case .era: return 1
        case .yearweek: return Int64(civil.isoWeek.year * 100 + civil.isoWeek.week)
        case .epoch, .julian: return 0
        }
    }

    /// A fractional part of a timestamp.
    func fraction(_ time: Int64) -> Double {
        if self == .epoch {
            let second = CivilTime.floorDivide(time, 1_000_000_000)
            return Double(second) + Double(time - second * 1_000_000_000) / 1e9
        }
        let civil = CivilTime(nanoseconds: time)
        return Double(civil.dayNumber) + 2_440_588 + Double(civil.nanosecondOfDay)
            / Double(IntervalMath.nanosecondsPerDay)
    }

    /// The part of an interval, whose months, days and time are taken apart separately; `nil` for parts it has not.
    func value(_ interval: Interval) -> Int64? {
        let nanoseconds = interval.nanoseconds
        switch self {
        case .nanosecond: return nanoseconds % 60_000_000_000
        case .microsecond: return nanoseconds % 60_000_000_000 / 1000
        case .millisecond: return nanoseconds % 60_000_000_000 / 1_000_000
        case .second: return nanoseconds / 1_000_000_000 % 60
        case .minute: return nanoseconds / 60_000_000_000 % 60
        case .hour: return nanoseconds / 3_600_000_000_000
        case .day: return Int64(interval.days)
        case .month: return Int64(interval.months % 12)
        case .quarter: return Int64(interval.months % 12 / 3 + 1)
        case .year: return Int64(interval.months / 12)
        case .decade: return Int64(interval.months / 120)
        case .century: return Int64(interval.months / 1200)
        case .millennium: return Int64(interval.months / 12_000)
        case .week, .dow, .isodow, .doy, .isoyear, .era, .yearweek, .julian, .epoch: return nil
        }
    }

    /// `time` down to the start of the part; `nil` for parts that cannot be truncated to.
    func truncate(_ time: Int64) -> Int64? {
        switch self {
        case .nanosecond: return time
        case .microsecond: return Self.floor(time, 1000)
        case .millisecond: return Self.floor(time, 1_000_000)
        case .second: return Self.floor(time, 1_000_000_000)
        case .minute: return Self.floor(time, 60_000_000_000)
        case .hour: return Self.floor(time, 3_600_000_000_000)
        case .day, .dow, .isodow, .doy, .julian: return Self.floor(time, IntervalMath.nanosecondsPerDay)
        case .week, .yearweek:
            let civil = CivilTime(nanoseconds: time)
            return Self.day(civil.dayNumber - civil.isoWeekday + 1)
        case .month, .quarter:
            let civil = CivilTime(nanoseconds: time)
            let month = self == .month ? civil.month : (civil.month - 1) / 3 * 3 + 1
            return CivilTime(year: civil.year, month: month, day: 1).nanoseconds
        case .year, .decade, .century, .millennium:
            let year = CivilTime(nanoseconds: time).year
            let step = self == .year ? 1 : self == .decade ? 10 : self == .century ? 100 : 1000
            return CivilTime(year: CivilTime.floorDivide(year, step) * step, month: 1, day: 1).nanoseconds
        case .isoyear:
            let year = CivilTime(nanoseconds: time).isoWeek.year
            let fourth = CivilTime.dayNumber(year: year, month: 1, day: 4)
            return Self.day(fourth - CivilTime.isoWeekday(ofDay: fourth) + 1)
        case .epoch, .era: return nil
        }
    }

    private static func floor(_ time: Int64, _ width: Int64) -> Int64? {
        let rest = time % width
        let (start, overflow) = time.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
        return overflow ? nil : start
    }

    private static func day(_ number: Int) -> Int64? {
        Int64(exactly: Int128(number) * Int128(IntervalMath.nanosecondsPerDay))
    }

    /// How many starts of the part lie after `from` up to `to` (negative the other way round): `date_diff`. Weeks are
    /// the days' number by seven, towards zero, as in DuckDB.
    func boundaries(from: Int64, to: Int64) -> Int64? {
        let a = CivilTime(nanoseconds: from)
        let b = CivilTime(nanoseconds: to)
        switch self {
        case .year: return Int64(b.year - a.year)
        case .month: return Int64(b.monthNumber - a.monthNumber)
        case .quarter: return Int64(CivilTime.floorDivide(b.monthNumber, 3) - CivilTime.floorDivide(a.monthNumber, 3))
        case .decade: return Int64(b.year / 10 - a.year / 10)
        case .century: return Int64(b.year / 100 - a.year / 100)
        case .millennium: return Int64(b.year / 1000 - a.year / 1000)
        case .isoyear: return Int64(b.isoWeek.year - a.isoWeek.year)
        case .week, .yearweek: return Int64((b.dayNumber - a.dayNumber) / 7)
        case .day, .dow, .isodow, .doy, .julian: return Int64(b.dayNumber - a.dayNumber)
        case .hour, .minute, .second, .millisecond, .microsecond, .nanosecond, .epoch:
            let width: Int64 =
                switch self {
                case .hour: 3_600_000_000_000
                case .minute: 60_000_000_000
                case .second, .epoch: 1_000_000_000
                case .millisecond: 1_000_000
                case .microsecond: 1000
                default: 1
                }
            let (count, overflow) = CivilTime.floorDivide(to, width)
                .subtractingReportingOverflow(CivilTime.floorDivide(from, width))
            return overflow ? nil : count
        case .era: return 0
        }
    }
}
