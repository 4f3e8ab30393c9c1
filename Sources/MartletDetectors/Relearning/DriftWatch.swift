import MartletModel

/// Notices that a series is no longer what its detector learnt: a test by betting against uniform p-values.
///
/// While rows are exchangeable with the past their p-values are uniform, and a bet of 0.5 p^-0.5 on each loses on the mean
/// (the power martingale: Vovk, Nouretdinov and Gammerman, ICML 2003). The logarithm of the gain, never below 0, is followed
/// as in Page's CUSUM. No row may win more than `cap`: an anomaly of a few dozen rows is none, a new normal of hundreds is.
struct DriftWatch: Equatable {
    /// -log10 p that a row counts for at most.
    private static let cap = 1.5
    /// From here on a successor learns beside the model.
    static let suspicion = 80.0
    /// From here on the successor takes over when it is ready: about two hundred rows, each rarer than one in thirty.
    static let certainty = 200.0
    /// No higher, so that what has become ordinary again is believed soon.
    private static let ceiling = 300.0

    private(set) var level = 0.0

    /// Takes the -log10 p of a row.
    mutating func note(_ significance: Double) {
        // ln(0.5 p^-0.5)
        let gain = 1.151_292_546 * min(significance, Self.cap) - 0.693_147_181
        level = min(max(0, level + gain), Self.ceiling)
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) { try archive.transfer(&level) }
}
