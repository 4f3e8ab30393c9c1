import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct LSTMTests {
    @Test(arguments: [1, 3]) func `gradients are the slopes of the loss`(dimensions: Int) {
        let network = LSTMNetwork(dimensions: dimensions, units: 3, window: 4)
        var random = SplitMix(seed: 7)
        network.draw(&random)
        let rows = (0..<4 * dimensions).map { _ in Float(2 * random.unit() - 1) }
        var gradients = [Float](repeating: 0, count: network.parameterCount)
        network.reconstruct(rows)
        gradients.withUnsafeMutableBufferPointer { network.backward(rows, $0.baseAddress!) }
        func loss(_ index: Int, _ change: Float) -> Double {
            let kept = network.parameters[index]
            network.parameters[index] += change
            network.reconstruct(rows)
            network.parameters[index] = kept
            return zip(0..., rows).reduce(0.0) { $0 + pow(Double(network.output[$1.0] - $1.1), 2) } / Double(rows.count)
        }
        for index in 0..<network.parameterCount {
            let slope = (loss(index, 0.02) - loss(index, -0.02)) / 0.04
            #expect(abs(slope - Double(gradients[index])) < 2e-3, "parameter \(index): \(slope), \(gradients[index])")
        }
    }

    @Test func `tanh is near tanh`() {
        for step in -1000...1000 {
            let value = Float(step) / 100
            #expect(abs(LSTMNetwork.tanh(value) - Float(tanh(Double(value)))) < 2e-4)
        }
    }

    /// Small, since debug builds run these loops a hundred times slower.
    private static let small = "window = 8, units = 6, epochs = 25, baseline = 300"

    private static func value(_ row: Int, _ random: inout SeededGenerator) -> Double {
        20 + 5 * sin(Double(row) * 2 * .pi / 12) + Double.random(in: -0.3...0.3, using: &random)
    }

    @Test func `what it learnt it can write down, and what is odd it cannot`() throws {
        var random = SeededGenerator(seed: 11)
        let scorer = try DetectorRegistry.builtIn.scorer("lstm_autoencoder", Self.small)
        for row in 0..<900 {
            let verdict = try scorer.score(Int64(row) * 60_000_000_000, Self.value(row, &random))
            if row >= 400 { #expect(try #require(verdict).isAlarm == false, "row \(row)") }
        }
        #expect(scorer.detector.remarks.first?.contains("learnt from 300 rows") == true)
        // A value that is common, at a place of the rhythm where it is not.
        let row = 900
        let odd = try #require(try scorer.score(Int64(row) * 60_000_000_000, 40 - 20 + (row % 12 < 6 ? -5 : 5)))
        #expect(odd.isAnomaly)
        let explanation = scorer.detector.explanation
        #expect(explanation.reason.contains("times the usual"))
        let expected = try #require(explanation.expected)
        #expect(abs(expected - 20) < 4, "\(expected)")
    }

    @Test func `the same seed learns the same`() throws {
        var states: [[UInt8]] = []
        for seed in [1, 1, 2] {
            var random = SeededGenerator(seed: 12)
            let scorer = try DetectorRegistry.builtIn.scorer("lstm_autoencoder", Self.small + ", seed = \(seed)")
            for row in 0..<310 { _ = try scorer.score(Int64(row), Self.value(row, &random)) }
            states.append(scorer.state())
        }
        #expect(states[0] == states[1])
        #expect(states[0] != states[2])
    }

    @Test func `a baseline that is too short is refused with the reason`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("lstm_autoencoder", "baseline = 30")
        let error = #expect(throws: MartletError.self) {
            for row in 0..<30 { _ = try scorer.score(Int64(row), Double(row % 5)) }
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("cannot learn from 30") == true)
    }
}
