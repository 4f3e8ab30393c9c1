import MartletModel

/// Distance outside the quartiles in interquartile ranges (Tukey, Exploratory Data Analysis, 1977): 1.5 is the inner
/// fence, 3 the outer one.
struct TukeyFences: UnivariateModel {
    static let method = "iqr"
    static let summary = "distance outside the quartiles in interquartile ranges; for skewed series"
    static let parameters: [DetectorParameter] = [
        .integer("window", 60, 8...4096, "rows of which the quartiles are taken")
    ]

    private var window: SortedWindow
    private var last = (value: 0.0, distance: 0.0, low: 0.0, high: 0.0)

    init(_ parameters: DetectorParameters) { window = SortedWindow(parameters.integer("window")) }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        defer { window.push(value) }
        guard window.count >= 8 else { return .nan }
        let low = window.quantile(0.25)
        let high = window.quantile(0.75)
        let range = max(high - low, 1e-6 * max(abs(low), abs(high)) + 1e-12)
        let distance = max(low - value, value - high, 0) / range
        last = (value, distance, low, high)
        return distance
    }

    var explanation: Explanation {
        let range = last.high - last.low
        var result = Explanation.around(
            (last.low + last.high) / 2, 2 * range,
            "the value \(shortText(last.value)) lies \(shortText(last.distance)) interquartile ranges outside the "
                + "quartiles \(shortText(last.low)) and \(shortText(last.high))")
        if range.isFinite, range >= 0 { result.bounds = last.low - 1.5 * range...last.high + 1.5 * range }
        return result
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) { try window.transfer(&archive) }

    var heapBytes: Int { window.bytes }
}
