import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct IsolationForestTests {
    @Test func `the mean path of a search tree is that of the paper`() {
        #expect(IsolationTree.meanPath(1) == 0)
        #expect(IsolationTree.meanPath(2) == 1)
        // 2 (ln 2 + 0.5772156649) - 4 / 3 and 2 (ln 255 + 0.5772156649) - 510 / 256.
        #expect(abs(IsolationTree.meanPath(3) - 1.2073923577) < 1e-9)
        #expect(abs(IsolationTree.meanPath(256) - 10.2447709201) < 1e-8)
    }

    /// scikit-learn's score of a tree built by hand: 2^-((cuts + c(rows of the leaf)) / c(samples)).
    @Test(arguments: [
        // x <= 5 -> leaf of 3 rows; else y <= 2 -> leaf of 1 row; else a leaf of 4.
        ([5.0, 0.0], 1.0 + 1.2073923577), ([6, 2], 2.0), ([6, 2.5], 2.0 + 1.8516559072),
    ]) func `the score of a tree built by hand`(row: [Double], path: Double) throws {
        let forest = try IsolationForest(
            importing: [
                .init(feature: 0, threshold: 5, left: 1, right: 2, rows: 8),
                .init(feature: -1, threshold: 0, left: 0, right: 0, rows: 3),
                .init(feature: 1, threshold: 2, left: 3, right: 4, rows: 5),
                .init(feature: -1, threshold: 0, left: 0, right: 0, rows: 1),
                .init(feature: -1, threshold: 0, left: 0, right: 0, rows: 4),
            ], samples: 8, dimensions: 2)
        // c(8) = 2 (ln 7 + 0.5772156649) - 14 / 8.
        let expected = NormalTail.odds(-path / 3.2962516279 * 0.30102999566)
        #expect(abs(forest.score(row) - expected) < 1e-9)
    }

    @Test func `a tree that leads nowhere is refused`() {
        #expect(throws: MartletError.self) {
            try IsolationForest(
                importing: [.init(feature: 0, threshold: 5, left: 1, right: 7, rows: 8)], samples: 8, dimensions: 1)
        }
    }

    @Test func `points far from the clusters score above those inside, and constant values are no cuts`() throws {
        var random = SeededGenerator(seed: 3)
        var baseline = Baseline(dimensions: 3)
        for row in 0..<600 {
            let center = row % 2 == 0 ? -5.0 : 5
            baseline.append(
                Int64(row), [center + LabelledSeries.normal(&random), 7, center + LabelledSeries.normal(&random)])
        }
        let forest = IsolationForest(try DetectorRegistry.builtIn.parameters(of: "isolation_forest"), 3)
        try forest.learn(baseline)
        #expect(forest.score([5, 7, 5]) < 0.5)
        #expect(forest.score([5, 7, -5]) > 0.55)
        #expect(forest.score([20, 7, 20]) > 0.65)
    }

    @Test func `the raw score tells how far outside the baseline a row is, which the trees do not`() throws {
        var random = SeededGenerator(seed: 8)
        var baseline = Baseline(dimensions: 2)
        for row in 0..<300 {
            baseline.append(Int64(row), [LabelledSeries.normal(&random), LabelledSeries.normal(&random)])
        }
        let forest = IsolationForest(try DetectorRegistry.builtIn.parameters(of: "isolation_forest"), 2)
        try forest.learn(baseline)
        let rows: [[Double]] = [[0, 0], [5, 0], [10, 0], [0, -20]]
        let raw = rows.map { forest.observe(0, $0) }
        #expect(raw[0] < raw[1] && 4 * raw[1] < raw[2] && 4 * raw[2] < raw[3], "\(raw)")
        #expect(forest.score(rows[1]) == forest.score(rows[2]))
    }

    @Test func `the same seed grows the same forest`() throws {
        var random = SeededGenerator(seed: 4)
        var baseline = Baseline(dimensions: 2)
        for row in 0..<300 {
            baseline.append(Int64(row), [LabelledSeries.normal(&random), LabelledSeries.normal(&random)])
        }
        func score(_ text: String) throws -> Double {
            let forest = IsolationForest(try DetectorRegistry.builtIn.parameters(of: "isolation_forest", text), 2)
            try forest.learn(baseline)
            return forest.score([1.5, -2])
        }
        #expect(try score("seed = 5") == score("seed = 5"))
        #expect(try score("seed = 5") != score("seed = 6"))
    }

    @Test func `a baseline without complete rows is refused`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("isolation_forest", "baseline = 20", dimensions: 2)
        for row in 0..<19 { _ = try scorer.score(Int64(row), [1, .nan]) }
        let error = #expect(throws: MartletError.self) { try scorer.score(19, [1, .nan]) }
        #expect(error?.code == .invalidArgument)
    }
}
