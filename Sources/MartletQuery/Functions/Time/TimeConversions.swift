import MartletModel

extension FunctionRegistry {
    /// Timestamps and intervals made from numbers and turned into numbers and text, and the clock.
    mutating func registerConversions() {
        registerNow()
        registerEpochs()
        registerMakers()
        registerIntervals()
        register(
            ScalarDefinition(
                "strftime", "strftime(time, format)",
                [
                    Overload([.strictTime, .text], .string, Self.format(time: 0, pattern: 1)),
                    Overload([.text, .strictTime], .string, Self.format(time: 1, pattern: 0)),
                    Overload([.time, .text], .string, Self.format(time: 0, pattern: 1)),
                ]))
    }

    private static func format(
        time: Int, pattern: Int
    ) -> @Sendable (Call) throws(MartletError) -> Column {
        { (call) throws(MartletError) in
            let times = call.lane(time, Int64.self)
            let format = try TimeFormat(try call.constantText(pattern, "a time format"))
            return ColumnKernels.buildText(call.validity, call.rowCount) { format.append(times[$0], to: &$1) }
        }
    }

    private mutating func registerNow() {
        for name in ["now", "current_timestamp", "transaction_timestamp", "today", "current_date"] {
            let isDate = name == "today" || name == "current_date"
            register(
                ScalarDefinition(
                    name, "\(name)()",
                    [
                        Overload([], .timestamp) { (call) throws(MartletError) in
                            let now = call.context.now.nanoseconds
                            let time = isDate ? DatePart.day.truncate(now) ?? now : now
                            return try ColumnKernels.constant(
                                .timestamp(Timestamp(nanoseconds: time)), type: .timestamp, count: call.rowCount)
                        }
                    ]))
        }
    }

    private mutating func registerEpochs() {
        for (name, unit) in [("epoch_ns", Int64(1)), ("epoch_us", 1000), ("epoch_ms", 1_000_000)] {
            var overloads = [
                Overload([.time], .int64) { (call) throws(MartletError) in
                    ColumnKernels.mapFixed(call[0], type: .int64, rowCount: call.rowCount) {
                        (time: Int64) -> Int64 in CivilTime.floorDivide(time, unit)
                    }
                }
            ]
            if name == "epoch_ms" {
                // First, because an untyped NULL takes the first form and comes as a column of BIGINT.
                overloads.insert(
                    Overload([.integer], .timestamp) { (call) throws(MartletError) in
                        try Self.scaled(call, unit)
                    }, at: 0)
            }
            register(ScalarDefinition(name, "\(name)(time)", overloads))
        }
        let makers: [(String, Int64)] = [
            ("make_timestamp_ns", 1), ("make_timestamp_us", 1000), ("make_timestamp_ms", 1_000_000),
        ]
        for (name, unit) in makers {
            register(
                ScalarDefinition(
                    name, "\(name)(integer)",
                    [Overload([.integer], .timestamp) { (call) throws(MartletError) in try Self.scaled(call, unit) }]))
        }
        register(
            ScalarDefinition(
                "to_timestamp", "to_timestamp(seconds)",
                [
                    Overload([.integer], .timestamp) { (call) throws(MartletError) in
                        try Self.scaled(call, 1_000_000_000)
                    },
                    Overload([.float], .timestamp) { (call) throws(MartletError) in
                        try ColumnKernels.mapChecked(call[0], type: .timestamp, rowCount: call.rowCount, "to_timestamp")
                        {
                            (seconds: Double) -> Int64? in
                            // Seconds and their fraction apart, or nanoseconds would drown in the mantissa.
                            let whole = seconds.rounded(.down)
                            guard let base = Int64(exactly: whole) else { return nil }
                            let fraction = Int64(((seconds - whole) * 1e9).rounded())
                            let product = base.multipliedReportingOverflow(by: 1_000_000_000)
                            let sum = product.partialValue.addingReportingOverflow(fraction)
                            return product.overflow || sum.overflow ? nil : sum.partialValue
                        }
                    },
                ]))
    }

    private static func scaled(_ call: Call, _ unit: Int64) throws(MartletError) -> Column {
        try ColumnKernels.mapChecked(call[0], type: .timestamp, rowCount: call.rowCount, "the timestamp") {
            (value: Int64) -> Int64? in
            let (time, overflow) = value.multipliedReportingOverflow(by: unit)
            return overflow ? nil : time
        }
    }

    private mutating func registerMakers() {
        register(
            ScalarDefinition(
                "make_timestamp",
                "make_timestamp(year, month, day, hour, minute, second) or make_timestamp(microseconds)",
                [
                    Overload([.integer], .timestamp) { (call) throws(MartletError) in try Self.scaled(call, 1000) },
                    Overload([.integer, .integer, .integer, .integer, .integer, .float], .timestamp) {
                        (call) throws(MartletError) in
                        let fields = (0..<5).map { call.lane($0, Int64.self) }
                        let seconds = call.lane(5, Double.self)
                        return try ColumnKernels.buildFixed(type: .timestamp, call.validity, call.rowCount) {
                            (row) throws(MartletError) -> Int64 in
                            let values = fields.map { $0[row] }
                            if let time = Self.timestamp(values, seconds[row]) { return time }
                            throw MartletError(
                                .outOfRange,
                                "make_timestamp: \(values.map(String.init).joined(separator: ", ")), \(seconds[row]) is no moment"
                            )
                        }
                    },
                ]))
    }

    private static func timestamp(_ fields: [Int64], _ seconds: Double) -> Int64? {
        guard (1000...9999).contains(fields[0]), (1...12).contains(fields[1]), fields[2] >= 1,
            fields[2] <= Int64(CivilTime.daysInMonth(year: Int(fields[0]), month: Int(fields[1]))),
            (0..<24).contains(fields[3]), (0..<60).contains(fields[4]), seconds >= 0, seconds < 60
        else { return nil }
        let nanoseconds = Int64((seconds * 1e9).rounded())
        return CivilTime(
            year: Int(fields[0]), month: Int(fields[1]), day: Int(fields[2]),
            nanosecondOfDay: (fields[3] * 3600 + fields[4] * 60) * 1_000_000_000 + nanoseconds
        ).nanoseconds
    }

    private mutating func registerIntervals() {
        let second: Int64 = 1_000_000_000
        let units: [(String, Interval)] = [
            ("to_years", Interval(months: 12)), ("to_quarters", Interval(months: 3)),
            ("to_months", Interval(months: 1)),
            ("to_weeks", Interval(days: 7)), ("to_days", Interval(days: 1)),
            ("to_hours", Interval(nanoseconds: 3600 * second)), ("to_minutes", Interval(nanoseconds: 60 * second)),
            ("to_seconds", Interval(nanoseconds: second)), ("to_milliseconds", Interval(nanoseconds: 1_000_000)),
            ("to_microseconds", Interval(nanoseconds: 1000)), ("to_nanoseconds", Interval(nanoseconds: 1)),
        ]
        for (name, unit) in units {
            register(
                ScalarDefinition(
                    name, "\(name)(number)",
                    [
                        Overload([.float], .interval) { (call) throws(MartletError) in
                            try ColumnKernels.mapChecked(call[0], type: .interval, rowCount: call.rowCount, name) {
                                (amount: Double) -> Interval? in IntervalMath.multiply(unit, amount)
                            }
                        }
                    ]))
        }
    }
}

extension CivilTime {
    /// `later - earlier` in years, months, days and time, as PostgreSQL's `age`: fields are subtracted, and borrowed
    /// days are those of the earlier moment's month.
    static func age(_ later: Int64, _ earlier: Int64) -> Interval {
        if later < earlier {
            let positive = age(earlier, later)
            return Interval(months: -positive.months, days: -positive.days, nanoseconds: -positive.nanoseconds)
        }
        let a = CivilTime(nanoseconds: later)
        let b = CivilTime(nanoseconds: earlier)
        var months = a.monthNumber - b.monthNumber
        var days = a.day - b.day
        var nanoseconds = a.nanosecondOfDay - b.nanosecondOfDay
        if nanoseconds < 0 {
            nanoseconds += IntervalMath.nanosecondsPerDay
            days -= 1
        }
        if days < 0 {
            days += daysInMonth(year: b.year, month: b.month)
            months -= 1
        }
        return Interval(months: Int32(months), days: Int32(days), nanoseconds: nanoseconds)
    }
}
