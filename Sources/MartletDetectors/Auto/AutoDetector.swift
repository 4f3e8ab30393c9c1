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
private final class AutoMultivariate: Detector {
    private let forest: IsolationForest
    private let correlation: CorrelationBreak
    /// The forest's and the correlations'.
    private var scores: MemberScores

    init(_ dimensions: Int) {
        forest = IsolationForest(DetectorParameters(IsolationForest.parameters), dimensions)
        correlation = CorrelationBreak(DetectorParameters(CorrelationBreak.parameters), dimensions)
        scores = MemberScores([forest.leastTailIndex, correlation.leastTailIndex])
    }

    func learn(_ baseline: Baseline) throws(MartletError) { try forest.learn(baseline) }

    func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        scores.begin()
        scores.note(0, forest.observe(time, row))
        scores.note(1, correlation.observe(time, row))
        return scores.end(members: 2)
    }

    var isCalibrated: Bool { true }
    var remarks: [String] {
        [
            "several values a row: an isolation forest finds odd combinations, the covariance a value that no longer follows the others"
        ]
    }

    var explanation: Explanation {
        let isForest = scores.strongest == 0
        var result = isForest ? forest.explanation : correlation.explanation
        result.reason = "\(isForest ? "isolation_forest" : "correlation_break"): \(result.reason)"
        return result
    }

    func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try forest.transfer(&archive)
        try correlation.transfer(&archive)
        try scores.transfer(&archive)
    }

    var stateBytes: Int { forest.stateBytes + correlation.stateBytes + scores.bytes + 80 }
}
