import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How grave an anomaly is.
public enum Severity: Int, Sendable, Hashable, Comparable, CaseIterable {
    case low, medium, high, critical

    /// The word for it.
    public var name: String {
        switch self {
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }

    public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
}

/// From how rare a row is to whether anybody should hear of it.
///
/// The bar, in -log10 p, is what lets through as many rows a week as the budget says, and rises slowly with age.
struct AlarmPolicy {
    static let parameters: [DetectorParameter] = [
        .init("alarms_per_week", 0.5, 0.001...10_000, "alarms of one series that are acceptable in a normal week"),
        .init(
            "bar", 0, 0...50, "-log10 p from which a row is anomalous; 0: from alarms_per_week and the rows' spacing"),
        .init("age_slope", 0.25, 0...2, "what the bar rises by for each tenfold of 1,000 rows"),
        .integer("refractory", 100, 0...1_000_000, "rows after an alarm in which there is no other"),
        .init("medium", 1, 0...50, "-log10 p above the bar from which an anomaly is of medium severity"),
        .init("high", 2, 0...50, "the same for high severity"),
        .init("critical", 4, 0...50, "the same for critical severity"),
    ]
    private static let week = 604_800e9
    /// How long an event is thought to last at most, in rows.
    static let eventRows = 100

    private let budget: Double
    private let fixedBar: Double
    private let slope: Double
    private let refractory: Int
    private let cuts: (medium: Double, high: Double, critical: Double)
    private var rows = 0
    private var lastTime: Int64 = 0
    /// The median distance of two rows in nanoseconds, followed by steps of 2 %.
    private var spacing = 0.0
    private var sinceAlarm = Int.max / 2
    private(set) var bar = 3.0

    init(_ parameters: DetectorParameters) {
        budget = parameters["alarms_per_week"]
        fixedBar = parameters["bar"]
        slope = parameters["age_slope"]
        refractory = parameters.integer("refractory")
        cuts = (parameters["medium"], parameters["high"], parameters["critical"])
    }

    /// Takes note of a row, before it is judged.
    mutating func advance(_ time: Int64) {
        if rows > 0, time > lastTime {
            let gap = Double(time) - Double(lastTime)
            spacing = spacing == 0 ? gap : spacing * (gap > spacing ? 1.02 : gap < spacing ? 1 / 1.02 : 1)
        }
        lastTime = time
        rows += 1
        sinceAlarm += sinceAlarm < Int.max / 2 ? 1 : 0
        // The bar moves slowly: it is worked out every 64 rows.
        if rows % 64 == 1 { bar = currentBar() }
    }

    private func currentBar() -> Double {
        let age = slope * max(0, log10(Double(rows) / 1000))
        if fixedBar > 0 { return fixedBar + age }
        guard spacing > 0 else { return 3.5 + age }
        return max(2.5, log10(Self.week / spacing / budget)) + age
    }

    func severity(_ significance: Double) -> Severity? {
        let above = significance - bar
        if !(above >= 0) { return nil }
        return above >= cuts.critical ? .critical : above >= cuts.high ? .high : above >= cuts.medium ? .medium : .low
    }

    /// Whether an alarm was raised so recently that scores are not counted: see `isUncounted`.
    var isInEvent: Bool { Self.isUncounted(sinceAlarm, of: min(refractory, Self.eventRows)) }

    /// Whether a row so long after the start of an event of `rows` rows is left out of the history: what is unusual must
    /// not become the rule at once. The last tenth is counted, so that what stays becomes ordinary.
    static func isUncounted(_ sinceStart: Int, of rows: Int) -> Bool { sinceStart < rows - max(1, rows / 10) }

    /// Whether an anomalous row raises an alarm, and not the one before it still.
    mutating func raisesAlarm() -> Bool {
        guard sinceAlarm >= refractory else { return false }
        sinceAlarm = 0
        return true
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&rows, in: 0...Int.max / 2)
        try archive.transfer(&lastTime)
        try archive.transfer(&spacing)
        try archive.transfer(&sinceAlarm, in: 0...Int.max / 2)
        try archive.transfer(&bar)
    }
}
