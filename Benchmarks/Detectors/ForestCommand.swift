import MartletDetectors
import MartletModel

/// Scores rows with forests, for the comparison with scikit-learn and rrcf: tools/tests/detectors.
struct ForestCommand {
    /// Trains on `training` and prints the score of each row of `rows`.
    static func train(_ training: String, _ rows: String, seed: Int) throws {
        let samples = try Rows.read(training)
        var baseline = Baseline(dimensions: samples.first?.count ?? 0)
        for (index, row) in samples.enumerated() { baseline.append(Int64(index), row) }
        var parameters = try DetectorRegistry.builtIn.parameters(of: "isolation_forest")
        try parameters.set("seed", Double(seed))
        let forest = IsolationForest(parameters, baseline.dimensions)
        try forest.learn(baseline)
        for row in try Rows.read(rows) { print(forest.score(row)) }
    }

    /// Takes a tree over, one node a line (feature or -1, threshold, left, right, rows), and prints the score of each
    /// row of `rows` in a forest of that tree, made of `samples` rows.
    static func score(tree: String, _ rows: String, samples: Int) throws {
        let nodes = try Rows.read(tree).map { line in
            IsolationForest.ImportedNode(
                feature: Int(line[0]), threshold: line[1], left: Int(line[2]), right: Int(line[3]), rows: Int(line[4]))
        }
        let rows = try Rows.read(rows)
        let forest = try IsolationForest(
            importing: nodes, samples: samples, dimensions: rows.first?.count ?? 1)
        for row in rows { print(forest.score(row)) }
    }

    /// Prints the displacement of each row of `rows` in random cut trees that hold all of `sample`.
    static func displace(_ sample: String, _ rows: String, trees: Int) throws {
        let sample = try Rows.read(sample)
        var parameters = try DetectorRegistry.builtIn.parameters(of: "random_cut_forest")
        try parameters.set("trees = \(trees), samples = \(sample.count), shingle = 1")
        let forest = RandomCutForest(parameters, sample.first?.count ?? 1)
        for value in forest.displacements(of: try Rows.read(rows), in: sample) { print(value) }
    }
}
