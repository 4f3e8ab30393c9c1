import Foundation
import MartletDetectors
import MartletModel

/// Scores rows with the isolation forest, for the comparison with scikit-learn: tools/tests/isolation-forest.
///
/// Files hold a row a line, numbers separated by commas.
struct ForestCommand {
    /// Trains on `training` and prints the score of each row of `rows`.
    static func train(_ training: String, _ rows: String, seed: Int) throws {
        let samples = try read(training)
        var baseline = Baseline(dimensions: samples.first?.count ?? 0)
        for (index, row) in samples.enumerated() { baseline.append(Int64(index), row) }
        var parameters = try DetectorRegistry.builtIn.parameters(of: "isolation_forest")
        try parameters.set("seed", Double(seed))
        let forest = IsolationForest(parameters, baseline.dimensions)
        try forest.learn(baseline)
        for row in try read(rows) { print(forest.score(row)) }
    }

    /// Takes a tree over, one node a line (feature or -1, threshold, left, right, rows), and prints the score of each
    /// row of `rows` in a forest of that tree, made of `samples` rows.
    static func score(tree: String, _ rows: String, samples: Int) throws {
        let nodes = try read(tree).map { line in
            IsolationForest.ImportedNode(
                feature: Int(line[0]), threshold: line[1], left: Int(line[2]), right: Int(line[3]), rows: Int(line[4]))
        }
        let rows = try read(rows)
        let forest = try IsolationForest(
            importing: nodes, samples: samples, dimensions: rows.first?.count ?? 1)
        for row in rows { print(forest.score(row)) }
    }

    private static func read(_ path: String) throws -> [[Double]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            try line.split(separator: ",").map { field in
                guard let value = Double(field) else {
                    throw MartletError(.invalidArgument, "'\(field)' in \(path) is no number")
                }
                return value
            }
        }
    }
}
