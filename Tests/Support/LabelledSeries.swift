import Foundation

/// A made series of which every anomalous row is known: what detectors are measured on.
public struct LabelledSeries: Sendable {
    /// What is wrong in an anomalous stretch.
    public enum Kind: String, Sendable, CaseIterable {
        /// A single row far off.
        case point
        /// Values that are common, at a time of the day when they are not.
        case contextual
        /// A stretch whose shape is another: the season stands still and noise of its own takes its place.
        case collective
        case levelShift = "level_shift"
        case variance
        /// The series begins to drift.
        case trend
        /// The sensor sticks.
        case flatLine = "flat_line"
        /// Rows are missing; the row after them is labelled.
        case gap
        /// One metric of several parts from the others. Only in series of several dimensions.
        case correlationBreak = "correlation_break"
    }

    /// What the series is like where nothing is wrong.
    public struct Shape: Sendable {
        /// Amplitude of the daily season, in standard deviations of the noise.
        public var season = 4.0
        /// Slope over the whole series, in the same unit.
        public var trend = 0.0
        /// How much of a row's noise is carried into the next: 0 is white.
        public var persistence = 0.3
        /// Seconds between rows.
        public var spacing = 300
        /// Values a row.
        public var dimensions = 1
        /// How far the values of a row move together, in standard deviations of the noise; 0: not at all.
        public var sharing = 3.0

        public init() {}
    }

    /// Nanoseconds, ascending.
    public var times: [Int64] = []
    /// Row after row.
    public var values: [Double] = []
    /// Whether each row is anomalous.
    public var labels: [Bool] = []
    /// The stretches of anomalous rows.
    public var events: [Range<Int>] = []
    public let dimensions: Int

    /// A series of `count` rows with `anomalies` stretches of `kind` after the first `quiet` rows.
    ///
    /// - Parameter strength: how far off, in standard deviations of the noise. 8 and more is obvious.
    public init(
        _ kind: Kind?, count: Int, anomalies: Int, quiet: Int, strength: Double = 10, shape: Shape = .init(),
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        dimensions = shape.dimensions
        let isSingle = kind == .point || kind == .gap
        var starts = Self.starts(anomalies, length: isSingle ? 1 : 40, from: quiet, to: count, &random)
        let day = 86_400.0
        let phase = Double.random(in: 0..<1, using: &random)
        if kind == .contextual {
            // Around a peak or trough of the day: elsewhere a season turned over is hardly another.
            for index in starts.indices {
                let middle = Double(starts[index].start + starts[index].length / 2 + 1)
                let turns = (Double(Self.origin) / 1e9 + middle * Double(shape.spacing)) / day + phase
                let ahead = (2 * turns - 0.5).rounded(.up) / 2 + 0.25 - turns
                starts[index].start += Int(ahead * day / Double(shape.spacing))
            }
        }
        let level = Double.random(in: -50...50, using: &random)
        let weekend = shape.season * 0.3
        let loads = (0..<dimensions).map { _ in Double.random(in: 0.5...2, using: &random) }
        var noise = [Double](repeating: 0, count: dimensions)
        let fresh = (1 - shape.persistence * shape.persistence).squareRoot()
        var time = Self.origin
        var common = 0.0
        var stuck = [Double](repeating: 0, count: dimensions)
        for row in 0..<count {
            time += Int64(shape.spacing) * 1_000_000_000
            let active = kind == nil ? nil : starts.first { row >= $0.start && row < $0.start + $0.length }
            let seconds = Double(time) / 1e9
            let turns = seconds / day + phase
            let isWeekend = Int((seconds / day).rounded(.down)) % 7 >= 5
            var season = shape.season * sin(2 * .pi * turns) + (isWeekend ? -weekend : 0)
            // Metrics of a device move together by what they share.
            common = 0.8 * common + 0.6 * Self.normal(&random)
            for dimension in 0..<dimensions {
                let white = Self.normal(&random)
                noise[dimension] = shape.persistence * noise[dimension] + fresh * white
                var value = noise[dimension]
                var isStuck = false
                if let active, let kind, dimension == 0 || kind == .gap {
                    let place = row - active.start
                    switch kind {
                    case .point, .levelShift: value += active.sign * strength
                    case .contextual: season = -season
                    case .collective: season = shape.season * (place % 12 < 6 ? 1 : -1)
                    case .variance: value *= max(2, strength / 2)
                    case .trend: value += active.sign * strength * 2 * Double(place) / Double(active.length)
                    case .flatLine: isStuck = place > 0
                    case .gap: if place == 0 && dimension == 0 { time += Int64(shape.spacing) * 1_000_000_000 * 12 }
                    case .correlationBreak: break
                    }
                }
                let shared =
                    active != nil && kind == .correlationBreak && dimension == 0
                    ? -shape.sharing * common : shape.sharing * common
                let total =
                    level + shape.trend * Double(row) / Double(count) + season * (dimensions > 1 ? 0 : 1) + value
                    + (dimensions > 1 ? shared * loads[dimension] : 0)
                if !isStuck { stuck[dimension] = total }
                values.append(stuck[dimension])
            }
            times.append(time)
            labels.append(active != nil)
        }
        if kind != nil { events = starts.map { $0.start..<min(count, $0.start + $0.length) } }
    }

    /// Nanoseconds before the first row.
    private static let origin: Int64 = 1_700_000_000_000_000_000

    private struct Start {
        var start: Int
        var length: Int
        var sign: Double
    }

    /// Stretches that keep their distance from each other.
    private static func starts(
        _ anomalies: Int, length: Int, from quiet: Int, to count: Int, _ random: inout SeededGenerator
    ) -> [Start] {
        guard anomalies > 0 else { return [] }
        let share = (count - quiet) / anomalies
        return (0..<anomalies).map { index in
            let room = max(1, share - length - 160)
            return Start(
                start: quiet + index * share + Int.random(in: 0..<room, using: &random), length: length,
                sign: Bool.random(using: &random) ? 1 : -1)
        }
    }

    /// A standard normal number (Box and Muller, 1958).
    public static func normal(_ random: inout SeededGenerator) -> Double {
        let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
    }
}
