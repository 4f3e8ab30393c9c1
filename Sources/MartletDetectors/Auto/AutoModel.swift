import MartletModel

/// A combination of detectors for one value, chosen by the baseline.
///
/// Every member is calibrated on its own past, and that is all the calibration; the raw score is the greatest 1 / p,
/// divided by the number of members (Bonferroni) but for those that are silent on normal rows, so that one detector that
/// is sure suffices and many do not cry louder than one.
struct AutoModel: UnivariateModel {
    static let method = "auto"
    static let summary = "looks at the baseline, chooses and combines"
    static let parameters: [DetectorParameter] = [
        .integer("states", 128, 8...1024, "states that each view of the memory remembers")
    ]
    static let baselineRows = 300
    static let seesMissing = true
    static let isCalibrated = true

    /// The members, in the order of their bits in `chosen`.
    enum Member: Int, CaseIterable {
        case season, shift, spread, memory, spike, flat, missing

        var words: String {
            switch self {
            case .season: "seasonal"
            case .shift: "ewma of the seasonal residual"
            case .spread: "variance_change of the seasonal residual"
            case .memory: "memory"
            case .spike: "spike"
            case .flat: "flatline"
            case .missing: "missing"
            }
        }

        var leastTailIndex: Double {
            switch self {
            case .season: SeasonalResidual.leastTailIndex
            case .shift: EWMAChart.leastTailIndex
            case .spread: VarianceChange.leastTailIndex
            case .memory: Novelty.leastTailIndex
            case .spike: Spike.leastTailIndex
            case .flat: FlatLine.leastTailIndex
            case .missing: MissingData.leastTailIndex
            }
        }
    }

    /// Those that find some normal rows rarer than others. On the rest all normal rows are alike.
    private static let talkative = bits([.season, .shift, .spread, .memory, .spike])
    /// Of how many independent ones each of those counts for: three look at one residual, and all at one value. Measured:
    /// with five in full 0.8 % of normal rows scored 0.99.
    private static let independent = 0.8

    private var chosen = 0
    private(set) var remarks: [String] = []
    private var season: SeasonalResidual
    private var shift: EWMAChart
    private var spread: VarianceChange
    private var memory: Novelty
    private var spike: Spike
    private var flat: FlatLine
    private var missing: MissingData
    private var scores: MemberScores

    init(_ parameters: DetectorParameters) {
        season = SeasonalResidual(DetectorParameters(SeasonalResidual.parameters))
        shift = EWMAChart(DetectorParameters(EWMAChart.parameters))
        spread = VarianceChange(DetectorParameters(VarianceChange.parameters))
        memory = Novelty(states: parameters.integer("states"), phaseWeight: 1)
        spike = Spike(DetectorParameters(Spike.parameters))
        flat = FlatLine(DetectorParameters(FlatLine.parameters))
        missing = MissingData(DetectorParameters(MissingData.parameters))
        scores = MemberScores(Member.allCases.map(\.leastTailIndex))
        choose(Member.allCases)
    }

    private static func bits(_ members: [Member]) -> Int { members.reduce(0) { $0 | 1 << $1.rawValue } }

    private mutating func choose(_ members: [Member]) { chosen = Self.bits(members) }

    private func uses(_ member: Member) -> Bool { chosen & 1 << member.rawValue != 0 }

    mutating func learn(_ baseline: Baseline) throws(MartletError) {
        let findings = BaselineFindings(baseline)
        try season.learn(baseline)
        var members: [Member] = []
        var remarks: [String] = []
        if findings.distinct > 8 {
            members += [.season, .shift, .spread, .spike]
            remarks.append(
                findings.period.map { "the values repeat every \($0) rows: level and season are taken away first" }
                    ?? "no period stands out in the baseline: a daily and weekly season is learnt as it shows")
        } else {
            remarks.append("\(findings.distinct) different values occur: distances in deviations would mean little")
        }
        members.append(.memory)
        remarks.append("a memory of states finds what no model foresees")
        if findings.standing < 0.5 {
            members.append(.flat)
            remarks.append(
                "\(shortText(100 * findings.standing)) % of the rows repeat the one before: standing still is telling")
        }
        if findings.regularity > 0.8, findings.missing < 0.2 {
            members.append(.missing)
            remarks.append("the rows come regularly: a gap is telling")
        }
        choose(members)
        self.remarks = remarks
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        scores.begin()
        if uses(.missing) { scores.note(Member.missing.rawValue, missing.observe(time, value)) }
        if !value.isNaN {
            if uses(.flat) { scores.note(Member.flat.rawValue, flat.observe(time, value)) }
            if uses(.season) {
                scores.note(Member.season.rawValue, season.observe(time, value))
                scores.note(Member.shift.rawValue, shift.observe(time, season.lastResidual))
                scores.note(Member.spread.rawValue, spread.observe(time, season.lastResidual))
                scores.note(Member.spike.rawValue, spike.observe(time, value))
            }
            if uses(.memory) { scores.note(Member.memory.rawValue, memory.observe(time, value)) }
        }
        return scores.end(members: Self.independent * Double((chosen & Self.talkative).nonzeroBitCount))
    }

    var explanation: Explanation {
        var result: Explanation
        let strongest = Member(rawValue: scores.strongest) ?? .season
        switch strongest {
        case .season: result = season.explanation
        case .shift: result = shift.explanation
        case .spread: result = spread.explanation
        case .memory: result = memory.explanation
        case .spike: result = spike.explanation
        case .flat: result = flat.explanation
        case .missing: result = missing.explanation
        }
        if strongest == .shift || strongest == .spread {
            // What they expect is of the residual, not of the value.
            result.bounds = nil
            result.expected = season.explanation.expected
        }
        result.reason = "\(strongest.words): \(result.reason)"
        return result
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&chosen, in: 0...127)
        let lines = try archive.transferCount(remarks.count, maximum: 16, bytesEach: 1)
        if archive.isReading { remarks = [String](repeating: "", count: lines) }
        for line in 0..<lines { try archive.transfer(&remarks[line]) }
        try season.transfer(&archive)
        try shift.transfer(&archive)
        try spread.transfer(&archive)
        try memory.transfer(&archive)
        try spike.transfer(&archive)
        try flat.transfer(&archive)
        try missing.transfer(&archive)
        try scores.transfer(&archive)
    }

    var heapBytes: Int {
        season.heapBytes + spread.heapBytes + memory.heapBytes + spike.heapBytes
            + scores.bytes + remarks.reduce(0) { $0 + $1.utf8.count + 16 }
    }
}
