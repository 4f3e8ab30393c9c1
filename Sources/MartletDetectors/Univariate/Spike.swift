import MartletModel

/// A value that stands out from its neighbours: its distance from the median of the last few, in mean distances
/// (the Hampel filter of Pearson, IEEE Trans. Control Systems Technology 10, 2002, looking back only).
struct Spike: UnivariateModel {
    static let method = "spike"
    static let summary = "a value that stands out from the few before it; for series that wander"
    static let parameters: [DetectorParameter] = [
        .integer("window", 5, 3...64, "rows of which the median is taken")
    ]

    private var window: SortedWindow
    private var scale = Scale(span: 500)
    private var last = (value: 0.0, median: 0.0, ratio: 0.0, scale: 0.0)

    init(_ parameters: DetectorParameters) { window = SortedWindow(parameters.integer("window")) }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        defer { window.push(value) }
        guard window.count >= 3 else { return .nan }
        let median = window.quantile(0.5)
        let distance = abs(value - median)
        let unit = max(scale.value, 1e-6 * abs(median))
        let isReady = scale.count >= 8
        scale.add(distance)
        last = (value, median, distance / unit, unit)
        return isReady ? distance / unit : .nan
    }

    var explanation: Explanation {
        // The mean distance of a normal variable is 0.8 standard deviations.
        .around(
            last.median, 3.76 * last.scale,
            "the value \(shortText(last.value)) is \(shortText(last.ratio)) times as far from the median of the rows "
                + "before it, \(shortText(last.median)), as usual")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try window.transfer(&archive)
        try scale.transfer(&archive)
    }

    var heapBytes: Int { window.bytes }
}
