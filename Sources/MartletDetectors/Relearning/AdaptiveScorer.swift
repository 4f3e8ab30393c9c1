import MartletModel

/// A scorer of one series that is measured on rows held back from it, and that is replaced by a successor when the series
/// has become another.
///
/// When rows stay unusual for longer than an anomaly does (`DriftWatch`), a new scorer learns beside the old one, which goes
/// on judging: nothing is silent meanwhile, and no row is read again. Once the drift is certain and the successor judges, it
/// takes over.
///
/// Not thread-safe.
public final class AdaptiveScorer {
    /// What the last row changed about the model.
    public enum Change: Sendable, Hashable {
        /// It judges from now on.
        case learnt
        /// A successor that learnt what the series has become takes its place with the next row.
        case relearnt
        /// Its accuracy is known.
        case measured
    }

    /// Verdicts before rows are held back: the calibration has seen some by then.
    private static let settling = 256
    /// Verdicts of a successor before it takes over.
    private static let probation = 32

    /// The scorer that judges.
    public private(set) var scorer: AnomalyScorer
    /// How often a successor has taken over.
    public private(set) var relearnings: Int64 = 0
    /// The time of the first row that the model learnt from; nil before it.
    public private(set) var learntFrom: Int64?
    /// The time of the row with which the model began to judge; nil before it.
    public private(set) var judgesSince: Int64?
    /// How it did on rows that were held back; nil until they are there.
    public private(set) var accuracy: ModelAccuracy?
    /// What the last row changed.
    public private(set) var change: Change?

    private let registry: DetectorRegistry
    private let followsDrift: Bool
    private var verdicts: Int64 = 0
    private var heldBack: HeldBackRows?
    private var drift = DriftWatch()
    private var isCertain = false
    private var successor: (scorer: AnomalyScorer, from: Int64, verdicts: Int64)?

    /// - Parameter followsDrift: whether successors take over.
    public init(_ scorer: AnomalyScorer, registry: DetectorRegistry, followsDrift: Bool) {
        self.scorer = scorer
        self.registry = registry
        self.followsDrift = followsDrift
    }

    /// Learns from `rows` now, instead of from the first rows that come.
    ///
    /// - Throws: what `Detector.learn` throws.
    public func train(_ rows: Baseline) throws(MartletError) {
        learntFrom = rows.times.first ?? learntFrom
        try scorer.train(rows)
    }

    /// Judges a row by the rows before it; then learns from it.
    ///
    /// - Throws: what `Detector.learn` throws, with the row that ends a baseline.
    public func score(_ time: Int64, _ row: UnsafePointer<Double>) throws(MartletError) -> Verdict? {
        if change == .relearnt { takeOver() }
        change = nil
        if learntFrom == nil { learntFrom = time }
        let verdict = try scorer.score(time, row)
        if let verdict {
            verdicts += 1
            if judgesSince == nil {
                judgesSince = time
                change = .learnt
            }
            if followsDrift { drift.note(verdict.significance) }
        }
        if accuracy == nil { try holdBack(time, row) }
        if followsDrift { follow(time, row) }
        return verdict
    }

    private func holdBack(_ time: Int64, _ row: UnsafePointer<Double>) throws(MartletError) {
        if heldBack == nil {
            guard verdicts >= Self.settling else { return }
            heldBack = HeldBackRows(model: scorer.state(), rows: Baseline(dimensions: scorer.dimensions))
            return
        }
        heldBack?.rows.append(time, row)
        guard let rows = heldBack, rows.isFull else { return }
        accuracy = try rows.measure(registry)
        heldBack = nil
        change = .measured
    }

    private func follow(_ time: Int64, _ row: UnsafePointer<Double>) {
        if drift.level >= DriftWatch.certainty { isCertain = true }
        if successor == nil {
            guard drift.level >= DriftWatch.suspicion else { return }
            // The same kind with the same parameters can be made again.
            guard let fresh = try? scorer.fresh(registry) else { return }
            successor = (fresh, time, 0)
        }
        do throws(MartletError) {
            if try successor?.scorer.score(time, row) != nil { successor?.verdicts += 1 }
        } catch {
            // What came since cannot be learnt from: the model stays, and the next suspicion begins anew.
            forgetSuccessor()
            return
        }
        if isCertain, let successor, successor.verdicts >= Self.probation {
            change = .relearnt
        } else if drift.level == 0, !isCertain {
            forgetSuccessor()
        }
    }

    private func forgetSuccessor() {
        successor = nil
        isCertain = false
        drift = DriftWatch()
    }

    private func takeOver() {
        guard let successor else { return }
        scorer = successor.scorer
        learntFrom = successor.from
        judgesSince = nil
        verdicts = 0
        accuracy = nil
        heldBack = nil
        relearnings += 1
        forgetSuccessor()
    }

    /// Bytes of memory held.
    public var stateBytes: Int {
        scorer.stateBytes + (successor?.scorer.stateBytes ?? 0)
            + (heldBack.map { $0.model.count + 8 * ($0.rows.values.count + $0.rows.times.count) } ?? 0) + 160
    }
}

extension AnomalyScorer {
    /// A scorer of the same kind and with the same parameters that has seen nothing.
    func fresh(_ registry: DetectorRegistry) throws(MartletError) -> AnomalyScorer {
        try AnomalyScorer(method, parameters, dimensions: dimensions, registry: registry)
    }
}

// MARK: State

extension AdaptiveScorer {
    private static let version: UInt8 = 1

    /// Everything that was learnt, as versioned bytes: format-spec/detector-state.md.
    public func state() -> [UInt8] {
        var archive = StateArchive()
        do throws(MartletError) { try transfer(&archive) } catch {
            preconditionFailure("the state of '\(scorer.method.name)' cannot be written: \(error)")
        }
        return archive.bytes
    }

    /// The scorer whose state `bytes` are.
    ///
    /// - Throws: as `DetectorRegistry.scorer(restoring:)`.
    public convenience init(
        restoring bytes: [UInt8], registry: DetectorRegistry, followsDrift: Bool
    ) throws(MartletError) {
        var archive = StateArchive(reading: bytes)
        var version = Self.version
        var model: [UInt8] = []
        try archive.transfer(&version)
        guard version == Self.version else {
            throw MartletError(
                .unsupportedVersion, "the state of a series is of version \(version); this build reads 1")
        }
        try archive.transfer(&model, maximum: 1 << 26)
        self.init(try registry.scorer(restoring: model), registry: registry, followsDrift: followsDrift)
        try transferRest(&archive)
        guard archive.isAtEnd else { throw StateArchive.corrupt("is followed by other bytes") }
    }

    private func transfer(_ archive: inout StateArchive) throws(MartletError) {
        var version = Self.version
        var model = scorer.state()
        try archive.transfer(&version)
        try archive.transfer(&model, maximum: 1 << 26)
        try transferRest(&archive)
    }

    private func transferRest(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&relearnings)
        try archive.transfer(&learntFrom)
        try archive.transfer(&judgesSince)
        try archive.transfer(&verdicts)
        try drift.transfer(&archive)
        try archive.transfer(&isCertain)
        var isRelearnt = change == .relearnt
        try archive.transfer(&isRelearnt)
        var hasAccuracy = accuracy != nil
        try archive.transfer(&hasAccuracy)
        if hasAccuracy {
            var result =
                accuracy
                ?? ModelAccuracy(
                    rows: 0, falseAnomalies: 0, spikes: .init(found: 0, injected: 0),
                    shifts: .init(found: 0, injected: 0), flatLines: .init(found: 0, injected: 0))
            try result.transfer(&archive)
            accuracy = result
        }
        var hasHeldBack = heldBack != nil
        try archive.transfer(&hasHeldBack)
        if hasHeldBack {
            var rows = heldBack ?? HeldBackRows(model: [], rows: Baseline(dimensions: scorer.dimensions))
            try rows.transfer(&archive)
            heldBack = rows
        }
        var hasSuccessor = successor != nil
        try archive.transfer(&hasSuccessor)
        if hasSuccessor {
            var model = successor?.scorer.state() ?? []
            var from = successor?.from ?? 0
            var verdicts = successor?.verdicts ?? 0
            try archive.transfer(&model, maximum: 1 << 26)
            try archive.transfer(&from)
            try archive.transfer(&verdicts)
            if archive.isReading {
                let restored = try registry.scorer(restoring: model)
                guard restored.dimensions == scorer.dimensions else {
                    throw StateArchive.corrupt("has a successor of other dimensions")
                }
                successor = (restored, from, verdicts)
            }
        }
        if archive.isReading, isRelearnt, successor != nil { change = .relearnt }
    }
}

extension ModelAccuracy {
    fileprivate mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        let range = 0...HeldBackRows.count
        try archive.transfer(&rows, in: range)
        try archive.transfer(&falseAnomalies, in: range)
        for recall in [\ModelAccuracy.spikes, \ModelAccuracy.shifts, \ModelAccuracy.flatLines] {
            try archive.transfer(&self[keyPath: recall].found, in: range)
            try archive.transfer(&self[keyPath: recall].injected, in: range)
        }
    }
}
