import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct TimeFunctionTests {
    private func time(_ value: FieldValue?) -> String? {
        switch value {
        case .timestamp(let time)?: TimeText.format(time.nanoseconds)
        case .interval(let interval)?: TimeText.format(interval)
        default: nil
        }
    }

    private func bucket(_ width: String, _ moment: String, _ rest: Literal...) throws(MartletError) -> String? {
        let value: FieldValue? =
            switch rest.count {
            case 0: try call("time_bucket", .interval(width), .time(moment))
            case 1: try call("time_bucket", .interval(width), .time(moment), rest[0])
            default: try call("time_bucket", .interval(width), .time(moment), rest[0], rest[1])
            }
        return time(value)
    }

    @Test func `buckets of days begin on a Monday, buckets of months in January`() throws {
        #expect(try bucket("15 minutes", "2024-01-02 03:04:05") == "2024-01-02 03:00:00")
        #expect(try bucket("7 days", "2024-01-02") == "2024-01-01 00:00:00")
        #expect(try bucket("1 month", "2024-05-17 03:04:05") == "2024-05-01 00:00:00")
        #expect(try bucket("3 months", "2024-05-17") == "2024-04-01 00:00:00")
        #expect(try bucket("2 years", "1969-05-17") == "1968-01-01 00:00:00")
        #expect(try bucket("1 second", "1969-01-02 03:04:05.123") == "1969-01-02 03:04:05")
    }

    @Test func `an offset or an origin moves the buckets`() throws {
        #expect(try bucket("7 days", "2024-01-02", .interval("1 day")) == "2024-01-02 00:00:00")
        #expect(try bucket("7 days", "2024-01-02", .time("2024-01-01 12:00:00")) == "2024-01-01 12:00:00")
        #expect(try bucket("4 hours", "2024-01-02 03:04:05", .time("2024-01-01 01:00:00")) == "2024-01-02 01:00:00")
        #expect(try bucket("1 month", "2024-01-02", .interval("5 days")) == "2023-12-06 00:00:00")
        #expect(try bucket("5 months", "1969-05-17", .time("2000-01-31")) == "1969-03-01 00:00:00")
    }

    @Test func `days of a zone have 23 and 25 hours when the clocks change`() throws {
        #expect(try bucket("1 day", "2024-03-31 12:00:00", "Europe/Berlin") == "2024-03-30 23:00:00")
        #expect(try bucket("1 day", "2024-03-31 22:30:00", "Europe/Berlin") == "2024-03-31 22:00:00")
        #expect(try bucket("1 day", "2024-10-27 22:30:00", "Europe/Berlin") == "2024-10-26 22:00:00")
        #expect(try bucket("1 month", "2024-03-31 22:30:00", "Europe/Berlin") == "2024-03-31 22:00:00")
        #expect(try bucket("1 day", "2024-01-01 20:00:00", "+05:30") == "2024-01-01 18:30:00")
    }

    @Test func `hours of a zone that occur twice stay apart`() throws {
        #expect(try bucket("1 hour", "2024-10-27 00:30:00", "Europe/Berlin") == "2024-10-27 00:00:00")
        #expect(try bucket("1 hour", "2024-10-27 01:30:00", "Europe/Berlin") == "2024-10-27 01:00:00")
        #expect(try bucket("4 hours", "2024-10-27 02:30:00", "Europe/Berlin") == "2024-10-26 22:00:00")
    }

    @Test(arguments: ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
    func `a bucket never begins after its moment, and buckets follow each other`(_ zone: String) throws {
        let widths = ["1 day", "7 days", "1 month", "6 hours", "1 hour"].map(Columns.interval)
        for width in widths {
            var bucket = try TimeBucket(width: width, zone: zone)
            var fresh = try TimeBucket(width: width, zone: zone)
            var generator = SeededGenerator(seed: 5)
            var start = try bucket.start(of: Columns.time("2024-02-20 12:00:00"))
            for _ in 0..<400 {
                let next = try bucket.next(after: start)
                #expect(next > start)
                let moment = Int64.random(in: start..<next, using: &generator)
                #expect(try fresh.start(of: moment) == start, "\(zone) \(width) \(TimeText.format(moment))")
                start = next
            }
        }
    }

    @Test func `widths that make no buckets are refused`() {
        for width in ["-1 day", "0 days", "1 month 1 day"] {
            #expect(
                errorCode { () throws(MartletError) in try bucket(width, "2024-01-01") } == .invalidArgument, "\(width)"
            )
        }
        #expect(
            errorCode { () throws(MartletError) in try bucket("1 day", "2024-01-01", "Europe/Nowhere") }
                == .invalidArgument)
        #expect(
            errorCode { () throws(MartletError) in
                try call("time_bucket", .interval("300 years"), .value(.timestamp(.min)))
            } != nil)
    }

    @Test func `date_trunc cuts to the start of a part`() throws {
        let expected: [(String, String)] = [
            ("week", "2024-01-01 00:00:00"), ("month", "2024-01-01 00:00:00"), ("hour", "2024-01-03 01:00:00"),
            ("quarter", "2024-01-01 00:00:00"), ("year", "2024-01-01 00:00:00"), ("decade", "2020-01-01 00:00:00"),
            ("century", "2000-01-01 00:00:00"), ("millennium", "2000-01-01 00:00:00"),
            ("millisecond", "2024-01-03 01:02:03.123"),
        ]
        for (part, result) in expected {
            let value = try call("date_trunc", Literal(stringLiteral: part), .time("2024-01-03 01:02:03.123456"))
            #expect(time(value) == result, "\(part)")
        }
        #expect(
            time(try call("date_trunc", "day", .time("2024-03-31 22:30:00"), "Europe/Berlin")) == "2024-03-31 22:00:00")
        #expect(
            errorCode { () throws(MartletError) in try call("date_trunc", "fortnight", .time("2024-01-01")) }
                == .invalidArgument)
    }

    @Test func `the parts of a date are those of DuckDB`() throws {
        let expected: [(String, Double)] = [
            ("year", 2024), ("isoyear", 2025), ("week", 1), ("yearweek", 202501), ("doy", 366), ("dow", 2),
            ("isodow", 2),
            ("second", 3), ("millisecond", 3500), ("microsecond", 3_500_000), ("quarter", 4), ("decade", 202),
            ("century", 21), ("millennium", 3), ("era", 1), ("epoch", 1_735_606_923.5), ("hour", 1), ("minute", 2),
        ]
        for (part, value) in expected {
            let result = try call("date_part", Literal(stringLiteral: part), .time("2024-12-31 01:02:03.5"))
            #expect(result == .float64(value), "\(part)")
        }
        #expect(try call("year", .time("2024-12-31")) == .int64(2024))
        #expect(try call("dayofweek", .time("2024-01-07")) == .int64(0))
        #expect(try call("date_part", "epoch", .interval("1 month 1 day")) == .float64(2_678_400))
        #expect(try call("date_part", "hour", .interval("30 hours")) == .float64(30))
        #expect(try call("julian", .time("2024-12-31")) == .float64(2_460_676))
    }

    @Test func `moments are made from numbers and become numbers`() throws {
        #expect(time(try call("to_timestamp", 1.5)) == "1970-01-01 00:00:01.5")
        #expect(time(try call("make_timestamp", 2024, 1, 2, 3, 4, 5.5)) == "2024-01-02 03:04:05.5")
        #expect(
            errorCode { () throws(MartletError) in try call("make_timestamp", 2024, 2, 30, 0, 0, 0) } == .outOfRange)
        #expect(time(try call("make_timestamp_ns", 5)) == "1970-01-01 00:00:00.000000005")
        #expect(time(try call("epoch_ms", 1500)) == "1970-01-01 00:00:01.5")
        #expect(try call("epoch_ms", .time("1969-12-31 23:59:59.9995")) == .int64(-1))
        #expect(try call("epoch", .time("2024-01-01 00:00:00.25")) == .float64(1_704_067_200.25))
        #expect(try call("epoch_ns", .time("2024-01-01")) == .int64(1_704_067_200_000_000_000))
        #expect(time(try call("to_seconds", 90.5)) == "00:01:30.5")
    }

    @Test func `now is one moment for the whole statement`() throws {
        let now = Columns.time("2024-05-06 07:08:09")
        #expect(time(try call("now", now: now)) == "2024-05-06 07:08:09")
        #expect(time(try call("today", now: now)) == "2024-05-06 00:00:00")
        #expect(time(try call("age", .time("2024-05-01"), now: now)) == "5 days")
    }

    @Test func `ages count years, months and days`() throws {
        #expect(time(try call("age", .time("2001-04-10"), .time("1957-06-13"))) == "43 years 9 months 27 days")
        #expect(time(try call("age", .time("2024-01-31"), .time("2024-03-01"))) == "-1 month -1 day")
        #expect(time(try call("age", .time("2024-03-31"), .time("2024-02-29 12:00:00"))) == "1 month 1 day 12:00:00")
    }

    @Test func `differences count the boundaries between two moments`() throws {
        #expect(try call("date_diff", "hour", .time("2024-01-01 00:59:00"), .time("2024-01-01 01:00:00")) == .int64(1))
        #expect(try call("date_diff", "day", .time("2024-01-02"), .time("2024-01-01 23:00:00")) == .int64(-1))
        #expect(try call("date_diff", "month", .time("2023-12-31"), .time("2024-01-01")) == .int64(1))
        #expect(try call("date_diff", "week", .time("2024-01-01 23:00:00"), .time("2024-01-08 01:00:00")) == .int64(1))
    }

    @Test func `formats are those of strftime`() throws {
        let format = "%Y-%m-%d %H:%M:%S.%f %j %U %W %w %u %a %A %b %B %p %I %y %g %G %V %n %-d %x %X %c %%"
        let expected =
            "2024-01-02 03:04:05.123456 002 00 01 2 2 Tue Tuesday Jan January AM 03 24 123 2024 01 123456000 2 2024-01-02 03:04:05 2024-01-02 03:04:05 %"
        #expect(
            try call("strftime", .time("2024-01-02 03:04:05.123456"), Literal(stringLiteral: format))
                == .string(expected))
        #expect(
            errorCode { () throws(MartletError) in try call("strftime", .time("2024-01-02"), "%Q") } == .invalidArgument
        )
    }

    @Test func `zones turn moments into wall clocks and back`() throws {
        #expect(time(try call("timezone", "Europe/Berlin", .time("2024-03-31 02:30:00"))) == "2024-03-31 04:30:00")
        #expect(time(try call("local_to_utc", "Europe/Berlin", .time("2024-03-31 02:30:00"))) == "2024-03-31 01:30:00")
        #expect(time(try call("local_to_utc", "Europe/Berlin", .time("2024-10-27 02:30:00"))) == "2024-10-27 01:30:00")
        #expect(time(try call("local_to_utc", "Europe/Berlin", .time("2024-07-01 12:00:00"))) == "2024-07-01 10:00:00")
    }

    @Test func `other parts of the calendar`() throws {
        #expect(time(try call("last_day", .time("2024-02-03"))) == "2024-02-29 00:00:00")
        #expect(try call("dayname", .time("2024-01-01")) == .string("Monday"))
        #expect(try call("monthname", .time("2024-01-01")) == .string("January"))
    }
}
