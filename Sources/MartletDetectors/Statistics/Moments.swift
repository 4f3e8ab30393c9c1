import MartletModel

/// Mean and variance that weigh the recent more: plain ones for the first `span` values, exponential ones after them
/// (West, Comm. ACM 22, 1979; Finch, Incremental Calculation of Weighted Mean and Variance, 2009).
///
/// Values further than four standard deviations off are moved to there before they count, so that an anomaly does not
/// widen what is normal; a new level is followed all the same.
struct Moments {
    private(set) var mean = 0.0
    private(set) var variance = 0.0
    private(set) var count = 0
    private let span: Int

    init(span: Int) { self.span = max(2, span) }

    /// The standard deviation, never 0: a constant series has one of a millionth of its mean.
    @inline(__always)
    var deviation: Double { max(variance.squareRoot(), floor) }
    private var floor: Double { 1e-6 * abs(mean) + 1e-12 }

    /// How many standard deviations `value` is from the mean.
    @inline(__always)
    func standardized(_ value: Double) -> Double { (value - mean) / deviation }

    @inline(__always)
    mutating func add(_ value: Double) {
        var difference = value - mean
        if count >= 16 {
            // The floor is wide enough here that a constant series can learn that it is one no more.
            let limit = 4 * max(deviation, 1e-3 * abs(difference))
            difference = min(max(difference, -limit), limit)
        }
        if count < span { count += 1 }
        let weight = 1 / Double(count)
        let step = weight * difference
        mean += step
        variance = (1 - weight) * (variance + difference * step)
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&mean)
        try archive.transfer(&variance)
        try archive.transfer(&count, in: 0...span)
    }
}

/// A mean of magnitudes that weighs the recent more and counts none beyond five times itself.
struct Scale {
    private(set) var mean = 0.0
    private(set) var count = 0
    private let span: Int

    init(span: Int) { self.span = max(2, span) }

    /// The mean magnitude, never 0.
    var value: Double { max(mean, 1e-12) }

    @inline(__always)
    mutating func add(_ magnitude: Double) {
        var magnitude = magnitude
        if count >= 16, mean > 0 { magnitude = min(magnitude, 5 * mean) }
        if count < span { count += 1 }
        mean += (magnitude - mean) / Double(count)
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&mean)
        try archive.transfer(&count, in: 0...span)
    }
}
