import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

extension LabelledSeries.Shape {
    /// No season, hardly any memory: what control charts are made for.
    static var steady: Self {
        var shape = Self()
        shape.season = 0
        return shape
    }
}

@Suite struct DetectorTests {
    /// Settings for tests of every detector: a network of default size would learn for minutes in a debug build.
    static func small(_ method: String) -> String {
        method == "lstm_autoencoder" ? "window = 6, units = 3, epochs = 3" : ""
    }

    /// Runs a detector and counts found events and false alarms.
    static func run(
        _ method: String, _ parameters: String = "", on series: LabelledSeries
    ) throws -> (found: Int, falseAlarms: Int, exceeding: Double) {
        let scorer = try DetectorRegistry.builtIn.scorer(method, parameters, dimensions: series.dimensions)
        var found = Set<Int>()
        var falseAlarms = 0
        var exceeding = 0
        for row in series.times.indices {
            let verdict = try series.values.withUnsafeBufferPointer { (values) throws(MartletError) in
                try scorer.score(series.times[row], values.baseAddress! + row * series.dimensions)
            }
            guard let verdict else { continue }
            let event = series.events.firstIndex { row >= $0.lowerBound && row < $0.upperBound + 20 }
            if let event { if verdict.isAnomaly { found.insert(event) } } else if verdict.isAlarm { falseAlarms += 1 }
            if event == nil, verdict.score >= 0.99 { exceeding += 1 }
        }
        return (found.count, falseAlarms, Double(exceeding) / Double(series.times.count))
    }

    /// What each detector is for, on a series that it is for.
    @Test(arguments: [
        ("zscore", LabelledSeries.Kind.point, false), ("robust_z", .point, false), ("iqr", .point, false),
        ("spc", .point, false), ("spike", .point, true), ("spike", .point, false), ("spike", .levelShift, false),
        ("seasonal", .point, true), ("seasonal", .point, false), ("flatline", .flatLine, true),
        ("missing", .gap, true), ("auto", .point, true), ("auto", .point, false), ("auto", .levelShift, true),
        ("auto", .levelShift, false), ("auto", .flatLine, true), ("auto", .gap, true),
    ]) func `finds every obvious anomaly of its kind`(
        method: String, kind: LabelledSeries.Kind, hasSeason: Bool
    ) throws {
        for seed in UInt64(0)..<3 {
            let series = LabelledSeries(
                kind, count: 6000, anomalies: 6, quiet: 3000, strength: 12, shape: hasSeason ? .init() : .steady,
                seed: seed)
            let result = try Self.run(method, on: series)
            #expect(result.found == 6, "\(method) on \(kind), seed \(seed)")
        }
    }

    /// But for the network: one of default size would learn for minutes in a debug build.
    private static let purposes = DetectorScene.allCases.flatMap { scene in
        DetectorRegistry.builtIn.names.filter { $0 != "lstm_autoencoder" && !scene.purposes(of: $0).isEmpty }
            .map { ($0, scene) }
    }

    /// At the default setting; the benchmark has the same over thirty seeds, and the network.
    @Test(arguments: purposes) func `finds the obvious anomalies that it is for`(
        method: String, scene: DetectorScene
    ) throws {
        var missed = 0
        var places: [String] = []
        for kind in scene.purposes(of: method) {
            for seed in UInt64(0)..<2 {
                let series = LabelledSeries(
                    kind, count: 8064, anomalies: 3, quiet: 3000, shape: scene.shape, seed: seed)
                let found = try Self.run(method, on: series).found
                missed += 3 - found
                if found < 3 { places.append("\(kind), seed \(seed)") }
            }
        }
        #expect(missed <= (scene == .shared ? 1 : 0), "\(method), \(scene): missed \(missed), \(places)")
    }

    /// Detectors of change, once in a series: a change that returns every few hundred rows is no change.
    @Test(arguments: [
        ("ewma", LabelledSeries.Kind.levelShift), ("cusum", .levelShift), ("level_shift", .levelShift),
        ("variance_change", .variance), ("trend_change", .trend), ("spot", .point), ("memory", .levelShift),
    ]) func `finds a change`(method: String, kind: LabelledSeries.Kind) throws {
        var found = 0
        for seed in UInt64(0)..<10 {
            let series = LabelledSeries(
                kind, count: 4000, anomalies: 1, quiet: 3000, strength: 12, shape: .steady, seed: seed)
            found += try Self.run(method, on: series).found
        }
        #expect(found >= 9, "\(method) on \(kind): \(found) of 10 seeds")
    }

    /// Events that return every ten days must not become what is usual.
    @Test(arguments: [
        ("ewma", LabelledSeries.Kind.levelShift), ("cusum", .levelShift), ("level_shift", .levelShift),
        ("variance_change", .variance), ("trend_change", .trend), ("isolation_forest", .point),
    ]) func `finds a change that returns`(method: String, kind: LabelledSeries.Kind) throws {
        var found = 0
        for seed in UInt64(0)..<5 {
            let series = LabelledSeries(kind, count: 8064, anomalies: 3, quiet: 3000, shape: .steady, seed: seed)
            found += try Self.run(method, on: series).found
        }
        #expect(found == 15, "\(method) on \(kind), seeds 0-4: \(found) of 15")
    }

    @Test(arguments: DetectorRegistry.builtIn.names, [true, false])
    func `keeps quiet where nothing is wrong`(method: String, hasSeason: Bool) throws {
        var falseAlarms = 0
        var exceeding = 0.0
        let seeds = 5
        let dimensions = try DetectorRegistry.builtIn.method(method).dimensions
        for seed in 0..<UInt64(seeds) {
            var shape = hasSeason ? LabelledSeries.Shape() : .steady
            shape.dimensions = max(1, dimensions.lowerBound)
            let series = LabelledSeries(nil, count: 8064, anomalies: 0, quiet: 0, shape: shape, seed: seed + 100)
            let result = try Self.run(method, Self.small(method), on: series)
            falseAlarms += result.falseAlarms
            exceeding += result.exceeding / Double(seeds)
        }
        // Four weeks of each of five series: the goal is one alarm a week. docs/detectors.md has what was measured.
        #expect(falseAlarms <= 20, "\(method), seeds 100-104: \(falseAlarms) alarms in 20 weeks")
        // One in a hundred where rows are exchangeable.
        #expect(exceeding < 0.015, "\(method), seeds 100-104: \(exceeding) of the rows score 0.99 or more")
    }

    @Test(arguments: DetectorRegistry.builtIn.names)
    func `bears any values and any times`(method: String) throws {
        let dimensions = try DetectorRegistry.builtIn.method(method).dimensions
        for seed in UInt64(0)..<4 {
            var random = SeededGenerator(seed: seed)
            let count = max(1, dimensions.lowerBound)
            let scorer = try DetectorRegistry.builtIn.scorer(
                method, "baseline = 64, " + Self.small(method), dimensions: count)
            let wild: [Double] = [
                0, -0.0, 1, .nan, .infinity, -.infinity, 1e308, -1e308, .leastNonzeroMagnitude, 1e-300, 42,
            ]
            var time = Int64(seed == 3 ? Int64.min : -5)
            for row in 0..<3000 {
                let (next, overflow) = time.addingReportingOverflow(
                    Int64.random(in: 0...Int64(1) << 50, using: &random))
                if !overflow { time = next }
                let values = (0..<count).map { _ in
                    row % 500 < 100 ? 7 : row % 3 == 0 ? wild.randomElement(using: &random)! : Double(row)
                }
                if let verdict = try scorer.score(time, values) {
                    #expect(verdict.score >= 0 && verdict.score <= 1, "\(method), seed \(seed), row \(row)")
                    #expect(!scorer.detector.explanation.reason.isEmpty)
                }
            }
        }
    }

    @Test(arguments: DetectorRegistry.builtIn.names.filter { !["memory", "matrix_profile", "auto"].contains($0) })
    func `a statistical detector holds less than two KiB`(method: String) throws {
        let kind = try DetectorRegistry.builtIn.method(method)
        guard kind.dimensions == 1...1 else { return }
        let scorer = try DetectorRegistry.builtIn.scorer(method)
        for row in 0..<1000 { _ = try scorer.score(Int64(row) * 1_000_000_000, Double(row % 17)) }
        #expect(scorer.stateBytes < 2048, "\(method): \(scorer.stateBytes)")
    }

    /// Five values of one device, of which the first parts from the others.
    @Test(arguments: ["correlation_break", "auto"], [LabelledSeries.Kind.correlationBreak, .levelShift])
    func `finds the value that no longer follows the others`(method: String, kind: LabelledSeries.Kind) throws {
        var shape = LabelledSeries.Shape()
        shape.dimensions = 5
        var found = 0
        for seed in UInt64(0)..<3 {
            let series = LabelledSeries(
                kind, count: 6000, anomalies: 4, quiet: 3000, strength: 12, shape: shape, seed: seed)
            found += try Self.run(method, on: series).found
        }
        #expect(found >= 11, "\(method) on \(kind), seeds 0-2: \(found) of 12")
    }

    @Test func `a broken correlation names the value that broke`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("correlation_break", dimensions: 4)
        var random = SeededGenerator(seed: 6)
        func row(broken: Bool) -> [Double] {
            let common = 5 * LabelledSeries.normal(&random)
            return (0..<4).map { (broken && $0 == 2 ? -common : common) + LabelledSeries.normal(&random) }
        }
        for time in 0..<2000 { _ = try scorer.score(Int64(time) * 60_000_000_000, row(broken: false)) }
        for time in 2000..<2010 { _ = try scorer.score(Int64(time) * 60_000_000_000, row(broken: true)) }
        let explanation = scorer.detector.explanation
        #expect(explanation.contributors.first == 2)
        #expect(explanation.reason.hasPrefix("value 3 no longer follows the others"))
    }

    /// What `auto` says of a baseline of 300 rows of five minutes.
    private func remarks(_ value: (Int, inout SeededGenerator) -> Double, gap: (Int) -> Int64 = { _ in 0 }) throws
        -> String
    {
        let scorer = try DetectorRegistry.builtIn.scorer("auto")
        var random = SeededGenerator(seed: 12)
        for row in 0..<300 {
            _ = try scorer.score((Int64(row) * 300 + gap(row)) * 1_000_000_000, value(row, &random))
        }
        return scorer.detector.remarks.joined(separator: "; ")
    }

    @Test func `auto says what it found in the baseline and chose`() throws {
        let seasonal = try remarks { row, random in
            (row % 48 < 12 ? 9 : 0) + LabelledSeries.normal(&random)
        }
        #expect(seasonal.contains("the values repeat every 48 rows"))
        #expect(seasonal.contains("a gap is telling") && seasonal.contains("standing still is telling"))
        let discrete = try remarks { row, _ in row % 10 == 0 ? 1 : 0 }
        #expect(discrete.contains("2 different values occur") && !discrete.contains("standing still"))
        let irregular = try remarks({ _, random in LabelledSeries.normal(&random) }, gap: { Int64($0 * $0 % 7) * 290 })
        #expect(irregular.contains("no period stands out") || irregular.contains("repeat"))
        #expect(!irregular.contains("a gap is telling"))
    }

    @Test func `a period is found in the baseline`() {
        for period in [12, 24, 50, 97] {
            var random = SeededGenerator(seed: UInt64(period))
            let values = (0..<400).map { (row: Int) -> Double in
                let season: Double = row % period < period / 3 ? 16 : 10
                return season + 0.02 * Double(row) + LabelledSeries.normal(&random)
            }
            #expect(Periodicity.find(values, longest: 200).map { abs($0 - period) <= 1 } == true, "\(period)")
        }
        var random = SeededGenerator(seed: 1)
        #expect(Periodicity.find((0..<400).map { _ in LabelledSeries.normal(&random) }, longest: 200) == nil)
        #expect(Periodicity.find([Double](repeating: 4, count: 400), longest: 200) == nil)
    }

    @Test func `an explanation says what was expected`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("zscore")
        var random = SeededGenerator(seed: 5)
        for row in 0..<500 { _ = try scorer.score(Int64(row) * 60_000_000_000, 20 + LabelledSeries.normal(&random)) }
        _ = try scorer.score(500 * 60_000_000_000, 35)
        let explanation = scorer.detector.explanation
        #expect(explanation.expected.map { abs($0 - 20) < 0.3 } == true)
        #expect(explanation.bounds?.contains(22) == true && explanation.bounds?.contains(25) == false)
        #expect(explanation.reason.contains("standard deviations above the mean of"))
    }
}
