import MartletModel

/// The members of a combination, each calibrated on its own past: which of them finds a row rarest, and how rare.
struct MemberScores {
    /// -log10 p of a member from which an event begins, whose rows are not counted (`AlarmPolicy.isUncounted`).
    private static let eventStart = 4.0
    /// Raw scores that a member must have seen before it is heard.
    private static let warmup = 32

    private var histories: [ScoreHistory]
    private var sinceEvent = AlarmPolicy.eventRows
    private var isSkipped = false
    private var best = -1.0
    /// The member that found the last row rarest.
    private(set) var strongest = 0

    /// Members with the given least tail indices, in order.
    init(_ leastTailIndices: [Double]) { histories = leastTailIndices.map { ScoreHistory(leastTailIndex: $0) } }

    /// Begins a row.
    mutating func begin() {
        best = -1
        isSkipped = AlarmPolicy.isUncounted(sinceEvent, of: AlarmPolicy.eventRows)
    }

    /// Takes a member's raw score of the row.
    @inline(__always)
    mutating func note(_ member: Int, _ raw: Double) {
        guard !raw.isNaN else { return }
        let significance = histories[member].significance(of: raw)
        let isJudged = histories[member].total >= Self.warmup
        if !isSkipped { histories[member].add(raw, significance: significance) }
        if isJudged, significance > best {
            best = significance
            strongest = member
        }
    }

    /// Ends a row: 1 / p of the rarest finding, where p is multiplied by the effective number of `members` (Bonferroni);
    /// NaN where no member could tell.
    mutating func end(members: Double) -> Double {
        let isStart = best > Self.eventStart && sinceEvent >= AlarmPolicy.eventRows
        sinceEvent = isStart ? 0 : min(sinceEvent + 1, AlarmPolicy.eventRows)
        return best < 0 ? .nan : NormalTail.odds(best) / max(members, 1)
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&sinceEvent, in: 0...AlarmPolicy.eventRows)
        for index in histories.indices { try histories[index].transfer(&archive) }
    }

    var bytes: Int { histories.count * (ScoreHistory.binCount * 2 + MemoryLayout<ScoreHistory>.size) }
}
