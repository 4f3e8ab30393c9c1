import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Whether the spread has changed: the logarithm of the variance of the last rows over the usual one, which for normal
/// values has a standard error of sqrt(2 / (window - 1)) (Bartlett and Kendall, Suppl. J. Royal Stat. Soc. 8, 1946).
struct VarianceChange: UnivariateModel {
    static let method = "variance_change"
    static let summary = "a spread that has changed; the level may move slowly"
    static let leastTailIndex = NormalTail.tailIndexOfStretched
    static let parameters: [DetectorParameter] = [
        .integer("window", 24, 4...1024, "rows of which the variance is taken"),
        .integer("span", 1000, 16...1_000_000, "rows over which the usual variance forgets"),
    ]

    private let size: Int
    private var ring: Ring
    /// Of the logarithm of the variance of a window.
    private var usual: Moments
    private var last = (log: 0.0, usual: 0.0, z: 0.0)

    init(_ parameters: DetectorParameters) {
        size = parameters.integer("window")
        ring = Ring(size + 1)
        usual = Moments(span: parameters.integer("span"))
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        ring.push(value)
        guard ring.isFull else { return .nan }
        // Half the mean squared difference of neighbours is a variance that a trend hardly moves (von Neumann, Ann.
        // Math. Statist. 12, 1941).
        var squares = 0.0
        for age in 0..<size {
            let step = ring[age] - ring[age + 1]
            squares += step * step
        }
        let scale = max(abs(value), 1e-9)
        let logarithm = log(max(squares / Double(2 * size), 1e-14 * scale * scale, 1e-280))
        let error = (3 / Double(size - 1)).squareRoot()
        let z = (logarithm - usual.mean) / max(error, usual.deviation)
        last = (logarithm, usual.mean, z)
        let isReady = usual.count >= size
        // Every row of an event is in `size` windows: bounded at two deviations, or a few events would be the usual.
        let bound = isReady ? 2 * max(error, usual.deviation) : .infinity
        usual.add(min(max(logarithm, usual.mean - bound), usual.mean + bound))
        return isReady ? NormalTail.stretched(z) : .nan
    }

    var explanation: Explanation {
        Explanation(
            reason: "the spread of \(size) rows, \(shortText(exp(last.log / 2))), is "
                + "\(shortText(exp((last.log - last.usual) / 2))) times the usual \(shortText(exp(last.usual / 2)))")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try ring.transfer(&archive)
        try usual.transfer(&archive)
    }

    var heapBytes: Int { ring.bytes }
}
