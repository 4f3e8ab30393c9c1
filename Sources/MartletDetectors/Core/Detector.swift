import MartletModel

/// Something that says how unusual each row of one series is, and learns from the row afterwards.
///
/// A detector gives raw scores on a scale of its own. `AnomalyScorer` compares each with the series' own past, so that
/// one threshold serves every detector and every series. A detector holds the state of one series, is bounded in
/// memory, allocates nothing per row, reads no clock, and is not thread-safe: one series, one detector, one caller.
public protocol Detector: AnyObject {
    /// How unusual the row is: 0 or more, larger is more unusual, on any scale that is monotone. `nan` means that the
    /// detector cannot tell (it is still warming up, or a value that it needs is missing).
    ///
    /// Rows come in order of time. Only rows before this one take part in its score.
    ///
    /// - Parameters:
    ///   - time: nanoseconds since 1970; never less than that of the row before.
    ///   - row: as many values as the detector has dimensions; `nan` where one is missing.
    func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double
    /// Learns from rows before any is scored. They are observed once more, in order, afterwards.
    ///
    /// - Throws: `.invalidArgument` when the rows cannot be learnt from (too few, all missing).
    func learn(_ baseline: Baseline) throws(MartletError)
    /// What the detector made of the row that it observed last. Asked for anomalous rows only: may allocate.
    var explanation: Explanation { get }
    /// What it found in its baseline and what it chose for it, a sentence each; empty for detectors that choose nothing.
    var remarks: [String] { get }
    /// Reads or writes everything that the detector has learnt: the archive knows which.
    ///
    /// - Throws: `.corrupt` when the bytes are not the state of such a detector.
    func transfer(_ archive: inout StateArchive) throws(MartletError)
    /// Bytes of memory that the detector holds.
    var stateBytes: Int { get }
    /// How fast the tail of the raw scores can fall at most, as the index of a power: P(score > s) ~ s^(-1 / index).
    /// 0.06 for distances in standard deviations; 0.5 for scores that are 1 / p, whose index is 1 in theory.
    /// The calibration holds the 16 highest doublings of the raw scores apart: scores spread over more lose their past.
    var leastTailIndex: Double { get }
    /// Whether the raw score is already 1 / p, calibrated on the series' past, and needs no second calibration.
    var isCalibrated: Bool { get }
}

extension Detector {
    /// Nothing beyond observing: right for detectors that learn from row to row.
    public func learn(_ baseline: Baseline) throws(MartletError) {}
    /// None.
    public var remarks: [String] { [] }
    /// That of distances.
    public var leastTailIndex: Double { ScoreHistory.tailIndexOfDistances }
    /// No.
    public var isCalibrated: Bool { false }
}

/// Rows of one series to learn from.
public struct Baseline: Sendable {
    /// The times, ascending.
    public var times: [Int64] = []
    /// Row after row, `dimensions` values each; `nan` where one is missing.
    public var values: [Double] = []
    /// Values a row.
    public let dimensions: Int

    /// No rows yet.
    public init(dimensions: Int) { self.dimensions = dimensions }

    /// The number of rows.
    public var count: Int { times.count }

    /// Adds a row of `dimensions` values.
    public mutating func append(_ time: Int64, _ row: UnsafePointer<Double>) {
        times.append(time)
        for index in 0..<dimensions { values.append(row[index]) }
    }

    mutating func transfer(_ archive: inout StateArchive, maximum: Int) throws(MartletError) {
        let count = try archive.transferCount(count, maximum: maximum, bytesEach: 8 * (dimensions + 1))
        if archive.isReading {
            times = [Int64](repeating: 0, count: count)
            values = [Double](repeating: 0, count: count * dimensions)
        }
        for index in 0..<count { try archive.transfer(&times[index]) }
        for index in 0..<count * dimensions { try archive.transfer(&values[index]) }
    }
}

/// What a detector made of a row.
public struct Explanation: Sendable, Hashable {
    /// The value that was expected, where the detector has an idea of one.
    public var expected: Double?
    /// The bounds within which a value passes as normal: three of the detector's own standard deviations.
    public var bounds: ClosedRange<Double>?
    /// What the detector saw, in words that follow "because": `the value is 7.1 standard deviations above the mean`.
    public var reason: String
    /// The dimensions that made it so, most important first; empty where there is one dimension.
    public var contributors: [Int]

    /// An explanation.
    public init(
        expected: Double? = nil, bounds: ClosedRange<Double>? = nil, reason: String, contributors: [Int] = []
    ) {
        self.expected = expected
        self.bounds = bounds
        self.reason = reason
        self.contributors = contributors
    }

    /// An explanation with bounds of `width` on each side of what was expected.
    static func around(_ expected: Double, _ width: Double, _ reason: String) -> Explanation {
        let isFinite = expected.isFinite && width.isFinite && width >= 0
        return Explanation(
            expected: expected.isFinite ? expected : nil, bounds: isFinite ? expected - width...expected + width : nil,
            reason: reason)
    }
}
