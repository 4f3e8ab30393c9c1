import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct TimedAggregateTests {
    private let second: Int64 = 1_000_000_000

    private func run(_ name: String, _ samples: [(Int64, Double)], _ constants: [FieldValue?] = []) throws -> Double? {
        try AggregateHarness(name, constants: constants, times: samples.map { $0.0 * second })
            .float([Columns.floats(samples.map { $0.1 })])
    }

    @Test func `a counter that falls was reset and counts from zero`() throws {
        let samples: [(Int64, Double)] = [(0, 10), (10, 15), (20, 3), (30, 7)]
        #expect(try run("increase", samples) == 12)
        #expect(try run("rate", samples) == 0.4)
        #expect(try run("irate", samples) == 0.4)
        #expect(try run("irate", [(0, 5), (10, 2)]) == 0.2)
        #expect(try AggregateHarness("resets").run([Columns.floats([10, 15, 3, 7, 7])]) == [.int64(1)])
        #expect(try AggregateHarness("changes").run([Columns.floats([10, 15, 3, 7, 7])]) == [.int64(3)])
    }

    @Test func `samples are taken in the order of their times`() throws {
        #expect(try run("increase", [(30, 7), (0, 1), (10, 4)]) == 6)
    }

    @Test func `delta is of gauges and knows no resets`() throws {
        #expect(try run("delta", [(0, 10), (10, 15), (20, 3)]) == -7)
    }

    @Test func `the derivative is the slope of the regression line per second`() throws {
        #expect(close(.float64(try run("derivative", [(0, 1), (10, 21), (20, 41)])!), .float64(2)))
    }

    @Test func `one sample, or samples of one moment, have no rate`() throws {
        #expect(try run("rate", [(0, 1)]) == nil)
        #expect(try run("rate", [(5, 1), (5, 3)]) == nil)
        #expect(try run("increase", [(5, 1), (5, 3)]) == 2)
    }

    @Test func `the mean over time weighs each value by how long it held`() throws {
        let samples: [(Int64, Double)] = [(0, 10), (90, 20), (100, 0)]
        #expect(try run("time_weighted_average", samples) == 11)
        #expect(try run("time_weighted_average", samples, [.string("linear")]) == 14.5)
        #expect(try run("twa", [(7, 3)]) == 3)
    }
}

@Suite struct SketchTests {
    @Test func `approximate quantiles stay within one percent`() {
        var generator = SeededGenerator(seed: 3)
        var sketch = QuantileSketch()
        var values: [Double] = []
        for _ in 0..<20_000 {
            let value = Double.random(in: -3...3, using: &generator)
            let wild = value * value * value * 1e5
            values.append(wild)
            sketch.add(wild)
        }
        values.sort()
        for fraction in [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 1] {
            let exact = values[Int(Double(values.count - 1) * fraction)]
            let estimate = sketch.quantile(fraction)!
            #expect(abs(estimate - exact) <= 0.0101 * abs(exact), "fraction \(fraction)")
        }
    }

    @Test func `a sketch keeps zeros, infinities and NaN apart`() {
        var sketch = QuantileSketch()
        for value in [0, -.infinity, .infinity, .nan, 5] as [Double] { sketch.add(value) }
        #expect(sketch.quantile(0) == -.infinity)
        #expect(sketch.quantile(0.25) == 0)
        #expect(abs(sketch.quantile(0.5)! - 5) <= 0.05)
        #expect(sketch.quantile(0.75) == .infinity)
        #expect(sketch.quantile(1)!.isNaN)
    }

    @Test(arguments: [10, 64, 65, 1000, 5000, 20_000, 200_000])
    func `approximate distinct counts stay within their error`(_ count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        var sketch = HyperLogLog()
        for _ in 0..<count {
            let hash = HashMixing.hash(generator.next())
            sketch.add(hash)
            sketch.add(hash)
        }
        // Four standard errors.
        #expect(abs(Double(sketch.estimate) - Double(count)) <= (count <= 64 ? 0 : 0.065 * Double(count)))
    }

    @Test func `the value of any rank is selected as sorting would`() {
        for seed in 0..<200 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 1..<80, using: &generator)
            var values = (0..<count).map { _ in UInt64.random(in: 0..<20, using: &generator) }
            let rank = Int.random(in: 0..<count, using: &generator)
            let expected = values.sorted()[rank]
            let selected = values.withUnsafeMutableBufferPointer { selectRank($0, rank) }
            #expect(selected == expected, "seed \(seed)")
            #expect(values[(rank + 1)...].allSatisfy { $0 >= expected }, "seed \(seed)")
        }
    }
}
