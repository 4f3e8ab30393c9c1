import MartletModel

/// Whether the level has changed: Welch's t between the last `window` rows and those before them (Welch, Biometrika
/// 34, 1947).
struct LevelShift: UnivariateModel {
    static let method = "level_shift"
    static let summary = "a mean that has changed between two neighbouring windows"
    static let parameters: [DetectorParameter] = [
        .integer("window", 20, 4...1024, "rows in each of the two windows")
    ]

    private let size: Int
    private var ring: Ring
    private var spread = Scale(span: 1000)
    private var last = (before: 0.0, after: 0.0, t: 0.0, error: 0.0)

    init(_ parameters: DetectorParameters) {
        size = parameters.integer("window")
        ring = Ring(2 * size)
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        ring.push(value)
        guard ring.isFull else { return .nan }
        var sums = (after: 0.0, before: 0.0)
        for age in 0..<size {
            sums.after += ring[age]
            sums.before += ring[age + size]
        }
        let after = sums.after / Double(size)
        let before = sums.before / Double(size)
        var squares = 0.0
        for age in 0..<size {
            let first = ring[age] - after
            let second = ring[age + size] - before
            squares += first * first + second * second
        }
        let deviation = (squares / Double(2 * size - 2)).squareRoot()
        spread.add(deviation)
        // Two windows that happen to be quiet must not make a shift of nothing.
        let unit = max(deviation, 0.5 * spread.value, 1e-6 * abs(before))
        let error = unit * (2 / Double(size)).squareRoot()
        last = (before, after, (after - before) / error, error)
        return abs(last.t)
    }

    var explanation: Explanation {
        .around(
            last.before, 3 * last.error,
            "the mean of \(size) rows went from \(shortText(last.before)) to \(shortText(last.after)), "
                + "\(shortText(abs(last.t))) standard errors")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try ring.transfer(&archive)
        try spread.transfer(&archive)
    }

    var heapBytes: Int { ring.bytes }
}
