import MartletModel

/// What is left when level, season and the last residual are taken away.
///
/// value = level + short season + weekly season + phi * last residual + error, with every part corrected by what it
/// missed (double seasonal exponential smoothing with an autoregressive residual: Taylor, J. Operational Research Society
/// 54, 2003). Both the residual and the error are scored, each in its own mean magnitude: the residual stays high
/// while a shift lasts, the error is sharp at a single value.
///
/// The period is found in the baseline; where none stands out a day is taken, which costs nothing where there is none.
struct SeasonalResidual: UnivariateModel {
    static let method = "seasonal"
    static let summary = "residual after level, daily (or detected) and weekly season; for series with a rhythm"
    static let parameters: [DetectorParameter] = [
        .init("period", 0, 0...31_536_000, "season in seconds; 0: found in the baseline, else a day"),
        .integer("weekly", 1, 0...1, "whether there is a weekly season beside it"),
        .init("level", 0.01, 0.0001...1, "weight of the newest row in the level"),
    ]
    static let baselineRows = 256
    private static let day = 86_400e9
    private static let week = 604_800e9

    private let levelWeight: Double
    private let givenPeriod: Double
    private var short: PhaseProfile
    private var weekly: PhaseProfile
    private var level = 0.0
    private var count = 0
    private var residual = 0.0
    /// Running products of neighbouring residuals: their ratio is phi.
    private var products = 0.0
    private var squares = 0.0
    private var residualScale = Scale(span: 1000)
    private var errorScale = Scale(span: 1000)
    private var last = (value: 0.0, residual: 0.0, expected: 0.0, ratio: 0.0, width: 0.0)

    init(_ parameters: DetectorParameters) {
        levelWeight = parameters["level"]
        givenPeriod = parameters["period"] * 1e9
        short = PhaseProfile(bins: 64, period: givenPeriod > 0 ? givenPeriod : Self.day, memory: 60)
        weekly = PhaseProfile(bins: 56, period: parameters["weekly"] == 1 ? Self.week : 0, memory: 60)
    }

    mutating func learn(_ baseline: Baseline) throws(MartletError) {
        guard givenPeriod == 0, baseline.count > 16 else { return }
        let spacing =
            (Double(baseline.times[baseline.count - 1]) - Double(baseline.times[0]))
            / Double(baseline.count - 1)
        guard spacing > 0, let rows = Periodicity.find(baseline.values, longest: baseline.count / 2) else { return }
        let period = Double(rows) * spacing
        // What comes within a tenth of a day or a week is one.
        short.restart(
            period: abs(period / Self.day - 1) < 0.1 ? Self.day : abs(period / Self.week - 1) < 0.1 ? Self.week : period
        )
        if short.period == Self.week { weekly.restart(period: 0) }
    }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        if count == 0 { level = value }
        let isReady = count >= 16
        let season = short.value(time) + weekly.value(time)
        let found = value - level - season
        let phi = squares > 0 ? min(max(products / squares, 0), 0.98) : 0
        let error = found - phi * residual
        // What is learnt from one row is bounded, so that an anomaly does not become the season.
        let limit = isReady ? 5 * max(residualScale.value, 1e-6 * abs(level), 0.02 * abs(found)) : .infinity
        let bounded = min(max(found, -limit), limit)
        products += 0.005 * (bounded * residual - products)
        squares += 0.005 * (residual * residual - squares)
        let ratio = max(
            abs(found) / max(residualScale.value, 1e-6 * abs(level)),
            abs(error) / max(errorScale.value, 1e-6 * abs(level)))
        last = (value, found, level + season + phi * residual, ratio, 3.76 * errorScale.value)
        residualScale.add(abs(found))
        errorScale.add(abs(error))
        if count < Int.max { count += 1 }
        let weight = max(levelWeight, 1 / Double(count))
        level += weight * bounded
        short.correct(time, by: bounded * (1 - weight))
        weekly.correct(time, by: 0.5 * (bounded * (1 - weight)))
        residual = bounded
        return isReady ? ratio : .nan
    }

    /// What the last value was above level and season.
    var lastResidual: Double { last.residual }

    var explanation: Explanation {
        .around(
            last.expected, last.width,
            "the value \(shortText(last.value)) is \(shortText(last.ratio)) times as far from the expected "
                + "\(shortText(last.expected)) as usual")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try short.transfer(&archive)
        try weekly.transfer(&archive)
        try archive.transfer(&level)
        try archive.transfer(&count, in: 0...Int.max)
        try archive.transfer(&residual)
        try archive.transfer(&products)
        try archive.transfer(&squares)
        try residualScale.transfer(&archive)
        try errorScale.transfer(&archive)
    }

    var heapBytes: Int { short.bytes + weekly.bytes }
}
