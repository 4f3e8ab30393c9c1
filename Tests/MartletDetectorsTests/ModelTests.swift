import MartletTestSupport
import Testing

@testable import MartletDetectors

/// The arithmetic beneath the detectors, against plain definitions.
@Suite struct ModelTests {
    @Test func `a sliding window's quantiles and MAD are those of its sorted values`() {
        for seed in UInt64(0)..<10 {
            var random = SeededGenerator(seed: seed)
            let size = Int.random(in: 1...40, using: &random)
            var window = SortedWindow(size)
            var values: [Double] = []
            for _ in 0..<300 {
                let value = Double(Int.random(in: -8...8, using: &random))
                values.append(value)
                window.push(value)
                let sorted = values.suffix(size).sorted()
                let middle = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
                #expect(window.quantile(0.5) == middle, "seed \(seed)")
                #expect(window.quantile(0) == sorted[0] && window.quantile(1) == sorted[sorted.count - 1])
                let distances = sorted.map { abs($0 - middle) }.sorted()
                let mad = (distances[(distances.count - 1) / 2] + distances[distances.count / 2]) / 2
                #expect(window.medianDistance(to: middle) == mad, "seed \(seed)")
            }
        }
    }

    @Test func `moments of a short series are its mean and variance`() {
        var random = SeededGenerator(seed: 2)
        let values = (0..<200).map { _ in 5 + LabelledSeries.normal(&random) }
        var moments = Moments(span: 1000)
        for value in values { moments.add(value) }
        let mean = values.reduce(0, +) / 200
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 200
        #expect(abs(moments.mean - mean) < 1e-9)
        #expect(abs(moments.variance - variance) < 1e-9)
    }

    @Test func `the normal tail is that of tables, also far out`() {
        #expect(abs(NormalTail.significance(1.959964) - 1.30103) < 1e-5)
        #expect(abs(NormalTail.significance(3) - 2.568677) < 1e-4)
        // log10 P(|Z| > 38) from the continued fraction: 2 * 2.885e-316.
        #expect(abs(NormalTail.significance(38) - 315.239) < 0.01)
        #expect(NormalTail.significance(25.001) > NormalTail.significance(24.999))
    }

    @Test(arguments: [-0.3, 0.0, 0.4]) func `a generalized Pareto tail is fitted`(shape: Double) {
        var random = SeededGenerator(seed: 11)
        let excesses = (0..<2000).map { _ -> Double in
            let uniform = 1 - Double.random(in: 0..<1, using: &random)
            return shape == 0 ? -2 * logarithm(uniform) : 2 * (power(uniform, -shape) - 1) / shape
        }.sorted()
        let fit = GeneralizedPareto(fitting: excesses[...])
        #expect(abs(fit.shape - shape) < 0.08, "\(fit)")
        #expect(abs(fit.scale - 2) < 0.2, "\(fit)")
    }

    @Test(arguments: [
        ([6], ControlChart.Rule.beyond3), ([2.4, 0, 2.4], .twoOf3Beyond2), ([1.3, 1.2, 1.3, 1.2], .fourOf5Beyond1),
        ([0.5, 0.2, 0.4, 0.6, 0.3, 0.5, 0.4, 0.2, 0.1, 0.3, 0.2], .sameSide),
        ([-1, -0.8, -0.6, -0.4, -0.2, 0.1, 0.3, 0.5], .trend),
    ]) func `the charts name the rule that was broken`(values: [Double], expected: ControlChart.Rule) throws {
        var chart = ControlChart(try DetectorRegistry.builtIn.parameters(of: "spc"))
        // Around 0 with a standard deviation of 1, in pairs, so that no rule holds.
        for row in 0..<400 { _ = chart.observe(Int64(row), [1.1, 0.87, -1.1, -0.87][row % 4]) }
        for value in values { _ = chart.observe(0, value) }
        #expect(chart.rule == expected)
    }

    @Test func `CUSUM is Page's sum of what exceeds k`() throws {
        var chart = CUSUM(try DetectorRegistry.builtIn.parameters(of: "cusum", "span = 1000000"))
        for row in 0..<100_000 { _ = chart.observe(Int64(row), row % 2 == 0 ? 1 : -1) }
        // Standardized, 1.5 exceeds k = 0.5 by 1; h = 5.
        var last = 0.0
        for _ in 0..<4 { last = chart.observe(0, 1.5) }
        #expect(abs(last - 4.0 / 5) < 0.15)
    }

    private func logarithm(_ value: Double) -> Double { NormalTail.decades(value) * -2.302585093 }
    private func power(_ base: Double, _ exponent: Double) -> Double {
        NormalTail.odds(-NormalTail.decades(base) * exponent)
    }
}
