import MartletModel

/// Equal stretches of time: `time_bucket`, gap filling and pruning by buckets share this.
///
/// Buckets of months begin with the origin's month (January 2000); buckets of days and less are counted from Monday,
/// 2000-01-03, as TimescaleDB and DuckDB do. With a time zone the same is done on the zone's wall clock: a day is from
/// midnight to midnight there and may have 23 or 25 hours.
package struct TimeBucket {
    /// The width, either months or days and nanoseconds.
    package let width: Interval
    /// The width in nanoseconds; 0 for months.
    package let nanoseconds: Int64
    private let originNanoseconds: Int64
    private let originMonth: Int
    private let offset: Interval
    private var zone: ZoneClock?
    /// The bucket found last: rows mostly come in order of time.
    private var start: Int64 = 0
    private var end: Int64 = 0

    /// Monday, 2000-01-03.
    package static let defaultOrigin: Int64 = 946_857_600_000_000_000

    /// - Parameters:
    ///   - origin: a moment at which a bucket begins (on the zone's wall clock, if there is a zone).
    ///   - offset: moves all buckets.
    ///   - zone: an IANA name.
    /// - Throws: `.invalidArgument` for a width that is not positive or mixes months with days, or an unknown zone.
    package init(
        width: Interval, origin: Int64? = nil, offset: Interval = Interval(), zone: String? = nil
    ) throws(MartletError) {
        self.width = width
        self.offset = offset
        self.zone = try zone.map { (name) throws(MartletError) in ZoneClock(try ZoneRules.named(name)) }
        if width.months != 0 {
            guard width.days == 0, width.nanoseconds == 0 else {
                throw MartletError(.invalidArgument, "a bucket's width is either months or days and time, not both")
            }
            nanoseconds = 0
        } else {
            let days = Int64(width.days).multipliedReportingOverflow(by: IntervalMath.nanosecondsPerDay)
            let total = days.partialValue.addingReportingOverflow(width.nanoseconds)
            guard !days.overflow, !total.overflow else {
                throw MartletError(.invalidArgument, "a bucket's width is at most 292 years")
            }
            nanoseconds = total.partialValue
        }
        guard width.months > 0 || nanoseconds > 0 else {
            throw MartletError(.invalidArgument, "a bucket's width must be greater than 0")
        }
        originNanoseconds = nanoseconds > 0 ? Self.floorRemainder(origin ?? Self.defaultOrigin, nanoseconds) : 0
        originMonth = origin.map { CivilTime(nanoseconds: $0).monthNumber } ?? 24_000
    }

    /// Whether every bucket is `nanoseconds` long, so that it is a plain function of the time modulo the width.
    package var isUniform: Bool { nanoseconds > 0 && zone == nil && offset.months == 0 }

    /// A bucket's start, for a uniform bucket: the origin for storage's `SummaryGrain`.
    package var uniformOrigin: Int64? {
        guard isUniform else { return nil }
        return IntervalMath.add(originNanoseconds, offset).map { Self.floorRemainder($0, nanoseconds) }
    }

    @inline(__always)
    private static func floorRemainder(_ value: Int64, _ width: Int64) -> Int64 {
        let rest = value % width
        return rest < 0 ? rest + width : rest
    }

    /// The start of the bucket that holds `time`. O(1), and a comparison when it is the bucket found last.
    ///
    /// - Throws: `.outOfRange` when the start is before the range of a timestamp.
    @inline(__always)
    package mutating func start(of time: Int64) throws(MartletError) -> Int64 {
        if time >= start, time < end { return start }
        return try find(time)
    }

    private mutating func find(_ time: Int64) throws(MartletError) -> Int64 {
        let found = try compute(time)
        start = found
        end = found
        if zone == nil, nanoseconds > 0 {
            let (next, overflow) = found.addingReportingOverflow(nanoseconds)
            // A bucket that reaches past the range is not remembered; it is found again each time.
            if !overflow { end = next }
        } else if zone == nil, let next = try? next(after: found) {
            end = next
        }
        return found
    }

    private mutating func compute(_ time: Int64) throws(MartletError) -> Int64 {
        guard var local = zone == nil ? time : zone!.local(time) else { throw Self.outOfRange(time) }
        if offset != Interval() {
            guard let back = IntervalMath.negate(offset), let moved = IntervalMath.add(local, back) else {
                throw Self.outOfRange(time)
            }
            local = moved
        }
        guard var floor = Self.floor(local, nanoseconds, originNanoseconds, width, originMonth) else {
            throw Self.outOfRange(time)
        }
        if offset != Interval() {
            guard let moved = IntervalMath.add(floor, offset) else { throw Self.outOfRange(time) }
            floor = moved
        }
        if zone == nil { return floor }
        guard let result = zone!.utc(floor, notAfter: time) else { throw Self.outOfRange(time) }
        return result
    }

    private static func floor(
        _ time: Int64, _ nanoseconds: Int64, _ origin: Int64, _ width: Interval, _ originMonth: Int
    ) -> Int64? {
        if nanoseconds > 0 {
            let rest = floorRemainder(floorRemainder(time, nanoseconds) - origin, nanoseconds)
            let (start, overflow) = time.subtractingReportingOverflow(rest)
            return overflow ? nil : start
        }
        let months = Int(width.months)
        let month = CivilTime(nanoseconds: time).monthNumber - originMonth
        let first = CivilTime.floorDivide(month, months) * months + originMonth
        let year = CivilTime.floorDivide(first, 12)
        return CivilTime(year: year, month: first - year * 12 + 1, day: 1).nanoseconds
    }

    /// The start of the bucket after the one that starts at `start`.
    ///
    /// - Throws: `.outOfRange` at the end of the range of a timestamp.
    package mutating func next(after start: Int64) throws(MartletError) -> Int64 {
        guard var local = zone == nil ? start : zone!.local(start) else { throw Self.outOfRange(start) }
        if nanoseconds > 0 {
            let (next, overflow) = local.addingReportingOverflow(nanoseconds)
            if overflow { throw Self.outOfRange(start) }
            local = next
        } else {
            guard let next = IntervalMath.add(local, Interval(months: width.months)) else {
                throw Self.outOfRange(start)
            }
            local = next
        }
        if zone == nil { return local }
        guard let first = zone!.utc(local) else { throw Self.outOfRange(start) }
        // On the night of the change a short bucket's end may be two moments: the first of them after `start` counts.
        let aligned = try compute(first)
        return aligned > start ? aligned : first
    }

    private static func outOfRange(_ time: Int64) -> MartletError {
        MartletError(.outOfRange, "the bucket of \(TimeText.format(time)) is outside the range of a timestamp")
    }
}
