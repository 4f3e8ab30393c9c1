/// A moment: signed nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// The whole range of `Int64` is valid: 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    /// Nanoseconds since the Unix epoch.
    public var nanoseconds: Int64

    /// A moment by its nanoseconds since the Unix epoch.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// The earliest moment that can be stored.
    public static let min = Timestamp(nanoseconds: .min)
    /// The latest moment that can be stored.
    public static let max = Timestamp(nanoseconds: .max)
}

/// A closed range of time: both ends belong to it, so that the whole of `Int64` can be named.
public struct TimeRange: Sendable, Hashable, Codable {
    /// The first nanosecond in the range.
    public var lowerBound: Int64
    /// The last nanosecond in the range.
    public var upperBound: Int64

    /// The range from `lowerBound` to `upperBound`, both included; empty when they are crossed.
    @inlinable public init(_ lowerBound: Int64, _ upperBound: Int64) {
        self.lowerBound = lowerBound
        self.upperBound = upperBound
    }

    /// Every moment.
    public static let all = TimeRange(.min, .max)
    /// No moment.
    public static let empty = TimeRange(.max, .min)

    /// Whether the range holds no moment.
    @inlinable public var isEmpty: Bool { lowerBound > upperBound }

    /// Whether `nanoseconds` lies in the range.
    @inlinable public func contains(_ nanoseconds: Int64) -> Bool {
        nanoseconds >= lowerBound && nanoseconds <= upperBound
    }

    /// Whether every moment of `other` lies in the range.
    @inlinable public func contains(_ other: TimeRange) -> Bool {
        other.isEmpty || (lowerBound <= other.lowerBound && other.upperBound <= upperBound)
    }

    /// Whether the two ranges share a moment.
    @inlinable public func overlaps(_ other: TimeRange) -> Bool {
        !isEmpty && !other.isEmpty && lowerBound <= other.upperBound && other.lowerBound <= upperBound
    }

    /// The moments in both ranges.
    @inlinable public func intersection(_ other: TimeRange) -> TimeRange {
        TimeRange(Swift.max(lowerBound, other.lowerBound), Swift.min(upperBound, other.upperBound))
    }

    /// The smallest range that holds both.
    @inlinable public func union(_ other: TimeRange) -> TimeRange {
        if isEmpty { return other }
        if other.isEmpty { return self }
        return TimeRange(Swift.min(lowerBound, other.lowerBound), Swift.max(upperBound, other.upperBound))
    }
}
