import MartletModel

/// Distance from the mean in standard deviations (Grubbs, Technometrics 11, 1969).
struct ZScore: UnivariateModel {
    static let method = "zscore"
    static let summary = "distance from the mean in standard deviations; for stable series without season"
    static let parameters: [DetectorParameter] = [
        .integer("span", 1000, 16...1_000_000, "rows over which mean and deviation forget")
    ]

    private var moments: Moments
    private var last = (value: 0.0, z: 0.0, mean: 0.0, deviation: 0.0)

    init(_ parameters: DetectorParameters) { moments = Moments(span: parameters.integer("span")) }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        let z = moments.standardized(value)
        last = (value, z, moments.mean, moments.deviation)
        let isReady = moments.count >= 8
        moments.add(value)
        return isReady ? abs(z) : .nan
    }

    var explanation: Explanation {
        .around(
            last.mean, 3 * last.deviation,
            "the value \(shortText(last.value)) is \(shortText(abs(last.z))) standard deviations "
                + "\(last.z < 0 ? "below" : "above") the mean of \(shortText(last.mean))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) { try moments.transfer(&archive) }
}
