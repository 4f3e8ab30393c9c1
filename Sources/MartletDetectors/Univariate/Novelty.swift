import MartletModel

/// Distance to the nearest of the states that the series has been in, in several views of it, averaged.
///
/// The views: the value; the value beside its exponential means over 2, 10, 30 and 100 rows; those slow means alone; and
/// the value beside where in the day and in the week it came. Each finds what the others miss. Every view's distance
/// is calibrated on its own past, and the raw score is the geometric mean of their 1 / p.
///
/// The method is that of nearest-neighbour novelty (Knorr and Ng, VLDB 1998; Ramaswamy, Rastogi and Shim, SIGMOD 2000)
/// over the state space of a series, in bounded memory.
struct Novelty: UnivariateModel {
    static let method = "memory"
    static let summary = "distance to the nearest of the states that the series has been in; finds any novelty"
    static let leastTailIndex = 0.5
    static let parameters: [DetectorParameter] = [
        .integer("states", 128, 8...1024, "states that each view remembers"),
        .init("phase", 1, 0...10, "weight of the time of day and week, in deviations of the value; 0: none"),
    ]

    private static let weights: [Double] = [2.0 / 3, 2.0 / 11, 2.0 / 31, 2.0 / 101]
    private static let week = 604_800e9
    private static let day = 86_400e9

    private struct View {
        var memory: StateMemory
        var history = ScoreHistory()
        private var event = SurpriseRun()

        init(_ dimensions: Int, _ capacity: Int) {
            memory = StateMemory(dimensions: dimensions, capacity: capacity)
        }

        mutating func observe(_ state: UnsafePointer<Float>) -> Double {
            let nearest = memory.distance(to: state)
            let distance = Double(nearest)
            guard distance.isFinite else {
                memory.remember(state, distance: nearest)
                return 0
            }
            let significance = history.significance(of: distance)
            let isSurprise = history.isSurprise(significance)
            history.add(distance, significance: significance)
            if event.learns(from: isSurprise, within: AlarmPolicy.eventRows) {
                memory.remember(state, distance: nearest)
            }
            // No view says more than its past can show: the tail is judged once, over all views together.
            return min(significance, history.limit)
        }

        mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
            try memory.transfer(&archive)
            try history.transfer(&archive)
            try event.transfer(&archive)
        }
    }

    private let phaseWeight: Double
    private var moments = Moments(span: 2000)
    /// What the values are measured from and in: fixed once the first rows have shown it.
    private var origin = 0.0
    private var unit = 1.0
    private var rows = 0
    private var means = (0.0, 0.0, 0.0, 0.0)
    private var value: View
    private var horizons: View
    private var slow: View
    private var phase: View
    private var last = (value: 0.0, views: (0.0, 0.0, 0.0, 0.0))

    init(_ parameters: DetectorParameters) {
        self.init(states: parameters.integer("states"), phaseWeight: parameters["phase"])
    }

    init(states: Int, phaseWeight: Double) {
        self.phaseWeight = phaseWeight
        value = View(1, states)
        horizons = View(5, states)
        slow = View(2, states)
        phase = View(5, states)
    }

    private static let settling = 32

    mutating func observe(_ time: Int64, _ raw: Double) -> Double {
        rows += rows < Int.max ? 1 : 0
        if rows == 1 { means = (raw, raw, raw, raw) }
        means.0 += Self.weights[0] * (raw - means.0)
        means.1 += Self.weights[1] * (raw - means.1)
        means.2 += Self.weights[2] * (raw - means.2)
        means.3 += Self.weights[3] * (raw - means.3)
        moments.add(raw)
        if rows <= Self.settling {
            origin = moments.mean
            unit = moments.deviation
            return .nan
        }
        last.value = raw
        var state = (
            scaled(raw), scaled(means.0), scaled(means.1), scaled(means.2), scaled(means.3)
        )
        last.views = withUnsafePointer(to: &state) { pointer in
            pointer.withMemoryRebound(to: Float.self, capacity: 5) { state in
                (value.observe(state), horizons.observe(state), slow.observe(state + 3), 0.0)
            }
        }
        var sum = last.views.0 + last.views.1 + last.views.2
        guard phaseWeight > 0 else { return NormalTail.odds(sum / 3) }
        let daily = Self.circle(Double(time) / Self.day, 1.5 * phaseWeight)
        let weekly = Self.circle(Double(time) / Self.week, phaseWeight)
        var timed = (scaled(raw), daily.0, daily.1, weekly.0, weekly.1)
        last.views.3 = withUnsafePointer(to: &timed) { pointer in
            pointer.withMemoryRebound(to: Float.self, capacity: 5) { phase.observe($0) }
        }
        sum += last.views.3
        return NormalTail.odds(sum / 4)
    }

    @inline(__always)
    private func scaled(_ value: Double) -> Float { Float(min(max((value - origin) / unit, -1e15), 1e15)) }

    /// A point on a circle that grows with the fraction of `turns`, by its coordinates: a square's corners joined
    /// smoothly, which needs no sine and is as good a map of a period.
    @inline(__always)
    private static func circle(_ turns: Double, _ radius: Double) -> (Float, Float) {
        let angle = 4 * (turns - turns.rounded(.down))
        // Two triangle waves, a quarter apart, bent to a parabola: within 6 % of sine and cosine.
        func wave(_ place: Double) -> Double {
            let place = place >= 4 ? place - 4 : place
            let half = place < 2 ? place : place - 2
            let height = half * (2 - half)
            return place < 2 ? height : -height
        }
        return (Float(radius * wave(angle)), Float(radius * wave(angle + 1)))
    }

    var explanation: Explanation {
        let names = [
            ("its level", last.views.0), ("its recent course", last.views.1), ("its slow means", last.views.2),
            ("its level at this time of the day and week", last.views.3),
        ]
        let strongest = names.max { $0.1 < $1.1 }?.0 ?? "its level"
        return Explanation(
            expected: moments.mean,
            reason: "the series has not been in a state like this, most of all in \(strongest) (value "
                + "\(shortText(last.value)))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try moments.transfer(&archive)
        try archive.transfer(&origin)
        try archive.transfer(&unit)
        try archive.transfer(&rows, in: 0...Int.max)
        try archive.transfer(&means.0)
        try archive.transfer(&means.1)
        try archive.transfer(&means.2)
        try archive.transfer(&means.3)
        try value.transfer(&archive)
        try horizons.transfer(&archive)
        try slow.transfer(&archive)
        try phase.transfer(&archive)
    }

    var heapBytes: Int {
        value.memory.bytes + horizons.memory.bytes + slow.memory.bytes + phase.memory.bytes + 8 * ScoreHistory.binCount
    }
}
