import MartletModel

/// The EWMA chart (Roberts, Technometrics 1, 1959): an exponential average in units of its own deviation,
/// sigma sqrt(lambda / (2 - lambda)). Finds small lasting shifts.
struct EWMAChart: UnivariateModel {
    static let method = "ewma"
    static let summary = "exponentially weighted average chart; for small lasting shifts"
    static let parameters: [DetectorParameter] = [
        .init("lambda", 0.2, 0.001...1, "weight of the newest value in the average"),
        .integer("span", 1000, 16...1_000_000, "rows over which mean and deviation forget"),
    ]

    private var moments: Moments
    private let lambda: Double
    private var average = 0.0
    private var last = (z: 0.0, mean: 0.0, unit: 0.0)

    init(_ parameters: DetectorParameters) {
        moments = Moments(span: parameters.integer("span"))
        lambda = parameters["lambda"]
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        if moments.count == 0 { average = value }
        // A single wild value must not carry the average away: it counts as five standard deviations at most.
        let limit = moments.count >= 16 ? 5 * max(moments.deviation, 1e-3 * abs(value - moments.mean)) : .infinity
        let bounded = min(max(value, moments.mean - limit), moments.mean + limit)
        average += lambda * (bounded - average)
        let unit = moments.deviation * (lambda / (2 - lambda)).squareRoot()
        let z = (average - moments.mean) / unit
        last = (z, moments.mean, unit)
        let isReady = moments.count >= 16
        moments.add(value)
        return isReady ? abs(z) : .nan
    }

    var explanation: Explanation {
        .around(
            last.mean, 3 * last.unit,
            "the weighted average \(shortText(average)) is \(shortText(abs(last.z))) of its deviations "
                + "\(last.z < 0 ? "below" : "above") the mean of \(shortText(last.mean))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try moments.transfer(&archive)
        try archive.transfer(&average)
    }
}
