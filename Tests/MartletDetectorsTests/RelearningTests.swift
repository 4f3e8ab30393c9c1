import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

/// Models that are measured, and that are replaced when their series has become another.
@Suite struct RelearningTests {
    private static func scorer(_ method: String, _ parameters: String = "") throws -> AdaptiveScorer {
        let registry = DetectorRegistry.builtIn
        return AdaptiveScorer(try registry.scorer(method, parameters), registry: registry, followsDrift: true)
    }

    private static func time(_ row: Int) -> Int64 { 1_700_000_000_000_000_000 + Int64(row) * 300_000_000_000 }

    @Test(
        arguments: ["zscore", "seasonal", "spike", "auto", "isolation_forest", "memory", "variance_change"],
        [true, false])
    func `a series in which nothing is wrong is never learnt anew`(method: String, hasSeason: Bool) throws {
        for seed in UInt64(0)..<2 {
            let series = LabelledSeries(
                nil, count: 8064, anomalies: 0, quiet: 0, shape: hasSeason ? .init() : .steady, seed: seed + 40)
            let scorer = try Self.scorer(method)
            for row in series.times.indices { _ = try scorer.score(series.times[row], [series.values[row]]) }
            #expect(scorer.relearnings == 0, "\(method), seed \(seed + 40)")
        }
    }

    @Test(arguments: ["isolation_forest", "auto"]) func `an anomaly of forty rows is no drift`(method: String) throws {
        let series = LabelledSeries(
            .levelShift, count: 8064, anomalies: 5, quiet: 3000, shape: .steady, seed: 3)
        let scorer = try Self.scorer(method)
        for row in series.times.indices { _ = try scorer.score(series.times[row], [series.values[row]]) }
        #expect(scorer.relearnings == 0)
    }

    @Test func `what a series has become is learnt beside the old model, and judged by it in the end`() throws {
        var random = SeededGenerator(seed: 8)
        let scorer = try Self.scorer("isolation_forest", "baseline = 300")
        var changes: [(Int, AdaptiveScorer.Change)] = []
        var late: [Double] = []
        for row in 0..<3000 {
            // From row 1500 on the values are elsewhere and twice as wide.
            let value =
                row < 1500 ? Double.random(in: 0...1, using: &random) : Double.random(in: 20...22, using: &random)
            let verdict = try scorer.score(Self.time(row), [value])
            if let change = scorer.change { changes.append((row, change)) }
            if row > 2500, let verdict { late.append(verdict.significance) }
        }
        #expect(scorer.relearnings == 1)
        #expect(changes.map(\.1) == [.learnt, .measured, .relearnt, .learnt, .measured], "\(changes)")
        #expect(changes[2].0 > 1650 && changes[2].0 < 2200, "\(changes)")
        // Rows of the new kind are ordinary again.
        #expect(late.reduce(0, +) / Double(late.count) < 0.6)
        #expect(scorer.learntFrom ?? 0 > Self.time(1500))
    }

    @Test func `accuracy is measured on rows that were held back`() throws {
        var random = SeededGenerator(seed: 9)
        let scorer = try Self.scorer("zscore")
        for row in 0..<600 { _ = try scorer.score(Self.time(row), [Double.random(in: -1...1, using: &random)]) }
        let accuracy = try #require(scorer.accuracy)
        #expect(accuracy.rows == 256)
        #expect(accuracy.spikes.injected == 8 && accuracy.spikes.found == 8, "\(accuracy)")
        #expect(accuracy.shifts.injected == 3 && accuracy.shifts.found == 3, "\(accuracy)")
        #expect(accuracy.flatLines.injected == 3 && accuracy.flatLines.found == 0, "\(accuracy)")
        #expect(accuracy.falseAnomalies == 0)
    }

    @Test func `measuring changes nothing about the verdicts`() throws {
        let series = LabelledSeries(.point, count: 2000, anomalies: 4, quiet: 500, seed: 4)
        let plain = try DetectorRegistry.builtIn.scorer("auto")
        let adaptive = try Self.scorer("auto")
        for row in series.times.indices {
            #expect(
                try plain.score(series.times[row], [series.values[row]])
                    == adaptive.score(series.times[row], [series.values[row]]))
        }
    }

    /// Before the baseline is full, while rows are held back, while a successor learns, when it is about to take over.
    @Test(arguments: [100, 700, 1600, 1750, 1900, 2600])
    func `a restored scorer goes on as the saved one`(rows: Int) throws {
        var random = SeededGenerator(seed: 8)
        let values = (0..<3000).map { row in
            row < 1500 ? Double.random(in: 0...1, using: &random) : Double.random(in: 20...22, using: &random)
        }
        let saved = try Self.scorer("isolation_forest", "baseline = 300, trees = 20, samples = 64")
        for row in 0..<rows { _ = try saved.score(Self.time(row), [values[row]]) }
        let bytes = saved.state()
        let restored = try AdaptiveScorer(restoring: bytes, registry: .builtIn, followsDrift: true)
        #expect(restored.state() == bytes)
        for row in rows..<3000 {
            #expect(try saved.score(Self.time(row), [values[row]]) == restored.score(Self.time(row), [values[row]]))
            #expect(saved.change == restored.change)
        }
        #expect(saved.state() == restored.state())
        #expect(saved.relearnings == 1)
    }

    @Test func `damaged states are refused or borne, never a trap`() throws {
        var random = SeededGenerator(seed: 21)
        let scorer = try Self.scorer("zscore")
        for row in 0..<400 { _ = try scorer.score(Self.time(row), [Double.random(in: -1...1, using: &random)]) }
        let bytes = scorer.state()
        for round in 0..<500 {
            var damaged = bytes
            if round % 3 == 0 {
                damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
            } else {
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
            }
            do throws(MartletError) {
                let restored = try AdaptiveScorer(restoring: damaged, registry: .builtIn, followsDrift: true)
                #expect(round % 3 != 0)
                for row in 400..<500 { _ = try restored.score(Self.time(row), [Double(row % 7)]) }
            } catch {
                #expect(
                    [.corrupt, .unsupportedVersion, .notFound, .invalidArgument].contains(error.code), "\(error)")
            }
        }
    }
}
