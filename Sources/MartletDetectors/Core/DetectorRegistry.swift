import MartletModel

/// A kind of detector: what it is called, what can be set about it, and how one is made.
public struct DetectorMethod: Sendable {
    /// The name in SQL, lower case.
    public let name: String
    /// What it finds, in one sentence.
    public let summary: String
    /// What can be set. Those of `AnomalyScorer` are understood beside them and must not be listed.
    public let parameters: [DetectorParameter]
    /// How many values a row may have.
    public let dimensions: ClosedRange<Int>
    /// How many rows it wants to `learn` from before it scores; 0 when it learns from row to row.
    public let baselineRows: Int
    /// Makes a detector for rows of so many values.
    public let make: @Sendable (DetectorParameters, _ dimensions: Int) throws(MartletError) -> any Detector

    /// A kind of detector.
    public init(
        _ name: String, _ summary: String, parameters: [DetectorParameter] = [], dimensions: ClosedRange<Int> = 1...1,
        baselineRows: Int = 0,
        make: @escaping @Sendable (DetectorParameters, Int) throws(MartletError) -> any Detector
    ) {
        self.name = name
        self.summary = summary
        self.parameters = parameters
        self.dimensions = dimensions
        self.baselineRows = baselineRows
        self.make = make
    }
}

/// The detectors that can be named. Built-ins and a stranger's go through the same door.
public struct DetectorRegistry: Sendable {
    private var methods: [String: DetectorMethod] = [:]

    /// An empty registry; `DetectorRegistry.builtIn` has the built-in detectors.
    public init() {}

    /// Adds or replaces a kind of detector.
    public mutating func register(_ method: DetectorMethod) { methods[method.name] = method }

    /// The names, sorted.
    public var names: [String] { methods.keys.sorted() }

    /// The kind called `name`.
    ///
    /// - Throws: `.notFound` with the names that there are.
    public func method(_ name: String) throws(MartletError) -> DetectorMethod {
        if let method = methods[name.lowercased()] { return method }
        throw MartletError(
            .notFound, "there is no detector '\(name)'", hint: "the detectors are \(names.joined(separator: ", "))")
    }

    /// The parameters of a kind, its own and those of every scorer, with `text` (`name = number, ...`) applied.
    ///
    /// - Throws: `.notFound` for the name, `.invalidArgument` for the text.
    public func parameters(of name: String, _ text: String = "") throws(MartletError) -> DetectorParameters {
        let method = try method(name)
        var parameters = DetectorParameters(method.parameters + AnomalyScorer.parameters(of: method))
        try parameters.set(text)
        return parameters
    }

    /// A scorer for one series.
    ///
    /// - Parameters:
    ///   - name: The kind of detector.
    ///   - text: Parameters as `name = number`, separated by commas.
    ///   - dimensions: Values a row.
    /// - Throws: `.notFound` for the name; `.invalidArgument` for parameters or a number of values that do not fit.
    public func scorer(
        _ name: String, _ text: String = "", dimensions: Int = 1
    ) throws(MartletError) -> AnomalyScorer {
        let parameters = try parameters(of: name, text)
        return try AnomalyScorer(method(name), parameters, dimensions: dimensions, registry: self)
    }
}
