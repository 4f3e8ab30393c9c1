import Foundation
import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct CalibrationTests {
    /// Raw scores of normal rows, of very different shapes.
    private static let shapes: [(name: String, draw: @Sendable (inout SeededGenerator) -> Double)] = [
        ("normal", { abs(LabelledSeries.normal(&$0)) }),
        ("exponential", { -log2(1 - Double.random(in: 0..<1, using: &$0)) }),
        ("uniform", { Double.random(in: 0..<1, using: &$0) }),
        ("power", { 1 / (1 - Double.random(in: 0..<1, using: &$0)) }),
        ("huge", { 1e200 * abs(LabelledSeries.normal(&$0)) }),
    ]

    @Test(arguments: 0..<5) func `a score of 0.99 occurs on about one normal row in a hundred, whatever the scale`(
        shape: Int
    ) {
        var random = SeededGenerator(seed: UInt64(shape))
        var history = ScoreHistory()
        var exceeding = 0
        let rows = 20_000
        for _ in 0..<rows {
            let score = Self.shapes[shape].draw(&random)
            let significance = history.significance(of: score)
            history.add(score, significance: significance)
            if significance >= 2 { exceeding += 1 }
        }
        let share = Double(exceeding) / Double(rows)
        #expect(share > 0.004 && share < 0.013, "\(Self.shapes[shape].name), seed \(shape): \(share)")
    }

    @Test func `a higher score is never less significant`() {
        for seed in UInt64(0)..<20 {
            var random = SeededGenerator(seed: seed)
            var history = ScoreHistory()
            for _ in 0..<Int.random(in: 0..<3000, using: &random) {
                let score = Self.shapes[Int(seed % 4)].draw(&random)
                history.add(score, significance: history.significance(of: score))
            }
            var last = 0.0
            for step in 0..<2000 {
                let significance = history.significance(of: Double(step) * 0.01)
                #expect(significance >= last - 1e-9, "seed \(seed) at \(Double(step) * 0.01)")
                last = significance
            }
        }
    }

    @Test func `an anomaly does not hide the next one`() {
        var random = SeededGenerator(seed: 7)
        var history = ScoreHistory()
        for _ in 0..<2000 {
            let score = abs(LabelledSeries.normal(&random))
            history.add(score, significance: history.significance(of: score))
        }
        let first = history.significance(of: 12)
        #expect(first > 5)
        for _ in 0..<5 { history.add(1000, significance: history.significance(of: 1000)) }
        #expect(history.significance(of: 12) > first - 1)
    }

    @Test func `what stays becomes ordinary`() {
        var history = ScoreHistory()
        var random = SeededGenerator(seed: 8)
        for _ in 0..<500 {
            let score = abs(LabelledSeries.normal(&random))
            history.add(score, significance: history.significance(of: score))
        }
        for _ in 0..<5000 { history.add(50, significance: history.significance(of: 50)) }
        #expect(history.significance(of: 50) < 1)
    }

    @Test func `wild first scores do not blind it for good`() {
        var history = ScoreHistory()
        var random = SeededGenerator(seed: 9)
        for _ in 0..<5 { history.add(1e250, significance: 0) }
        for _ in 0..<1000 {
            let score = abs(LabelledSeries.normal(&random))
            history.add(score, significance: history.significance(of: score))
        }
        #expect(history.significance(of: 10) > 3)
        #expect(history.significance(of: 0.5) < 1)
    }

    /// A control chart whose raw scores were inverse probabilities lost its past again and again under a season, as the
    /// runs of half a day spread them over a hundred doublings, and then found every such run rare.
    @Test(arguments: DetectorRegistry.builtIn.names, [true, false])
    func `raw scores spread no further than the calibration holds apart`(method: String, hasSeason: Bool) throws {
        let kind = try DetectorRegistry.builtIn.method(method)
        let count = kind.dimensions.lowerBound
        let detector = try kind.make(
            try DetectorRegistry.builtIn.parameters(of: method, DetectorTests.small(method)), count)
        guard !detector.isCalibrated else { return }
        var shape = hasSeason ? LabelledSeries.Shape() : .steady
        shape.dimensions = count
        let series = LabelledSeries(nil, count: 4032, anomalies: 0, quiet: 0, shape: shape, seed: 13)
        var baseline = Baseline(dimensions: count)
        for row in 0..<kind.baselineRows {
            baseline.append(series.times[row], Array(series.values[row * count..<(row + 1) * count]))
        }
        try detector.learn(baseline)
        let scores = series.values.withUnsafeBufferPointer { values in
            series.times.indices.map { detector.observe(series.times[$0], values.baseAddress! + $0 * count) }
        }
        let positive = scores.filter { $0 > 0 }.sorted()
        guard !positive.isEmpty else { return }
        let (median, high) = (positive[positive.count / 2], positive[positive.count * 99 / 100])
        #expect(high / median < 65_536, "\(method), seed 13: \(median) to \(high)")
    }

    @Test func `a score that many share is as common as they are`() {
        var history = ScoreHistory()
        for index in 0..<1000 { history.add(index % 10 == 0 ? 3 : 0, significance: 0) }
        #expect(abs(history.significance(of: 3) - 1) < 0.05)
        #expect(history.significance(of: 0) == 0)
    }

    @Test(arguments: [
        // 2,016 rows of five minutes are a week; half an alarm of them is 1 in 4,032.
        ("", Int64(300), 900, 3.606), ("", 1, 900, 6.083), ("alarms_per_week = 5", 300, 900, 2.606),
        ("", 300, 10_050, 3.856), ("bar = 4.5", 300, 900, 4.5),
    ]) func `the bar lets through what the budget says and rises with age`(
        parameters: String, spacing: Int64, rows: Int, expected: Double
    ) throws {
        var policy = AlarmPolicy(try DetectorRegistry.builtIn.parameters(of: "zscore", parameters))
        for row in 0..<rows { policy.advance(Int64(row) * spacing * 1_000_000_000) }
        #expect(abs(policy.bar - expected) < 0.01)
    }

    @Test func `one event is one alarm`() throws {
        let series = LabelledSeries(.levelShift, count: 4000, anomalies: 4, quiet: 2000, shape: .steady, seed: 3)
        let scorer = try DetectorRegistry.builtIn.scorer("spike")
        var alarms: [Int] = []
        for row in series.times.indices {
            let verdict = try scorer.score(series.times[row], series.values[row])
            if verdict?.isAlarm == true { alarms.append(row) }
        }
        for event in series.events {
            #expect(alarms.count { event.contains($0) } == 1, "rows \(event), alarms \(alarms)")
        }
    }

    /// Scores are not counted while an event lasts; a new level is no event that lasts for ever.
    @Test(arguments: ["spike", "zscore", "auto"], [1, 5, 100, 3000])
    func `a level that stays becomes ordinary, whatever the refractory time`(method: String, refractory: Int) throws {
        let scorer = try DetectorRegistry.builtIn.scorer(method, "refractory = \(refractory)")
        var random = SeededGenerator(seed: 21)
        var last: Int?
        for row in 0..<8000 {
            let value = LabelledSeries.normal(&random) + (row < 1000 ? 0 : 10)
            if try scorer.score(Int64(row) * 300_000_000_000, value)?.isAnomaly == true { last = row }
        }
        let row = try #require(last)
        #expect(row >= 1000 && row < 5000, "\(method), refractory \(refractory), seed 21: row \(row)")
    }

    @Test func `severities are cut by how far a row is above the bar`() throws {
        var policy = AlarmPolicy(try DetectorRegistry.builtIn.parameters(of: "zscore", "bar = 3, high = 1.5"))
        policy.advance(0)
        #expect(policy.severity(2.9) == nil)
        #expect(policy.severity(.nan) == nil)
        #expect(policy.severity(3) == .low)
        #expect(policy.severity(4.2) == .medium)
        #expect(policy.severity(4.6) == .high)
        #expect(policy.severity(7) == .critical)
    }
}
