import Foundation
import MartletModel
import Synchronization

/// The offsets of one time zone, from Foundation's tables, with the stretches between transitions remembered.
///
/// Foundation is asked at the ends of weeks only; a week whose ends differ is bisected to the second of the transition.
/// Two transitions that cancel out within one week would be missed; no zone of the tz database has such a pair.
final class ZoneRules: Sendable {
    /// A stretch of time with one offset, in seconds since the epoch.
    struct Stretch: Sendable {
        var start: Int64
        var end: Int64
        /// Seconds east of Greenwich.
        var offset: Int64
    }

    private static let week: Int64 = 604_800
    private static let known = Mutex<[String: ZoneRules]>([:])

    private let zone: TimeZone
    private let weeks = Mutex<[Int64: [Stretch]]>([:])

    private init(_ zone: TimeZone) { self.zone = zone }

    /// The rules of an IANA zone (`Europe/Berlin`), `UTC` or a fixed offset (`+02:00`).
    ///
    /// - Throws: `.invalidArgument` for an unknown zone.
    static func named(_ name: String) throws(MartletError) -> ZoneRules {
        if let rules = known.withLock({ $0[name] }) { return rules }
        var text = name
        let offset = text.withUTF8 { bytes -> Int? in
            var reader = Reader(UnsafeRawBufferPointer(bytes))
            guard let next = reader.next, next == UInt8(ascii: "+") || next == UInt8(ascii: "-") else { return nil }
            let offset = reader.zone()
            return reader.isAtEnd ? offset : nil
        }
        let isNamed = name.contains("/") || ["UTC", "GMT", "Z"].contains(name.uppercased())
        guard
            let zone = offset.flatMap({ TimeZone(secondsFromGMT: $0) })
                ?? (name.uppercased() == "Z" ? TimeZone(secondsFromGMT: 0) : isNamed ? TimeZone(identifier: name) : nil)
        else {
            throw MartletError(
                .invalidArgument, "'\(name)' is no known time zone", hint: "write an IANA name like 'Europe/Berlin'")
        }
        let rules = ZoneRules(zone)
        known.withLock { $0[name] = rules }
        return rules
    }

    /// The stretch that holds a second.
    func stretch(at second: Int64) -> Stretch {
        let week = CivilTime.floorDivide(second, Self.week)
        let stretches = weeks.withLock { weeks -> [Stretch] in
            if let known = weeks[week] { return known }
            let found = Self.split(zone, from: week * Self.week, to: (week + 1) * Self.week)
            weeks[week] = found
            return found
        }
        return stretches.first { second < $0.end } ?? stretches[stretches.count - 1]
    }

    private static func split(_ zone: TimeZone, from start: Int64, to end: Int64) -> [Stretch] {
        func offset(_ second: Int64) -> Int64 {
            Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(second))))
        }
        let first = offset(start)
        let last = offset(end - 1)
        if first == last { return [Stretch(start: start, end: end, offset: first)] }
        var low = start
        var high = end - 1
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(middle) == first { low = middle } else { high = middle }
        }
        return [Stretch(start: start, end: high, offset: first), Stretch(start: high, end: end, offset: last)]
    }
}

/// Conversions between UTC and one zone's wall clock, in nanoseconds, with the stretch used last at hand.
struct ZoneClock {
    private let rules: ZoneRules
    private var last = ZoneRules.Stretch(start: 0, end: 0, offset: 0)

    init(_ rules: ZoneRules) { self.rules = rules }

    private static let second: Int64 = 1_000_000_000

    /// The zone's offset at a moment, in nanoseconds.
    @inline(__always)
    mutating func offset(at time: Int64) -> Int64 {
        let second = CivilTime.floorDivide(time, Self.second)
        if second < last.start || second >= last.end { last = rules.stretch(at: second) }
        return last.offset * Self.second
    }

    /// The wall clock of a moment, as nanoseconds of a UTC clock that shows the same; `nil` out of range.
    mutating func local(_ time: Int64) -> Int64? {
        let (local, overflow) = time.addingReportingOverflow(offset(at: time))
        return overflow ? nil : local
    }

    /// The moment of a wall clock. A time that occurs twice is its second occurrence (standard time), one that is left
    /// out is moved past the gap, as in PostgreSQL.
    mutating func utc(_ local: Int64) -> Int64? {
        guard let (first, second) = candidates(local) else { return nil }
        return second ?? first
    }

    /// The latest moment at or before `bound` whose wall clock shows `local`; where none does, the first after the gap.
    mutating func utc(_ local: Int64, notAfter bound: Int64) -> Int64? {
        guard let (first, second) = candidates(local) else { return nil }
        if let second, second <= bound { return second }
        return first
    }

    private mutating func candidates(_ local: Int64) -> (first: Int64, second: Int64?)? {
        let day = IntervalMath.nanosecondsPerDay
        guard local > Int64.min + 3 * day, local < Int64.max - 3 * day else { return nil }
        let before = offset(at: local - day)
        let after = offset(at: local + day)
        let early = local - before
        let late = local - after
        if before == after { return (early, nil) }
        let earlyHolds = offset(at: early) == before
        let lateHolds = offset(at: late) == after
        if earlyHolds, lateHolds { return (early, late) }
        // Neither holds in a gap: the offset before it carries the clock past it.
        return (lateHolds ? late : early, nil)
    }
}
