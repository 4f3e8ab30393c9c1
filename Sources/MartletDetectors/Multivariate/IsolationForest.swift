import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Isolation Forest (Liu, Ting and Zhou, ICDM 2008; ACM TKDD 6, 2012), with scikit-learn's definition of the score:
/// 2^(-mean path length / c(samples)).
///
/// Trained on the baseline; what comes after is scored and changes nothing.
package final class IsolationForest: Detector {
    private let dimensions: Int
    private let treeCount: Int
    private let sampleLimit: Int
    private let seed: UInt64
    private var trees: [IsolationTree] = []
    private var samples = 0
    /// Of each dimension in the baseline, for explanations.
    private var means: ContiguousArray<Double>
    private var deviations: ContiguousArray<Double>
    private var lows: ContiguousArray<Double>
    private var highs: ContiguousArray<Double>
    private var last: ContiguousArray<Double>
    private var lastScore = 0.0

    static let parameters: [DetectorParameter] = [
        .integer("trees", 100, 1...1000, "trees in the forest"),
        .integer("samples", 256, 2...65_536, "rows of the baseline that each tree is made of"),
        .integer("seed", 0, 0...1_000_000_000, "where the random numbers begin"),
    ]

    static var method: DetectorMethod {
        DetectorMethod(
            "isolation_forest", "how few random cuts isolate a row; for several values that form clusters",
            parameters: parameters, dimensions: 1...4096, baselineRows: 1024
        ) { (parameters, dimensions) throws(MartletError) in
            IsolationForest(parameters, dimensions)
        }
    }

    package init(_ parameters: DetectorParameters, _ dimensions: Int) {
        self.dimensions = dimensions
        treeCount = parameters.integer("trees")
        sampleLimit = parameters.integer("samples")
        seed = UInt64(parameters.integer("seed"))
        means = ContiguousArray(repeating: 0, count: dimensions)
        deviations = ContiguousArray(repeating: 0, count: dimensions)
        lows = ContiguousArray(repeating: 0, count: dimensions)
        highs = ContiguousArray(repeating: 0, count: dimensions)
        last = ContiguousArray(repeating: 0, count: dimensions)
    }

    /// A node of a tree that was grown elsewhere; `feature` is negative in a leaf.
    package struct ImportedNode: Sendable {
        let feature: Int
        let threshold: Double
        let left: Int
        let right: Int
        let rows: Int

        package init(feature: Int, threshold: Double, left: Int, right: Int, rows: Int) {
            self.feature = feature
            self.threshold = threshold
            self.left = left
            self.right = right
            self.rows = rows
        }
    }

    /// A forest of one tree that was grown elsewhere, of `samples` rows; node 0 is its root.
    package convenience init(importing nodes: [ImportedNode], samples: Int, dimensions: Int) throws(MartletError) {
        self.init(DetectorParameters(Self.parameters), dimensions)
        self.samples = samples
        guard !nodes.isEmpty else { throw MartletError(.invalidArgument, "a tree without nodes") }
        // Children come to lie side by side and behind their parent.
        var result = [IsolationTree.Node(threshold: 0, feature: -1, left: 0)]
        var pending = [(from: 0, to: 0)]
        while let (from, to) = pending.popLast() {
            let node = nodes[from]
            guard node.feature >= 0 else {
                result[to].threshold = IsolationTree.meanPath(node.rows)
                continue
            }
            guard nodes.indices.contains(node.left), nodes.indices.contains(node.right), node.feature < dimensions,
                result.count < 2 * nodes.count
            else { throw MartletError(.invalidArgument, "node \(from) of the tree leads nowhere") }
            let left = result.count
            result[to] = .init(threshold: node.threshold, feature: Int32(node.feature), left: Int32(left))
            result.append(.init(threshold: 0, feature: -1, left: 0))
            result.append(.init(threshold: 0, feature: -1, left: 0))
            pending.append((node.left, left))
            pending.append((node.right, left + 1))
        }
        trees = [IsolationTree(nodes: result)]
    }

    package func learn(_ baseline: Baseline) throws(MartletError) {
        // A row with a missing value tells nothing about the others' distances.
        var values: [Double] = []
        var count = 0
        for row in 0..<baseline.count {
            let slice = baseline.values[row * dimensions..<(row + 1) * dimensions]
            if slice.allSatisfy(\.isFinite) {
                values += slice
                count += 1
            }
        }
        guard count >= 2 else {
            throw MartletError(
                .invalidArgument, "an isolation forest cannot learn from \(count) complete rows of \(baseline.count)",
                hint: "give it a longer baseline, or columns without NULL")
        }
        samples = min(sampleLimit, count)
        let depth = Int(log2(Double(max(samples, 2))).rounded(.up))
        var random = SplitMix(seed: seed)
        var order = Array(0..<count)
        trees = (0..<treeCount).map { _ in
            for place in 0..<samples { order.swapAt(place, place + random.below(count - place)) }
            return IsolationTree(
                values, dimensions: dimensions, sample: Array(order[..<samples]), depth: depth, random: &random)
        }
        for dimension in 0..<dimensions {
            var moments = Moments(span: count)
            for row in 0..<count { moments.add(values[row * dimensions + dimension]) }
            means[dimension] = moments.mean
            deviations[dimension] = moments.deviation
            let column = stride(from: dimension, to: values.count, by: dimensions).lazy.map { values[$0] }
            lows[dimension] = column.min() ?? 0
            highs[dimension] = column.max() ?? 0
        }
    }

    /// The score of a row, from 0 to 1: scikit-learn's `-score_samples`. 0.5 and less is ordinary.
    package func score(_ row: UnsafePointer<Double>) -> Double { score(ofPath: meanPathLength(row)) }

    private func score(ofPath length: Double) -> Double {
        let normal = IsolationTree.meanPath(samples)
        return normal > 0 ? exp2(-length / normal) : 0.5
    }

    private func meanPathLength(_ row: UnsafePointer<Double>) -> Double {
        var sum = 0.0
        for tree in trees { sum += tree.pathLength(row) }
        return sum / Double(max(trees.count, 1))
    }

    /// The inverse of a density is nearly 1 / p.
    package var leastTailIndex: Double { 0.5 }

    package func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        for dimension in 0..<dimensions {
            if row[dimension].isNaN { return .nan }
            last[dimension] = row[dimension]
        }
        guard !trees.isEmpty else { return .nan }
        let length = meanPathLength(row)
        lastScore = score(ofPath: length)
        // Each further cut leaves about half the points: 2^-length is a density, and its inverse a raw score with
        // resolution where the bounded score has none.
        return exp2(32 - length) * remoteness
    }

    /// What the trees cannot tell, to which everything outside the baseline's range is one place: how far outside the
    /// last row is. The density is taken to fall there with the cube of the distance in standard deviations.
    private var remoteness: Double {
        var furthest = 0.0
        for dimension in 0..<dimensions {
            let outside = max(lows[dimension] - last[dimension], last[dimension] - highs[dimension])
            furthest = max(furthest, outside / max(deviations[dimension], 1e-12))
        }
        let distance = 1 + min(furthest, 1e6)
        return distance * distance * distance
    }

    package var explanation: Explanation {
        let distances = (0..<dimensions).map { abs(last[$0] - means[$0]) / max(deviations[$0], 1e-12) }
        let order = (0..<dimensions).sorted { distances[$0] > distances[$1] }
        return Explanation(
            reason: "few random cuts isolate the row: score \(shortText(lastScore)), where 0.5 is ordinary"
                + (dimensions > 1
                    ? "; value \(order[0] + 1) is \(shortText(distances[order[0]])) deviations from its mean" : ""),
            contributors: dimensions > 1 ? Array(order.prefix(3)) : [])
    }

    package func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&samples, in: 0...sampleLimit)
        try archive.transfer(&means)
        try archive.transfer(&deviations)
        try archive.transfer(&lows)
        try archive.transfer(&highs)
        let count = try archive.transferCount(trees.count, maximum: treeCount, bytesEach: 24)
        if archive.isReading { trees = [IsolationTree](repeating: IsolationTree(nodes: []), count: count) }
        for tree in 0..<count {
            let nodes = try archive.transferCount(
                trees[tree].nodes.count, maximum: 2 * sampleLimit, bytesEach: 16)
            if archive.isReading {
                trees[tree].nodes = [IsolationTree.Node](
                    repeating: .init(threshold: 0, feature: -1, left: 0), count: nodes)
            }
            for node in 0..<nodes {
                try archive.transfer(&trees[tree].nodes[node].threshold)
                try archive.transfer(&trees[tree].nodes[node].feature)
                try archive.transfer(&trees[tree].nodes[node].left)
            }
            guard trees[tree].isValid(dimensions: dimensions) else {
                throw StateArchive.corrupt("holds a tree that is none")
            }
        }
    }

    package var stateBytes: Int {
        trees.reduce(40 * dimensions + 160) { $0 + 16 * $1.nodes.count + 40 }
    }
}
