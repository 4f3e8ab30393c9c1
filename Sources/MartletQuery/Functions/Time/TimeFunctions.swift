import MartletModel

extension FunctionRegistry {
    /// Timestamps (UTC) and intervals.
    mutating func registerTime() {
        registerBuckets()
        registerParts()
        registerTruncation()
        registerConversions()
        registerDifferences()
        registerZones()
    }

    private mutating func registerBuckets() {
        let bucket = { @Sendable (call: Call, kinds: String) throws(MartletError) -> Column in
            try Self.bucket(call, kinds)
        }
        register(
            ScalarDefinition(
                "time_bucket", "time_bucket(width, time[, zone][, origin or offset])",
                [
                    Overload([.interval, .time], .timestamp) { (call) throws(MartletError) in try bucket(call, "") },
                    Overload([.interval, .time, .strictInterval], .timestamp) { (call) throws(MartletError) in
                        try bucket(call, "f")
                    },
                    Overload([.interval, .time, .strictTime], .timestamp) { (call) throws(MartletError) in
                        try bucket(call, "o")
                    },
                    Overload([.interval, .time, .text], .timestamp) { (call) throws(MartletError) in
                        try bucket(call, "z")
                    },
                    Overload([.interval, .time, .text, .strictInterval], .timestamp) { (call) throws(MartletError) in
                        try bucket(call, "zf")
                    },
                    Overload([.interval, .time, .text, .strictTime], .timestamp) { (call) throws(MartletError) in
                        try bucket(call, "zo")
                    },
                ]))
    }

    /// `kinds` says what the arguments after the second are: z zone, o origin, f offset.
    private static func bucket(_ call: Call, _ kinds: String) throws(MartletError) -> Column {
        let widths = call.lane(0, Interval.self)
        let times = call.lane(1, Int64.self)
        func make(_ row: Int) throws(MartletError) -> TimeBucket {
            var origin: Int64?
            var offset = Interval()
            var zone: String?
            for (index, kind) in kinds.enumerated() {
                switch kind {
                case "z": zone = String(decoding: call[index + 2].stringBytes(row), as: UTF8.self)
                case "o": origin = call.lane(index + 2, Int64.self)[row]
                default: offset = call.lane(index + 2, Interval.self)[row]
                }
            }
            return try TimeBucket(width: widths[row], origin: origin, offset: offset, zone: zone)
        }
        let isConstant = call.constant.indices.allSatisfy { $0 == 1 || call.constant[$0] }
        if isConstant {
            var bucket = try make(0)
            return try ColumnKernels.buildFixed(type: .timestamp, call.validity, call.rowCount) {
                (row) throws(MartletError) -> Int64 in try bucket.start(of: times[row])
            }
        }
        return try ColumnKernels.buildFixed(type: .timestamp, call.validity, call.rowCount) {
            (row) throws(MartletError) -> Int64 in
            var bucket = try make(row)
            return try bucket.start(of: times[row])
        }
    }

    /// The part that a call's constant first argument names.
    private static func part(_ call: Call) throws(MartletError) -> DatePart {
        try DatePart.named(try call.constantText(0, "the part of a date"))
    }

    private mutating func registerParts() {
        let ofTime = { @Sendable (part: DatePart, column: Column, call: Call) throws(MartletError) -> Column in
            let times = Lane<Int64>(column, rowCount: call.rowCount)
            let validity = Validity(column, rowCount: call.rowCount)
            if part.isFractional {
                return try ColumnKernels.buildFixed(type: .float64, validity, call.rowCount) {
                    (row) throws(MartletError) -> Double in part.fraction(times[row])
                }
            }
            return try ColumnKernels.buildFixed(type: .int64, validity, call.rowCount) {
                (row) throws(MartletError) -> Int64 in part.value(times[row])
            }
        }
        // The part decides the type, and only the value is known at evaluation: DOUBLE serves all parts.
        for name in ["date_part", "datepart", "extract"] {
            register(
                ScalarDefinition(
                    name, "\(name)('part', time or interval)",
                    [
                        Overload([.text, .strictInterval], .float64) { (call) throws(MartletError) in
                            let part = try Self.part(call)
                            let values = call.lane(1, Interval.self)
                            return try ColumnKernels.buildFixed(type: .float64, call.validity, call.rowCount) {
                                (row) throws(MartletError) -> Double in
                                if part == .epoch { return Double(IntervalMath.comparable(values[row])) / 1e9 }
                                guard let value = part.value(values[row]) else {
                                    throw MartletError(.invalidArgument, "an interval has no \(part.rawValue)")
                                }
                                return Double(value)
                            }
                        },
                        Overload([.text, .time], .float64) { (call) throws(MartletError) in
                            try ColumnKernels.cast(try ofTime(try Self.part(call), call[1], call), to: .float64)
                        },
                    ]))
        }
        let named: [(String, DatePart)] = [
            ("year", .year), ("quarter", .quarter), ("month", .month), ("week", .week), ("weekofyear", .week),
            ("day", .day), ("dayofmonth", .day), ("dayofweek", .dow), ("weekday", .dow), ("dow", .dow), ("doy", .doy),
            ("isodow", .isodow),
            ("dayofyear", .doy), ("hour", .hour), ("minute", .minute), ("second", .second),
            ("millisecond", .millisecond), ("microsecond", .microsecond), ("nanosecond", .nanosecond),
            ("isoyear", .isoyear), ("yearweek", .yearweek), ("decade", .decade), ("century", .century),
            ("millennium", .millennium), ("era", .era), ("epoch", .epoch), ("julian", .julian),
        ]
        for (name, part) in named {
            register(
                ScalarDefinition(
                    name, "\(name)(time)",
                    [
                        Overload([.time], part.isFractional ? .float64 : .int64) { (call) throws(MartletError) in
                            try ofTime(part, call[0], call)
                        }
                    ]))
        }
        for (name, isDay) in [("dayname", true), ("monthname", false)] {
            register(
                ScalarDefinition(
                    name, "\(name)(time)",
                    [
                        Overload([.time], .string) { (call) throws(MartletError) in
                            let times = call.lane(0, Int64.self)
                            return ColumnKernels.buildText(call.validity, call.rowCount) { row, target in
                                let civil = CivilTime(nanoseconds: times[row])
                                let text =
                                    isDay ? TimeFormat.dayName(civil.isoWeekday) : TimeFormat.monthName(civil.month)
                                for byte in text.utf8 { target.append(byte) }
                            }
                        }
                    ]))
        }
    }

    private mutating func registerTruncation() {
        let truncate = { @Sendable (call: Call) throws(MartletError) -> Column in
            let part = try Self.part(call)
            let times = call.lane(1, Int64.self)
            var zone: ZoneClock?
            if call.count == 3 { zone = ZoneClock(try ZoneRules.named(try call.constantText(2, "the time zone"))) }
            return try ColumnKernels.buildFixed(type: .timestamp, call.validity, call.rowCount) {
                (row) throws(MartletError) -> Int64 in
                let time = times[row]
                let local = zone == nil ? time : zone!.local(time)
                if let local, let floor = part.truncate(local),
                    let start = zone == nil ? floor : zone!.utc(floor, notAfter: time)
                {
                    return start
                }
                if part == .epoch || part == .era {
                    throw MartletError(.invalidArgument, "a timestamp cannot be truncated to \(part.rawValue)")
                }
                throw MartletError(
                    .outOfRange, "date_trunc of \(TimeText.format(time)) is outside the range of a timestamp")
            }
        }
        for name in ["date_trunc", "datetrunc"] {
            register(
                ScalarDefinition(
                    name, "\(name)('part', time[, zone])",
                    [
                        Overload([.text, .time], .timestamp, truncate),
                        Overload([.text, .time, .text], .timestamp, truncate),
                    ]))
        }
        register(
            ScalarDefinition(
                "last_day", "last_day(time)",
                [
                    Overload([.time], .timestamp) { (call) throws(MartletError) in
                        try ColumnKernels.mapChecked(call[0], type: .timestamp, rowCount: call.rowCount, "last_day") {
                            (time: Int64) -> Int64? in
                            let civil = CivilTime(nanoseconds: time)
                            let day = CivilTime.daysInMonth(year: civil.year, month: civil.month)
                            return CivilTime(year: civil.year, month: civil.month, day: day).nanoseconds
                        }
                    }
                ]))
    }

    private mutating func registerDifferences() {
        for name in ["date_diff", "datediff"] {
            register(
                ScalarDefinition(
                    name, "\(name)('part', from, to)",
                    [
                        Overload([.text, .time, .time], .int64) { (call) throws(MartletError) in
                            let part = try Self.part(call)
                            let from = call.lane(1, Int64.self)
                            let to = call.lane(2, Int64.self)
                            return try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                                (row) throws(MartletError) -> Int64 in
                                if let count = part.boundaries(from: from[row], to: to[row]) { return count }
                                throw MartletError(.outOfRange, "the difference in \(part.rawValue)s is outside BIGINT")
                            }
                        }
                    ]))
        }
        let age = { @Sendable (later: Column, earlier: Column, call: Call) throws(MartletError) -> Column in
            let a = Lane<Int64>(later, rowCount: call.rowCount)
            let b = Lane<Int64>(earlier, rowCount: call.rowCount)
            return try ColumnKernels.buildFixed(
                type: .interval, Validity.all([later, earlier], rowCount: call.rowCount), call.rowCount
            ) { (row) throws(MartletError) -> Interval in CivilTime.age(a[row], b[row]) }
        }
        register(
            ScalarDefinition(
                "age", "age(later, earlier) or age(time)",
                [
                    Overload([.time, .time], .interval) { (call) throws(MartletError) in
                        try age(call[0], call[1], call)
                    },
                    Overload([.time], .interval) { (call) throws(MartletError) in
                        let today = DatePart.day.truncate(call.context.now.nanoseconds) ?? call.context.now.nanoseconds
                        let column = Column(.timestamp, unsafeElements: [today])
                        return try age(column, call[0], call)
                    },
                ]))
        for (name, op) in [("date_add", ArithmeticOperator.add), ("date_subtract", .subtract)] {
            register(
                ScalarDefinition(
                    name, "\(name)(time, interval)",
                    [
                        Overload([.time, .interval], .timestamp) { (call) throws(MartletError) in
                            try ColumnKernels.arithmetic(op, call[0], call[1], rowCount: call.rowCount)
                        }
                    ]))
        }
    }

    private mutating func registerZones() {
        for (name, toLocal) in [("timezone", true), ("local_to_utc", false)] {
            register(
                ScalarDefinition(
                    name, "\(name)(zone, time)",
                    [
                        Overload([.text, .time], .timestamp) { (call) throws(MartletError) in
                            let times = call.lane(1, Int64.self)
                            var clock = ZoneClock(try ZoneRules.named(try call.constantText(0, "the time zone")))
                            return try ColumnKernels.buildFixed(type: .timestamp, call.validity, call.rowCount) {
                                (row) throws(MartletError) -> Int64 in
                                let time = times[row]
                                if let moved = toLocal ? clock.local(time) : clock.utc(time) { return moved }
                                throw MartletError(
                                    .outOfRange, "\(TimeText.format(time)) leaves the range of a timestamp")
                            }
                        }
                    ]))
        }
    }
}
