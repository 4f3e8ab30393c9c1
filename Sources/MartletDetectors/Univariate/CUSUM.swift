import MartletModel

/// The two-sided cumulative sum (Page, Biometrika 41, 1954) of standardized values: what exceeds `k` adds up, and the
/// raw score is the sum in units of the decision interval `h`.
struct CUSUM: UnivariateModel {
    static let method = "cusum"
    static let summary = "cumulative sum of deviations; for small shifts that last"
    static let parameters: [DetectorParameter] = [
        .init("k", 0.5, 0...10, "deviation that is let pass, in standard deviations: half the shift to be found"),
        .init("h", 5, 0.1...100, "decision interval in standard deviations: the raw score is the sum divided by it"),
        .integer("span", 1000, 16...1_000_000, "rows over which mean and deviation forget"),
    ]
    /// Beyond this many decision intervals the sum does not grow, so that it comes back when the shift is over.
    private static let ceiling = 10.0

    private var moments: Moments
    private let slack: Double
    private let interval: Double
    private var high = 0.0
    private var low = 0.0
    private var last = (mean: 0.0, deviation: 0.0)

    init(_ parameters: DetectorParameters) {
        moments = Moments(span: parameters.integer("span"))
        slack = parameters["k"]
        interval = parameters["h"]
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        guard moments.count >= 16 else {
            moments.add(value)
            return .nan
        }
        last = (moments.mean, moments.deviation)
        let z = moments.standardized(value)
        moments.add(value)
        let top = interval * Self.ceiling
        high = min(max(0, returning(high, when: z < slack) + z - slack), top)
        low = min(max(0, returning(low, when: -z < slack) - z - slack), top)
        return max(high, low) / interval
    }

    /// Of what a sum has beyond the decision interval a fifth is forgotten when the shift seems to be over: the rows after
    /// it are normal ones.
    private func returning(_ sum: Double, when isOver: Bool) -> Double {
        isOver && sum > interval ? interval + 0.8 * (sum - interval) : sum
    }

    var explanation: Explanation {
        .around(
            last.mean, 3 * last.deviation,
            "deviations \(high > low ? "above" : "below") the mean of \(shortText(last.mean)) have added up to "
                + "\(shortText(max(high, low))) standard deviations")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try moments.transfer(&archive)
        try archive.transfer(&high)
        try archive.transfer(&low)
    }
}
