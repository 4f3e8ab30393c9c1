import MartletModel

extension TimeText {
    /// Reads an interval: amounts with units (`1 month 2.5 days`, `90 min`, `5m`, `-1 week`) and at most one clock time
    /// (`03:04:05.5`), as PostgreSQL and DuckDB write them. `m` is a minute, `mon` a month. `nil` when it is none.
    package static func parseInterval(_ text: UnsafeRawBufferPointer) -> Interval? {
        var reader = Reader(TextKernels.trimmed(text))
        guard !reader.isAtEnd else { return nil }
        var total = Interval()
        while !reader.isAtEnd {
            reader.skipSpaces()
            guard let part = intervalPart(&reader), let sum = IntervalMath.add(total, part) else { return nil }
            total = sum
            reader.skipSpaces()
        }
        return total
    }

    /// The interval of `amount` `unit`s, or `nil` for an unknown unit or an amount out of range.
    package static func interval(_ amount: Double, unit: String) -> Interval? {
        var unit = unit
        return unit.withUTF8 { Self.unit(UnsafeRawBufferPointer($0)) }.flatMap { IntervalMath.multiply($0, amount) }
    }

    private static func intervalPart(_ reader: inout Reader) -> Interval? {
        let isNegative = reader.take("-")
        if !isNegative { _ = reader.take("+") }
        guard let whole = reader.number(1...18) else { return nil }
        if reader.take(":") { return clock(&reader, hours: whole, isNegative: isNegative) }
        var fraction: Int64 = 0
        if reader.take(".") {
            guard let value = reader.fraction() else { return nil }
            fraction = value
        }
        reader.skipSpaces()
        guard let unit = unit(reader.word()) else { return nil }
        // The whole part is exact; only a fraction goes through floating point.
        guard let base = exactMultiple(unit, Int64(whole)),
            let rest = fraction == 0 ? Interval() : IntervalMath.multiply(unit, Double(fraction) / 1e9),
            let sum = IntervalMath.add(base, rest)
        else { return nil }
        return isNegative ? IntervalMath.negate(sum) : sum
    }

    private static func exactMultiple(_ unit: Interval, _ amount: Int64) -> Interval? {
        let months = Int64(unit.months).multipliedReportingOverflow(by: amount)
        let days = Int64(unit.days).multipliedReportingOverflow(by: amount)
        let nanoseconds = unit.nanoseconds.multipliedReportingOverflow(by: amount)
        guard !months.overflow, !days.overflow, !nanoseconds.overflow,
            let m = Int32(exactly: months.partialValue), let d = Int32(exactly: days.partialValue)
        else { return nil }
        return Interval(months: m, days: d, nanoseconds: nanoseconds.partialValue)
    }

    private static func clock(_ reader: inout Reader, hours: Int, isNegative: Bool) -> Interval? {
        guard let minutes = reader.number(2...2), minutes < 60 else { return nil }
        var seconds = 0
        var fraction: Int64 = 0
        if reader.take(":") {
            guard let value = reader.number(2...2), value < 60 else { return nil }
            seconds = value
            if reader.take(".") {
                guard let value = reader.fraction() else { return nil }
                fraction = value
            }
        }
        guard hours < 2_500_000 else { return nil }
        let total = Int64(hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + fraction
        return Interval(nanoseconds: isNegative ? -total : total)
    }

    private static let units: [String: Interval] = {
        let second: Int64 = 1_000_000_000
        let table: [([String], Interval)] = [
            (["ns", "nanosecond", "nanoseconds"], Interval(nanoseconds: 1)),
            (["us", "usec", "usecs", "microsecond", "microseconds"], Interval(nanoseconds: 1000)),
            (["ms", "msec", "msecs", "millisecond", "milliseconds"], Interval(nanoseconds: 1_000_000)),
            (["s", "sec", "secs", "second", "seconds"], Interval(nanoseconds: second)),
            (["m", "min", "mins", "minute", "minutes"], Interval(nanoseconds: 60 * second)),
            (["h", "hr", "hrs", "hour", "hours"], Interval(nanoseconds: 3600 * second)),
            (["d", "day", "days"], Interval(days: 1)),
            (["w", "week", "weeks"], Interval(days: 7)),
            (["mon", "mons", "month", "months"], Interval(months: 1)),
            (["quarter", "quarters"], Interval(months: 3)),
            (["y", "yr", "yrs", "year", "years"], Interval(months: 12)),
            (["decade", "decades"], Interval(months: 120)),
            (["century", "centuries"], Interval(months: 1200)),
            (["millennium", "millennia", "millenniums"], Interval(months: 12000)),
        ]
        var result: [String: Interval] = [:]
        for (names, value) in table { for name in names { result[name] = value } }
        return result
    }()

    private static func unit(_ word: UnsafeRawBufferPointer) -> Interval? {
        units[String(decoding: word, as: UTF8.self).lowercased()]
    }
}
