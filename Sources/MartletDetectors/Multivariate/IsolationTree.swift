#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A tree that isolates points by random cuts: the fewer cuts, the more isolated (Liu, Ting and Zhou, ICDM 2008).
struct IsolationTree: Equatable {
    /// A cut, or a leaf where `feature` is negative. The children of a cut lie side by side.
    struct Node: Equatable {
        /// Values up to this go left; of a leaf, the mean path length that its points would still have had.
        var threshold: Double
        var feature: Int32
        /// The left child; the right one follows it.
        var left: Int32
    }

    var nodes: [Node]

    /// The mean path length of an unsuccessful search in a binary search tree of `count` points:
    /// 2 (ln(n - 1) + Euler's constant) - 2 (n - 1) / n.
    static func meanPath(_ count: Int) -> Double {
        if count <= 1 { return 0 }
        if count == 2 { return 1 }
        let n = Double(count)
        return 2 * (log(n - 1) + 0.5772156649015329) - 2 * (n - 1) / n
    }

    init(nodes: [Node]) { self.nodes = nodes }

    /// A tree over the rows `sample` of `values`.
    ///
    /// As in scikit-learn: the feature is drawn evenly among those that are not constant in the node, the threshold
    /// evenly between its least and greatest value, and no path is longer than `depth`.
    init(_ values: [Double], dimensions: Int, sample: [Int], depth: Int, random: inout SplitMix) {
        nodes = [Node(threshold: 0, feature: -1, left: 0)]
        var rows = sample
        var features = Array(0..<dimensions)
        var pending: [(node: Int, range: Range<Int>, depth: Int)] = [(0, 0..<rows.count, 0)]
        while let (node, range, level) = pending.popLast() {
            nodes[node].threshold = Self.meanPath(range.count)
            guard level < depth, range.count > 1 else { continue }
            // Constant features move behind `candidates` until one is found that can be cut.
            var candidates = dimensions
            var cut: (feature: Int, threshold: Double)?
            while candidates > 0, cut == nil {
                let choice = random.below(candidates)
                let feature = features[choice]
                var low = Double.infinity
                var high = -Double.infinity
                for place in range {
                    let value = values[rows[place] * dimensions + feature]
                    low = min(low, value)
                    high = max(high, value)
                }
                if low < high {
                    let threshold = low + random.unit() * (high - low)
                    // Rounding must not put the cut at the very top, where nothing would go right.
                    cut = (feature, threshold < high ? threshold : low)
                } else {
                    candidates -= 1
                    features.swapAt(choice, candidates)
                }
            }
            guard let cut else { continue }
            var middle = range.lowerBound
            for place in range where values[rows[place] * dimensions + cut.feature] <= cut.threshold {
                rows.swapAt(place, middle)
                middle += 1
            }
            let left = nodes.count
            nodes[node] = Node(threshold: cut.threshold, feature: Int32(cut.feature), left: Int32(left))
            nodes.append(Node(threshold: 0, feature: -1, left: 0))
            nodes.append(Node(threshold: 0, feature: -1, left: 0))
            pending.append((left, range.lowerBound..<middle, level + 1))
            pending.append((left + 1, middle..<range.upperBound, level + 1))
        }
    }

    /// The cuts on the way of `row`, and what its leaf adds for the points that it did not part.
    func pathLength(_ row: UnsafePointer<Double>) -> Double {
        nodes.withUnsafeBufferPointer { nodes in
            var place = 0
            var length = 0.0
            while nodes[place].feature >= 0 {
                let node = nodes[place]
                // NaN goes right, as everything that is not at most the threshold.
                place = Int(node.left) + (row[Int(node.feature)] <= node.threshold ? 0 : 1)
                length += 1
            }
            return length + nodes[place].threshold
        }
    }

    /// Whether every child lies behind its parent and inside, and every feature below `dimensions`: a tree from bytes is
    /// walked only if it is.
    func isValid(dimensions: Int) -> Bool {
        nodes.indices.allSatisfy { index in
            let node = nodes[index]
            return node.feature < 0
                || (Int(node.feature) < dimensions && Int(node.left) > index && Int(node.left) + 1 < nodes.count)
        } && !nodes.isEmpty
    }
}
