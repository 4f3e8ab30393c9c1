import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a scorer says about a row.
public struct Verdict: Sendable, Hashable {
    /// The detector's own score.
    public var raw: Double
    /// -log10 of the p-value of that score among those of the series' past.
    public var significance: Double
    /// Whether the row is anomalous, and how gravely.
    public var severity: Severity?
    /// Whether the row is the first of an event: an alarm is due.
    public var isAlarm: Bool

    /// From 0 to 1, and the same for every detector: the share of normal rows that are less unusual. 0.99 and more
    /// occurs on about 1 % of normal rows.
    public var score: Double { 1 - pow(10, -significance) }
    /// Whether the row is anomalous.
    public var isAnomaly: Bool { severity != nil }
}

/// A detector with the calibration that makes its scores comparable: what scores one series.
///
/// Not thread-safe. After the baseline, `score` allocates nothing.
public final class AnomalyScorer {
    /// What can be set about the scorer of a kind of detector, beside the detector's own parameters.
    public static func parameters(of method: DetectorMethod) -> [DetectorParameter] {
        [
            .integer("baseline", method.baselineRows, 0...100_000, "rows to learn from before any is scored"),
            .integer("warmup", 32, 16...100_000, "raw scores to see before any is judged"),
        ] + AlarmPolicy.parameters
    }

    /// The kind of detector.
    public let method: DetectorMethod
    /// The parameters of the detector and of this scorer.
    public let parameters: DetectorParameters
    /// Values a row.
    public let dimensions: Int
    /// The detector.
    public let detector: any Detector

    private let isCalibrated: Bool
    private let warmup: Int
    private let baselineRows: Int
    private var baseline: Baseline?
    private var history: ScoreHistory
    private var policy: AlarmPolicy

    init(
        _ method: DetectorMethod, _ parameters: DetectorParameters, dimensions: Int, registry: DetectorRegistry
    ) throws(MartletError) {
        guard method.dimensions.contains(dimensions) else {
            let range = method.dimensions
            let wanted =
                range.count == 1
                ? "exactly \(range.lowerBound)"
                : range.upperBound == Int.max
                    ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw MartletError(
                .invalidArgument, "the detector '\(method.name)' looks at \(wanted) values a row, not \(dimensions)")
        }
        self.method = method
        self.parameters = parameters
        self.dimensions = dimensions
        detector = try method.make(parameters, dimensions)
        isCalibrated = detector.isCalibrated
        history = ScoreHistory(leastTailIndex: detector.leastTailIndex)
        warmup = parameters.integer("warmup")
        baselineRows = parameters.integer("baseline")
        policy = AlarmPolicy(parameters)
        if baselineRows > 0 { baseline = Baseline(dimensions: dimensions) }
    }

    /// Bytes of memory held.
    public var stateBytes: Int {
        detector.stateBytes + ScoreHistory.binCount * 2 + MemoryLayout<ScoreHistory>.size
            + MemoryLayout<AlarmPolicy>.size + 32 + 8 * ((baseline?.values.count ?? 0) + (baseline?.times.count ?? 0))
    }

    /// -log10 p from which a row is anomalous, at this moment.
    public var bar: Double { policy.bar }

    /// Learns from `baseline` now, instead of from the first rows that come.
    public func train(_ rows: Baseline) throws(MartletError) {
        precondition(rows.dimensions == dimensions, "a baseline of other dimensions")
        baseline = nil
        try detector.learn(rows)
        rows.values.withUnsafeBufferPointer { values in
            for index in 0..<rows.count {
                policy.advance(rows.times[index])
                note(detector.observe(rows.times[index], values.baseAddress! + index * dimensions))
            }
        }
    }

    private func note(_ raw: Double) {
        guard !raw.isNaN else { return }
        history.add(raw, significance: significance(of: raw))
    }

    private func significance(of raw: Double) -> Double {
        isCalibrated ? max(0, log10(min(raw, 1e300))) : history.significance(of: raw)
    }

    /// Judges a row by the rows before it; then learns from it. `nil` while the past is too short to judge, and where
    /// the detector cannot tell.
    ///
    /// - Throws: what `Detector.learn` throws, with the row that ends the baseline.
    public func score(_ time: Int64, _ row: UnsafePointer<Double>) throws(MartletError) -> Verdict? {
        if baseline != nil {
            baseline?.append(time, row)
            guard let rows = baseline, rows.count >= baselineRows else { return nil }
            do throws(MartletError) { try train(rows) } catch {
                // It tries again with as many rows as come next.
                baseline = Baseline(dimensions: dimensions)
                throw error
            }
            return nil
        }
        policy.advance(time)
        let raw = detector.observe(time, row)
        guard !raw.isNaN else { return nil }
        let significance = significance(of: raw)
        let isJudged = history.total >= warmup
        if !policy.isInEvent { history.add(raw, significance: significance) }
        guard isJudged else { return nil }
        let severity = policy.severity(significance)
        return Verdict(
            raw: raw, significance: significance, severity: severity,
            isAlarm: severity != nil && policy.raisesAlarm())
    }

    /// Judges a row of one value.
    public func score(_ time: Int64, _ value: Double) throws(MartletError) -> Verdict? {
        var verdict: Verdict?
        var failure: MartletError?
        withUnsafePointer(to: value) { pointer in
            do throws(MartletError) { verdict = try score(time, pointer) } catch { failure = error }
        }
        if let failure { throw failure }
        return verdict
    }

    /// Reads or writes what was learnt.
    func transfer(_ archive: inout StateArchive) throws(MartletError) {
        var pending = baseline != nil
        try archive.transfer(&pending)
        if pending {
            var rows = baseline ?? Baseline(dimensions: dimensions)
            try rows.transfer(&archive, maximum: max(baselineRows, 1))
            baseline = rows
            return
        }
        baseline = nil
        try policy.transfer(&archive)
        try history.transfer(&archive)
        try detector.transfer(&archive)
    }
}
