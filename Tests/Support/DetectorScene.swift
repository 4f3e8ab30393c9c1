/// The settings in which detectors are measured, and what each detector is for in them.
public enum DetectorScene: String, Sendable, CaseIterable {
    /// One value with a daily and weekly season.
    case season
    /// One value that wanders about a level.
    case steady
    /// Five values a row that share a cause.
    case shared
    /// Five values a row, each of its own.
    case separate

    /// What the series is like.
    public var shape: LabelledSeries.Shape {
        var shape = LabelledSeries.Shape()
        switch self {
        // From trough to peak as far as the anomalies are off: ten deviations of the noise.
        case .season: shape.season = 5
        case .steady: shape.season = 0
        case .shared: shape.dimensions = 5
        case .separate:
            shape.dimensions = 5
            shape.sharing = 0
        }
        return shape
    }

    /// What can go wrong in it.
    public var kinds: [LabelledSeries.Kind] {
        switch self {
        case .season: LabelledSeries.Kind.allCases.filter { $0 != .correlationBreak }
        // Without a season there is no wrong time of the day and no shape to break.
        case .steady: [.point, .levelShift, .variance, .trend, .flatLine, .gap]
        case .shared: [.correlationBreak, .point, .levelShift]
        // Values that do not move together cannot part.
        case .separate: [.point, .levelShift, .variance]
        }
    }

    /// The kinds of anomaly that a built-in detector is for in this setting: it has to find them when they are obvious.
    public func purposes(of method: String) -> [LabelledSeries.Kind] {
        switch (method, self) {
        case ("auto", _): kinds
        case ("zscore", .steady), ("robust_z", .steady), ("iqr", .steady): [.point, .levelShift]
        case ("spc", .steady): [.point, .levelShift, .variance]
        case ("ewma", .steady), ("cusum", .steady): [.levelShift, .trend]
        case ("flatline", .season), ("flatline", .steady): [.flatLine]
        case ("missing", .season), ("missing", .steady): [.gap]
        case ("spike", .season), ("spike", .steady): [.point, .levelShift]
        case ("level_shift", .season), ("level_shift", .steady): [.levelShift]
        case ("variance_change", .season): [.variance, .collective]
        case ("variance_change", .steady): [.variance]
        case ("trend_change", .season), ("trend_change", .steady): [.trend]
        case ("seasonal", .season): [.point, .contextual, .collective, .levelShift, .variance]
        case ("seasonal", .steady): [.point, .levelShift, .variance]
        case ("spot", .season), ("spot", .steady): [.point]
        case ("matrix_profile", .season): [.contextual, .collective, .levelShift, .variance, .trend]
        case ("matrix_profile", .steady): [.levelShift, .variance, .trend]
        case ("memory", .steady): [.point, .levelShift, .variance, .trend]
        case ("isolation_forest", .steady), ("random_cut_forest", .steady): [.point, .levelShift, .variance]
        case ("isolation_forest", .separate), ("random_cut_forest", .separate), ("lstm_autoencoder", .separate): kinds
        case ("lstm_autoencoder", .season): [.point, .collective, .levelShift, .variance, .trend]
        case ("lstm_autoencoder", .steady): [.point, .levelShift, .variance, .trend]
        case ("correlation_break", .shared), ("correlation_break", .separate): kinds
        default: []
        }
    }
}
