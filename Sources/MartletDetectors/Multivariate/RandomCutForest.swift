import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Robust random cut forest (Guha, Mishra, Roy and Schrijvers, ICML 2016): how much a point would disturb trees of random
/// cuts over samples of the past.
///
/// The samples follow the stream: each tree keeps `samples` points, a point of `fade` rows ago e times less likely than
/// one of now (weighted sampling without replacement by exponential keys: Efraimidis and Spirakis, Inf. Proc. Letters 97,
/// 2006; the keys' logarithms are Gumbel variates plus a term that grows with time). The score is the mean displacement over
/// all ways to add the point, so that scoring itself draws nothing and changes nothing.
///
/// Several neighbouring rows make up a point (`shingle`), or a single value would have no context. A row is added when the
/// next one comes, so that what is said about it is said of trees without it.
package final class RandomCutForest: Detector {
    private let dimensions: Int
    private let shingle: Int
    private let fade: Double
    private var trees: [RandomCutTree]
    private var random: SplitMix
    private var rows: Int64 = 0
    private var scale: Standardization
    /// The last `shingle` rows, the newest last.
    private var point: ContiguousArray<Float>
    private var filled = 0
    /// Whether the last row is still to be added.
    private var isPending = false
    private var lastDisplacement = 0.0

    static var method: DetectorMethod {
        DetectorMethod(
            "random_cut_forest", "how much a row disturbs random trees of the recent past; follows the stream",
            parameters: [
                .integer("trees", 32, 1...512, "trees in the forest"),
                .integer("samples", 128, 8...4096, "rows of the past that each tree holds"),
                .integer(
                    "shingle", 0, 0...64, "neighbouring rows that make up a point; 0: 4 of one value, 1 of several"),
                .integer(
                    "fade", 2560, 8...10_000_000, "rows after which a row is e times less likely to be remembered"),
                .integer("seed", 0, 0...1_000_000_000, "where the random numbers begin"),
            ], dimensions: 1...256, baselineRows: 256
        ) { (parameters, dimensions) throws(MartletError) in
            RandomCutForest(parameters, dimensions)
        }
    }

    package init(_ parameters: DetectorParameters, _ dimensions: Int) {
        self.dimensions = dimensions
        let given = parameters.integer("shingle")
        shingle = given > 0 ? given : dimensions == 1 ? 4 : 1
        fade = parameters["fade"]
        let tree = RandomCutTree(dimensions: dimensions * shingle, capacity: parameters.integer("samples"))
        trees = Array(repeating: tree, count: parameters.integer("trees"))
        random = SplitMix(seed: UInt64(parameters.integer("seed")))
        scale = Standardization(dimensions: dimensions)
        point = ContiguousArray(repeating: 0, count: dimensions * shingle)
    }

    package func learn(_ baseline: Baseline) throws(MartletError) {
        for dimension in 0..<dimensions {
            let column = (0..<baseline.count).map { baseline.values[$0 * dimensions + dimension] }
            guard scale.learn(dimension, from: column.filter(\.isFinite)) else {
                throw MartletError(
                    .invalidArgument, "value \(dimension + 1) is missing in every row of the baseline",
                    hint: "give it a longer baseline, or leave the column out")
            }
        }
    }

    /// Displacements of far points are those of a group of one; beyond, the distance takes over, as a power.
    package var leastTailIndex: Double { 0.5 }

    package func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        for dimension in 0..<dimensions where row[dimension].isNaN { return .nan }
        addPending()
        let kept = point.count - dimensions
        for place in 0..<kept { point[place] = point[place + dimensions] }
        for dimension in 0..<dimensions {
            point[kept + dimension] = scale.standardized(row[dimension], dimension, limit: 1e9)
        }
        rows += 1
        filled = min(filled + 1, shingle)
        guard filled == shingle else { return .nan }
        isPending = true
        guard trees[0].count >= 8 else { return .nan }
        return point.withUnsafeBufferPointer { point in
            var (sum, distance) = (0.0, 0.0)
            for tree in trees.indices {
                sum += trees[tree].displacement(point.baseAddress!)
                distance = max(distance, trees[tree].remoteness(point.baseAddress!))
            }
            lastDisplacement = sum / Double(trees.count)
            let remoteness = 1 + min(distance, 1e6)
            return lastDisplacement * remoteness * remoteness * remoteness
        }
    }

    /// Offers the last point to every tree.
    private func addPending() {
        guard isPending else { return }
        isPending = false
        let age = Double(rows) / fade
        point.withUnsafeBufferPointer { point in
            for tree in trees.indices {
                let gumbel = -log(-log(max(random.unit(), 0x1p-60)))
                trees[tree].offer(point.baseAddress!, priority: age + gumbel, &random)
            }
        }
    }

    /// The mean displacement of a point in a forest of `points`, all of them sampled: for the comparison with others.
    package func displacements(of points: [[Double]], in sample: [[Double]]) -> [Double] {
        for values in sample {
            let values = values.map { Float($0) }
            for tree in trees.indices { trees[tree].offer(values, priority: 0, &random) }
        }
        return points.map { point in
            let values = point.map { Float($0) }
            return trees.reduce(0.0) { $0 + $1.displacement(values) } / Double(trees.count)
        }
    }

    package var explanation: Explanation {
        var shares = [Double](repeating: 0, count: point.count)
        point.withUnsafeBufferPointer { point in
            for tree in trees { tree.attribute(point.baseAddress!, to: &shares) }
        }
        let ofValues = (0..<dimensions).map { dimension in
            stride(from: dimension, to: shares.count, by: dimensions).reduce(0) { $0 + shares[$1] }
        }
        let order = (0..<dimensions).sorted { ofValues[$0] > ofValues[$1] }
        let total = max(ofValues.reduce(0, +), 1e-300)
        return Explanation(
            reason:
                "the row displaces \(shortText(lastDisplacement)) of the \(trees[0].count) rows that a tree of random "
                + "cuts remembers"
                + (dimensions > 1
                    ? ", \(shortText((100 * ofValues[order[0]] / total).rounded())) % of it by value \(order[0] + 1)"
                    : ""),
            contributors: dimensions > 1 ? Array(order.prefix(3)) : [])
    }

    package func transfer(_ archive: inout StateArchive) throws(MartletError) {
        var state = Int64(bitPattern: random.state)
        try archive.transfer(&state)
        random.state = UInt64(bitPattern: state)
        try archive.transfer(&rows)
        try scale.transfer(&archive)
        try archive.transfer(&point)
        try archive.transfer(&filled, in: 0...shingle)
        try archive.transfer(&isPending)
        for tree in trees.indices { try trees[tree].transfer(&archive) }
    }

    package var stateBytes: Int { trees.reduce(16 * dimensions + 4 * point.count + 160) { $0 + $1.bytes } }
}
