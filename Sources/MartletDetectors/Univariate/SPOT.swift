import MartletModel

/// Peaks over threshold (Siffer et al., Anomaly Detection in Streams with Extreme Value Theory, KDD 2017): the distance
/// from a moving mean (DSPOT; from none with depth 0: SPOT) and its tail fitted by a generalized Pareto distribution,
/// upwards and downwards apart. The raw score is 1 over the tail's probability.
///
/// The fit is that of Zhang and Stephens where the paper has Grimshaw's maximum likelihood: it cannot fail to converge.
struct SPOT: UnivariateModel {
    static let method = "spot"
    static let summary = "extreme-value tails of the distance from a moving mean; for heavy-tailed series"
    static let leastTailIndex = 0.7
    static let parameters: [DetectorParameter] = [
        .integer("depth", 20, 0...1000, "rows of the moving mean; 0: the value itself (SPOT)"),
        .init("tail", 0.02, 0.001...0.2, "share of rows in the tail"),
    ]
    private static let peakLimit = 64

    /// One side: its threshold, which is moved so that the wanted share of rows exceeds it, and its latest peaks.
    private struct Side {
        var threshold = 0.0
        var hits = 0.0
        var fresh = 0
        var peaks = Ring(SPOT.peakLimit)
        var tail = GeneralizedPareto()

        mutating func begin(_ share: Double) {
            let sorted = (0..<peaks.count).map { peaks[$0] }.sorted()
            let tail = max(1, min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.up))))
            threshold = sorted[sorted.count - 1 - tail]
            hits = share
            peaks = Ring(SPOT.peakLimit)
            for value in sorted[(sorted.count - tail)...] where value > threshold { peaks.push(value - threshold) }
            refit()
        }

        mutating func refit() {
            var excesses = (0..<peaks.count).map { peaks[$0] }
            excesses.sort()
            tail = GeneralizedPareto(fitting: excesses[...])
            fresh = 0
        }

        mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
            try archive.transfer(&threshold)
            try archive.transfer(&hits)
            try archive.transfer(&fresh, in: 0...SPOT.peakLimit)
            try peaks.transfer(&archive)
            try archive.transfer(&tail.shape)
            try archive.transfer(&tail.scale)
        }
    }

    private let share: Double
    private let usesDrift: Bool
    private var recent: Ring
    private var sum = 0.0
    private var sides = (up: Side(), down: Side())
    private var spread = Scale(span: 1000)
    private var rows = 0
    /// Rows whose distance was known.
    private var seen = 0
    private var last = (value: 0.0, drift: 0.0, score: 0.0)

    init(_ parameters: DetectorParameters) {
        share = parameters["tail"]
        recent = Ring(max(1, parameters.integer("depth")))
        usesDrift = parameters["depth"] > 0
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        let isReady = seen > Self.peakLimit
        let drift = usesDrift && recent.count > 0 ? sum / Double(recent.count) : 0
        let distance = value - drift
        rows += rows < Int.max ? 1 : 0
        if usesDrift, !recent.isFull {
            sum += value
            recent.push(value)
            return .nan
        }
        seen += seen < Int.max ? 1 : 0
        let score = max(
            Self.judge(&sides.up, distance, share, seen, spread.value),
            Self.judge(&sides.down, -distance, share, seen, spread.value))
        spread.add(abs(distance))
        last = (value, drift, score)
        if usesDrift {
            // An anomaly must not pull the mean: it counts as far as the bulk reaches.
            let limit = isReady ? 6 * spread.value : .infinity
            let bounded = drift + min(max(distance, -limit), limit)
            sum += bounded - (recent.push(bounded) ?? 0)
            if rows % 256 == 0 { sum = (0..<recent.count).reduce(0) { $0 + recent[$1] } }
        }
        return isReady ? NormalTail.odds(score) : .nan
    }

    private static func judge(
        _ side: inout Side, _ distance: Double, _ share: Double, _ rows: Int, _ spread: Double
    ) -> Double {
        // The first rows stand in the place of the peaks, to show where the tail begins.
        if rows <= peakLimit {
            side.peaks.push(distance)
            if rows == peakLimit { side.begin(share) }
            return 0
        }
        let excess = distance - side.threshold
        // Robbins and Monro: up by 1 - share at a hit, down by share otherwise, in steps of the spread.
        let step = spread * max(0.05, 1 / Double(rows).squareRoot())
        side.threshold += excess > 0 ? step * (1 - share) : -step * share
        side.hits += (Double(excess > 0 ? 1 : 0) - side.hits) / Double(min(rows, 2000))
        let unit = max(spread, 1e-12)
        guard excess > 0 else {
            // Below the threshold the order is kept: 0 far inside, that of the threshold at it.
            let inside = max(0, 1 + excess / (4 * unit))
            return inside * NormalTail.decades(share)
        }
        let probability = min(max(side.hits, share / 4), 1)
        let score = NormalTail.decades(probability) + side.tail.significance(excess)
        // An anomaly must not widen the tail: it counts as one that comes once in eight times the peaks at hand.
        let count = side.peaks.count
        side.peaks.push(min(excess, count < 8 ? 20 * unit : side.tail.quantile(0.125 / Double(count + 1))))
        side.fresh += 1
        if side.fresh >= (side.peaks.isFull ? 16 : 2) { side.refit() }
        return score
    }

    var explanation: Explanation {
        let isUp = last.value > last.drift
        let side = isUp ? sides.up : sides.down
        let low = last.drift - sides.down.threshold
        let high = last.drift + sides.up.threshold
        return Explanation(
            expected: usesDrift ? last.drift : nil, bounds: low <= high ? low...high : nil,
            reason: "the value \(shortText(last.value)) is \(shortText(abs(last.value - last.drift))) "
                + "\(isUp ? "above" : "below") \(usesDrift ? "the moving mean" : "0"), where the tail begins at "
                + "\(shortText(side.threshold))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try recent.transfer(&archive)
        try archive.transfer(&sum)
        try sides.up.transfer(&archive)
        try sides.down.transfer(&archive)
        try spread.transfer(&archive)
        try archive.transfer(&rows, in: 0...Int.max)
        try archive.transfer(&seen, in: 0...Int.max)
    }

    var heapBytes: Int { recent.bytes + sides.up.peaks.bytes + sides.down.peaks.bytes }
}
