import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Shewhart's 3-sigma chart with the Western Electric rules (Statistical Quality Control Handbook, 1956) and Nelson's
/// (J. Quality Technology 16, 1984).
///
/// Each rule is scored by how unlikely its pattern is on a normal process; the raw score is -log10 of the least of those
/// probabilities. So a run that goes on scores higher and higher, and rules are weighed against each other. Not the
/// inverse of the probability: runs of a series with a season span a hundred doublings of that, more than
/// `ScoreHistory` holds.
struct ControlChart: UnivariateModel {
    static let method = "spc"
    static let summary = "3-sigma chart with Western Electric and Nelson rules; for controlled processes"
    static let parameters: [DetectorParameter] = [
        .integer("span", 1000, 16...1_000_000, "rows over which mean and deviation forget"),
        .integer("rules", 0, 0...2, "0: both sets of rules, 1: Western Electric, 2: Nelson"),
    ]

    /// A pattern, in the order of `rules`.
    enum Rule: Int, CaseIterable {
        case beyond3, twoOf3Beyond2, fourOf5Beyond1, sameSide, trend, alternating, within1, bothSidesBeyond1

        var words: String {
            switch self {
            case .beyond3: "a value is beyond 3 standard deviations"
            case .twoOf3Beyond2: "2 of 3 values are beyond 2 standard deviations on one side"
            case .fourOf5Beyond1: "4 of 5 values are beyond 1 standard deviation on one side"
            case .sameSide: "a run of values is on one side of the mean"
            case .trend: "a run of values rises or falls steadily"
            case .alternating: "a run of values alternates up and down"
            case .within1: "a run of values is within 1 standard deviation"
            case .bothSidesBeyond1: "a run of values is beyond 1 standard deviation on either side"
            }
        }
    }

    private var moments: Moments
    private let rules: Int
    /// The last standardized values: enough for 2 of 3 and 4 of 5.
    private var recent = Ring(5)
    private var sameSide = 0
    private var trend = 0
    private var alternating = 0
    private var within1 = 0
    private var beyond1 = 0
    private var previous = 0.0
    private var last = (value: 0.0, mean: 0.0, deviation: 0.0)
    private(set) var rule = Rule.beyond3

    init(_ parameters: DetectorParameters) {
        moments = Moments(span: parameters.integer("span"))
        rules = parameters.integer("rules")
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        let z = moments.standardized(value)
        last = (value, moments.mean, moments.deviation)
        let isReady = moments.count >= 16
        let step = value - previous
        moments.add(value)
        count(z, step)
        previous = value
        return isReady ? judge(z) : .nan
    }

    /// Runs are counted with a sign where the side or direction matters.
    private mutating func count(_ z: Double, _ step: Double) {
        recent.push(z)
        sameSide = z > 0 ? max(sameSide, 0) + 1 : z < 0 ? min(sameSide, 0) - 1 : 0
        let isTurn = (step > 0 && trend < 0) || (step < 0 && trend > 0)
        alternating = isTurn ? alternating + 1 : step == 0 ? 0 : 1
        trend = step > 0 ? max(trend, 0) + 1 : step < 0 ? min(trend, 0) - 1 : 0
        within1 = abs(z) < 1 ? within1 + 1 : 0
        beyond1 = abs(z) >= 1 ? beyond1 + 1 : 0
    }

    private mutating func judge(_ z: Double) -> Double {
        rule = .beyond3
        var best = NormalTail.significance(z)
        func consider(_ candidate: Rule, _ significance: Double) {
            if significance > best {
                best = significance
                rule = candidate
            }
        }
        var beyond2 = 0
        for age in 0..<min(3, recent.count) where abs(recent[age]) > 2 && recent[age] * z > 0 { beyond2 += 1 }
        var side1 = 0
        for age in 0..<min(5, recent.count) where abs(recent[age]) > 1 && recent[age] * z > 0 { side1 += 1 }
        // Binomial tails of P(z > 2) = 0.02275 and P(z > 1) = 0.15866, both sides.
        if beyond2 >= 2 { consider(.twoOf3Beyond2, beyond2 == 2 ? 2.515 : 4.628) }
        if side1 >= 4 { consider(.fourOf5Beyond1, side1 == 4 ? 2.258 : 3.697) }
        let minimumRun = rules == 2 ? 9 : 8
        if abs(sameSide) >= minimumRun { consider(.sameSide, 0.30103 * Double(abs(sameSide) - 1)) }
        guard rules != 1 else { return best }
        // P(r steps in one direction) = 2 / (r + 1)!
        let steps = abs(trend)
        if steps >= 5 { consider(.trend, lgamma(Double(steps) + 2) * 0.434294 - 0.30103) }
        // Alternating permutations of n: 4 (2 / pi)^(n + 1) of them all (Andre, 1879).
        if alternating >= 13 { consider(.alternating, 0.19612 * Double(alternating + 2) - 0.60206) }
        if within1 >= 15 { consider(.within1, 0.16578 * Double(within1)) }
        if beyond1 >= 8 { consider(.bothSidesBeyond1, 0.49852 * Double(beyond1)) }
        return best
    }

    var explanation: Explanation {
        .around(last.mean, 3 * last.deviation, "\(rule.words) (value \(shortText(last.value)))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try moments.transfer(&archive)
        try recent.transfer(&archive)
        try archive.transfer(&sameSide, in: -Int.max / 2...Int.max / 2)
        try archive.transfer(&trend, in: -Int.max / 2...Int.max / 2)
        try archive.transfer(&alternating, in: 0...Int.max / 2)
        try archive.transfer(&within1, in: 0...Int.max / 2)
        try archive.transfer(&beyond1, in: 0...Int.max / 2)
        try archive.transfer(&previous)
    }

    var heapBytes: Int { recent.bytes }
}
