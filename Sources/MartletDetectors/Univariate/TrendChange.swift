import MartletModel

/// Whether the slope has changed: that of the last `window` rows against that of those before them, in standard errors
/// of the difference (Chow, Econometrica 28, 1960, for the slope alone).
struct TrendChange: UnivariateModel {
    static let method = "trend_change"
    static let summary = "a slope that has changed between two neighbouring windows"
    static let leastTailIndex = NormalTail.tailIndexOfStretched
    static let parameters: [DetectorParameter] = [
        .integer("window", 30, 6...1024, "rows in each of the two windows")
    ]

    private let size: Int
    private var ring: Ring
    private var spread = Scale(span: 1000)
    private var last = (before: 0.0, after: 0.0, t: 0.0)

    init(_ parameters: DetectorParameters) {
        size = parameters.integer("window")
        ring = Ring(2 * size)
    }

    /// Least squares over the window whose newest row is `newest` places back: slope per row, squares of residuals.
    private func fit(_ newest: Int) -> (slope: Double, squares: Double) {
        let middle = Double(size - 1) / 2
        var sum = 0.0
        for age in 0..<size { sum += ring[newest + age] }
        let mean = sum / Double(size)
        var cross = 0.0
        var total = 0.0
        for age in 0..<size {
            let deviation = ring[newest + age] - mean
            cross += (middle - Double(age)) * deviation
            total += deviation * deviation
        }
        let width = Double(size) * (Double(size) * Double(size) - 1) / 12
        let slope = cross / width
        return (slope, max(0, total - slope * cross))
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        ring.push(value)
        guard ring.isFull else { return .nan }
        let after = fit(0)
        let before = fit(size)
        let deviation = ((after.squares + before.squares) / Double(2 * size - 4)).squareRoot()
        spread.add(deviation)
        let unit = max(deviation, 0.5 * spread.value, 1e-7 * abs(value))
        let width = Double(size) * (Double(size) * Double(size) - 1) / 12
        last = (before.slope, after.slope, (after.slope - before.slope) / (unit * (2 / width).squareRoot()))
        return NormalTail.stretched(last.t / 2)
    }

    var explanation: Explanation {
        Explanation(
            reason: "the slope of \(size) rows went from \(shortText(last.before)) to \(shortText(last.after)) a row, "
                + "\(shortText(abs(last.t))) standard errors")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try ring.transfer(&archive)
        try spread.transfer(&archive)
    }

    var heapBytes: Int { ring.bytes }
}
