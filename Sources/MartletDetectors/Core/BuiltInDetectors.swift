extension DetectorRegistry {
    /// The detector that is meant where none is named.
    public static let standardMethod = "auto"

    /// The detectors that come with Martlet. docs/detectors.md has the table.
    public static let builtIn: DetectorRegistry = {
        var registry = DetectorRegistry()
        registry.register(UnivariateDetector<ZScore>.method)
        registry.register(UnivariateDetector<RobustZ>.method)
        registry.register(UnivariateDetector<TukeyFences>.method)
        registry.register(UnivariateDetector<ControlChart>.method)
        registry.register(UnivariateDetector<EWMAChart>.method)
        registry.register(UnivariateDetector<CUSUM>.method)
        registry.register(UnivariateDetector<FlatLine>.method)
        registry.register(UnivariateDetector<MissingData>.method)
        registry.register(UnivariateDetector<Spike>.method)
        registry.register(UnivariateDetector<LevelShift>.method)
        registry.register(UnivariateDetector<VarianceChange>.method)
        registry.register(UnivariateDetector<TrendChange>.method)
        registry.register(UnivariateDetector<SeasonalResidual>.method)
        registry.register(UnivariateDetector<SPOT>.method)
        registry.register(UnivariateDetector<Novelty>.method)
        registry.register(UnivariateDetector<MatrixProfile>.method)
        registry.register(IsolationForest.method)
        registry.register(RandomCutForest.method)
        registry.register(CorrelationBreak.method)
        registry.register(LSTMAutoencoder.method)
        registry.register(AutoDetector.method)
        return registry
    }()
}
