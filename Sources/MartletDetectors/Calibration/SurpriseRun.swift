import MartletModel

/// For how long rows have been next to impossible by the past (`ScoreHistory.isSurprise`): what a detector that remembers
/// rows goes by, so that an anomaly does not become the twin that hides the next one like it, and what stays, or keeps
/// coming, is learnt.
struct SurpriseRun {
    /// Ordinary rows that make up for a surprise.
    private static let recovery = 32
    /// What is left of the surprises, in parts of a row.
    private var parts = 0

    /// Takes note of a row; whether it is to be remembered: an ordinary one, or one of more than `limit` surprises.
    mutating func learns(from isSurprise: Bool, within limit: Int) -> Bool {
        guard isSurprise else {
            parts = max(parts - 1, 0)
            return true
        }
        parts = min(parts + Self.recovery, AlarmPolicy.eventRows * Self.recovery)
        return parts >= min(limit, AlarmPolicy.eventRows) * Self.recovery
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&parts, in: 0...AlarmPolicy.eventRows * Self.recovery)
    }
}
