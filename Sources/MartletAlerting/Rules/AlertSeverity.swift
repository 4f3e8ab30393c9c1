import MartletModel

/// How urgent an alert is.
public enum AlertSeverity: String, Sendable, Hashable, CaseIterable, Comparable {
    case info, low, medium, high, critical

    /// Words of other systems, in lower case.
    private static let synonyms: [String: AlertSeverity] = [
        "page": .critical, "p1": .critical, "sev1": .critical, "fatal": .critical, "emergency": .critical,
        "error": .high, "p2": .high, "sev2": .high, "major": .high,
        "warning": .medium, "warn": .medium, "p3": .medium, "sev3": .medium, "minor": .medium,
        "notice": .low, "p4": .low, "sev4": .low, "p5": .info, "none": .info, "information": .info,
    ]

    /// The severity that a word means, in Martlet or elsewhere, whatever its case.
    ///
    /// - Throws: `.invalidArgument` with the words that are known.
    public init(word: String) throws(MartletError) {
        let word = word.lowercased()
        guard let severity = AlertSeverity(rawValue: word) ?? Self.synonyms[word] else {
            throw MartletError(
                .invalidArgument, "'\(word)' is no severity",
                hint:
                    "it is one of \(Self.allCases.map(\.rawValue).joined(separator: ", ")), or a word of other systems "
                    + "such as page, p1, error, warning")
        }
        self = severity
    }

    public static func < (left: AlertSeverity, right: AlertSeverity) -> Bool { left.place < right.place }

    private var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
