/// Ranges of time, disjoint and ascending.
package struct TimeRanges: Sendable, Equatable {
    package private(set) var ranges: [TimeRange] = []

    package var isEmpty: Bool { ranges.isEmpty }

    /// Adds a range; ranges that touch become one. O(ranges).
    package mutating func add(_ range: TimeRange) {
        if range.isEmpty { return }
        var merged = range
        var result: [TimeRange] = []
        var isPlaced = false
        for present in ranges {
            if Self.touches(present, merged) {
                merged = merged.union(present)
            } else if present.upperBound < merged.lowerBound {
                result.append(present)
            } else {
                if !isPlaced { result.append(merged) }
                isPlaced = true
                result.append(present)
            }
        }
        if !isPlaced { result.append(merged) }
        ranges = result
    }

    /// Takes a range out. O(ranges).
    package mutating func remove(_ range: TimeRange) {
        if range.isEmpty { return }
        ranges = ranges.flatMap { present -> [TimeRange] in
            guard present.overlaps(range) else { return [present] }
            var rest: [TimeRange] = []
            if present.lowerBound < range.lowerBound {
                rest.append(TimeRange(present.lowerBound, range.lowerBound - 1))
            }
            if present.upperBound > range.upperBound {
                rest.append(TimeRange(range.upperBound + 1, present.upperBound))
            }
            return rest
        }
    }

    /// What is left of a range where others are taken out of it.
    package static func rest(of range: TimeRange, without others: some Sequence<TimeRange>) -> TimeRanges {
        var rest = TimeRanges(range)
        for other in others where !rest.isEmpty { rest.remove(other) }
        return rest
    }

    package func overlaps(_ range: TimeRange) -> Bool { ranges.contains { $0.overlaps(range) } }

    private static func touches(_ left: TimeRange, _ right: TimeRange) -> Bool {
        let (first, second) = left.lowerBound <= right.lowerBound ? (left, right) : (right, left)
        return first.upperBound == .max || second.lowerBound <= first.upperBound + 1
    }

    /// `lower:upper,...`.
    package var text: String { ranges.map { "\($0.lowerBound):\($0.upperBound)" }.joined(separator: ",") }

    package init() {}

    package init(_ range: TimeRange) { add(range) }

    /// Reads `text` back; `nil` for other text.
    package init?(text: String) {
        for part in text.split(separator: ",") {
            let bounds = part.split(separator: ":")
            guard bounds.count == 2, let lower = Int64(bounds[0]), let upper = Int64(bounds[1]), lower <= upper else {
                return nil
            }
            add(TimeRange(lower, upper))
        }
    }
}
