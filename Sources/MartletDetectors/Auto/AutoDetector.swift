import MartletModel

/// `auto`: for one value a combination chosen by the baseline (`AutoModel`); for several the isolation forest and
/// broken correlations, each calibrated, the greater 1 / p.
enum AutoDetector {
    static var method: DetectorMethod {
        DetectorMethod(
            AutoModel.method, AutoModel.summary, parameters: AutoModel.parameters, dimensions: 1...64,
            baselineRows: AutoModel.baselineRows
        ) { (parameters, dimensions) throws(MartletError) in
            if dimensions == 1 { return UnivariateDetector<AutoModel>(parameters) }
            return AutoMultivariate(dimensions)
        }
    }
}

/// The isolation forest and broken correlations together.
///
/// Correlations are judged after the baseline, odd combinations later: a forest of few rows takes what they have not
/// shown yet for odd.
private final class AutoMultivariate: Detector {
    /// Rows that the forest is grown from.
    private static let forestRows = 1024

    private let dimensions: Int
    private let forest: IsolationForest
    /// The rows so far, until the forest is grown.
    private var collected: Baseline?
    private let correlation: CorrelationBreak
    /// The forest's and the correlations'.
    private var scores: MemberScores

    init(_ dimensions: Int) {
        self.dimensions = dimensions
        forest = IsolationForest(DetectorParameters(IsolationForest.parameters), dimensions)
        correlation = CorrelationBreak(DetectorParameters(CorrelationBreak.parameters), dimensions)
        scores = MemberScores([forest.leastTailIndex, correlation.leastTailIndex])
        collected = Baseline(dimensions: dimensions)
    }

    func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        scores.begin()
        if collected == nil { scores.note(0, forest.observe(time, row)) }
        scores.note(1, correlation.observe(time, row))
        let score = scores.end(members: collected == nil ? 2 : 1)
        if collected != nil { collect(time, row) }
        return score
    }

    private func collect(_ time: Int64, _ row: UnsafePointer<Double>) {
        for dimension in 0..<dimensions where !row[dimension].isFinite { return }
        collected?.append(time, row)
        guard let rows = collected, rows.count == Self.forestRows else { return }
        // So many complete rows are enough: learning does not fail.
        do throws(MartletError) { try forest.learn(rows) } catch { preconditionFailure("\(error)") }
        collected = nil
        rows.values.withUnsafeBufferPointer { values in
            for index in 0..<rows.count {
                scores.begin()
                scores.note(0, forest.observe(rows.times[index], values.baseAddress! + index * dimensions))
            }
        }
    }

    var isCalibrated: Bool { true }
    var remarks: [String] {
        [
            "several values a row: the covariance finds a value that no longer follows the others, and after "
                + "\(Self.forestRows) rows an isolation forest odd combinations"
        ]
    }

    var explanation: Explanation {
        let isForest = scores.strongest == 0
        var result = isForest ? forest.explanation : correlation.explanation
        result.reason = "\(isForest ? "isolation_forest" : "correlation_break"): \(result.reason)"
        return result
    }

    func transfer(_ archive: inout StateArchive) throws(MartletError) {
        var isCollecting = collected != nil
        try archive.transfer(&isCollecting)
        if isCollecting {
            var rows = collected ?? Baseline(dimensions: dimensions)
            try rows.transfer(&archive, maximum: Self.forestRows - 1)
            collected = rows
        } else {
            collected = nil
            try forest.transfer(&archive)
        }
        try correlation.transfer(&archive)
        try scores.transfer(&archive)
    }

    var stateBytes: Int {
        forest.stateBytes + correlation.stateBytes + scores.bytes + 80
            + 8 * ((collected?.times.capacity ?? 0) + (collected?.values.capacity ?? 0))
    }
}
