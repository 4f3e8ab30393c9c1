import MartletModel

/// Distance from the median of a sliding window in units of its MAD (Iglewicz and Hoaglin, How to Detect and Handle
/// Outliers, 1993: 0.6745 |x - median| / MAD).
struct RobustZ: UnivariateModel {
    static let method = "robust_z"
    static let summary = "distance from the median in median absolute deviations; for series with outliers in them"
    static let parameters: [DetectorParameter] = [
        .integer("window", 60, 8...4096, "rows of which median and MAD are taken")
    ]

    private var window: SortedWindow
    private var scale: Scale
    private var last = (value: 0.0, z: 0.0, median: 0.0, unit: 1.0)

    init(_ parameters: DetectorParameters) {
        window = SortedWindow(parameters.integer("window"))
        scale = Scale(span: 1000)
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        defer { window.push(value) }
        guard window.count >= 8 else { return .nan }
        let median = window.quantile(0.5)
        let mad = window.medianDistance(to: median)
        scale.add(abs(value - median))
        // More than half of the window may be one value: then a part of the mean distance stands in for the MAD.
        let unit = max(mad / 0.6745, 0.25 * scale.value, 1e-6 * abs(median))
        let z = (value - median) / unit
        last = (value, z, median, unit)
        return abs(z)
    }

    var explanation: Explanation {
        .around(
            last.median, 3 * last.unit,
            "the value \(shortText(last.value)) is \(shortText(abs(last.z))) robust deviations "
                + "\(last.z < 0 ? "below" : "above") the median of \(shortText(last.median))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try window.transfer(&archive)
        try scale.transfer(&archive)
    }

    var heapBytes: Int { window.bytes }
}
