import MartletModel

/// A tree of random cuts over a bounded sample of points, to which points are added and from which they are taken away
/// (Guha, Mishra, Roy and Schrijvers, Robust Random Cut Forest Based Anomaly Detection on Streams, ICML 2016).
///
/// A cut is drawn with a dimension's width as its weight, evenly within it; adding and taking away leave a tree that is
/// distributed as one that was grown over the same points at once (theorems 2 and 3 there). Equal points share a leaf.
///
/// Nodes lie in arrays and name each other by place, -1 for none; a node's box lies at `place * 2 * dimensions` of
/// `boxes`, the lows before the highs. The box of a leaf is its point.
struct RandomCutTree {
    struct Node: Equatable {
        /// The dimension of the cut; negative in a leaf.
        var feature: Int32 = -1
        /// Points up to this go left.
        var cut: Float = 0
        var left: Int32 = -1
        var right: Int32 = -1
        var parent: Int32 = -1
        /// Points below.
        var mass: Int32 = 0
    }

    let dimensions: Int
    let capacity: Int
    private(set) var nodes: ContiguousArray<Node>
    private var boxes: ContiguousArray<Float>
    private var free: ContiguousArray<Int32>
    private(set) var root: Int32 = -1
    /// Of each point that is sampled: its leaf, and how long it stays; the least goes first.
    private var leaves: ContiguousArray<Int32> = []
    private var priorities: ContiguousArray<Double> = []
    private var least = 0

    init(dimensions: Int, capacity: Int) {
        self.dimensions = dimensions
        self.capacity = capacity
        nodes = ContiguousArray(repeating: Node(), count: 2 * capacity)
        boxes = ContiguousArray(repeating: 0, count: 4 * capacity * dimensions)
        free = ContiguousArray((0..<Int32(2 * capacity)).reversed())
        leaves.reserveCapacity(capacity)
        priorities.reserveCapacity(capacity)
    }

    /// Points sampled.
    var count: Int { leaves.count }

    var bytes: Int { nodes.count * (MemoryLayout<Node>.stride + 4 + 8 * dimensions) + capacity * 12 + 160 }

    // MARK: Scoring

    /// The collusive displacement that the point would have, on the mean over all ways to add it: by how much other
    /// points would come to lie deeper, for each point of the most telling group around it (definition 4 of the paper).
    func displacement(_ point: UnsafePointer<Float>) -> Double {
        walk(point) { _, _, _ in }
    }

    /// Adds to `shares` what each dimension contributes to the displacement: its part of what lies outside of the boxes.
    func attribute(_ point: UnsafePointer<Float>, to shares: inout [Double]) {
        _ = walk(point) { node, outside, value in
            for dimension in 0..<dimensions where outside > 0 {
                shares[dimension] += value * Double(distance(point, node, dimension)) / outside
            }
        }
    }

    /// Goes the way of a point, and tells of each node where it might be cut off: the node, how far the point lies
    /// outside of its box, and the displacement there, weighed by its probability.
    @inline(__always)
    private func walk(_ point: UnsafePointer<Float>, _ visit: (Int, Double, Double) -> Void) -> Double {
        guard root >= 0 else { return 0 }
        var place = Int(root)
        var (remaining, highest, sum) = (1.0, 0.0, 0.0)
        while true {
            let node = nodes[place]
            let (outside, span) = extent(point, place)
            let probability = span > 0 ? Double(outside / span) : 0
            if probability > 0 {
                let value = remaining * probability * max(highest, Double(node.mass))
                sum += value
                visit(place, Double(outside), value)
                remaining *= 1 - probability
            }
            if node.feature < 0 || remaining < 1e-9 { return sum + remaining * highest }
            let isLeft = point[Int(node.feature)] <= node.cut
            let (inner, outer) = isLeft ? (node.left, node.right) : (node.right, node.left)
            highest = max(highest, Double(nodes[Int(outer)].mass) / Double(nodes[Int(inner)].mass + 1))
            place = Int(inner)
        }
    }

    /// How far the point lies outside of a node's box, over all dimensions, and the widths of the box with it.
    @inline(__always)
    private func extent(_ point: UnsafePointer<Float>, _ node: Int) -> (outside: Float, span: Float) {
        var (outside, span): (Float, Float) = (0, 0)
        boxes.withUnsafeBufferPointer { boxes in
            let low = boxes.baseAddress! + node * 2 * dimensions
            let high = low + dimensions
            for dimension in 0..<dimensions {
                outside += max(low[dimension] - point[dimension], 0) + max(point[dimension] - high[dimension], 0)
                span += high[dimension] - low[dimension]
            }
        }
        return (outside, span + outside)
    }

    private func distance(_ point: UnsafePointer<Float>, _ node: Int, _ dimension: Int) -> Float {
        let low = boxes[node * 2 * dimensions + dimension]
        let high = boxes[node * 2 * dimensions + dimensions + dimension]
        return max(low - point[dimension], 0) + max(point[dimension] - high, 0)
    }

    /// How far the point lies outside of all points, in the dimension where it is furthest.
    func remoteness(_ point: UnsafePointer<Float>) -> Double {
        guard root >= 0 else { return 0 }
        return Double((0..<dimensions).reduce(Float(0)) { max($0, distance(point, Int(root), $1)) })
    }

    // MARK: Sampling

    /// Samples the point if there is room, or in place of the one with the least priority if its own is higher.
    mutating func offer(_ point: UnsafePointer<Float>, priority: Double, _ random: inout SplitMix) {
        if count < capacity {
            leaves.append(insert(point, &random))
            priorities.append(priority)
            if priority < priorities[least] { least = count - 1 }
        } else if priority > priorities[least] {
            remove(leaf: leaves[least])
            leaves[least] = insert(point, &random)
            priorities[least] = priority
            for slot in priorities.indices where priorities[slot] < priorities[least] { least = slot }
        }
    }

    /// - Returns: the point's leaf.
    private mutating func insert(_ point: UnsafePointer<Float>, _ random: inout SplitMix) -> Int32 {
        guard root >= 0 else {
            root = newLeaf(point, parent: -1)
            return root
        }
        var place = root
        while true {
            let (outside, span) = extent(point, Int(place))
            if nodes[Int(place)].feature < 0, !(outside > 0) {
                nodes[Int(place)].mass += 1
                return place
            }
            if let cut = cut(point, place, span, &random) { return part(point, from: place, at: cut) }
            extend(Int(place), with: point)
            nodes[Int(place)].mass += 1
            let node = nodes[Int(place)]
            place = point[Int(node.feature)] <= node.cut ? node.left : node.right
        }
    }

    /// Draws a cut through the box of a node and the point; nil if it does not part the two.
    private func cut(
        _ point: UnsafePointer<Float>, _ place: Int32, _ span: Float, _ random: inout SplitMix
    ) -> (feature: Int, at: Float, pointIsLeft: Bool)? {
        let base = Int(place) * 2 * dimensions
        var rest = Float(random.unit()) * span
        for dimension in 0..<dimensions {
            let (low, high) = (boxes[base + dimension], boxes[base + dimensions + dimension])
            let lowest = min(low, point[dimension])
            let width = max(high, point[dimension]) - lowest
            if rest < width {
                let at = lowest + rest
                if point[dimension] <= at, at < low { return (dimension, at, true) }
                if high <= at, at < point[dimension] { return (dimension, at, false) }
                break
            }
            rest -= width
        }
        guard nodes[Int(place)].feature < 0 else { return nil }
        // Rounding put the cut on one of two points: it goes where they are furthest apart.
        let feature = (0..<dimensions).max { distance(point, Int(place), $0) < distance(point, Int(place), $1) } ?? 0
        let value = boxes[base + feature]
        return (feature, min(value, point[feature]), point[feature] < value)
    }

    /// Puts a cut above the node at `place`, and the point beside it.
    private mutating func part(
        _ point: UnsafePointer<Float>, from place: Int32, at cut: (feature: Int, at: Float, pointIsLeft: Bool)
    ) -> Int32 {
        let parent = nodes[Int(place)].parent
        let above = free.removeLast()
        let leaf = newLeaf(point, parent: above)
        nodes[Int(above)] = Node(
            feature: Int32(cut.feature), cut: cut.at, left: cut.pointIsLeft ? leaf : place,
            right: cut.pointIsLeft ? place : leaf, parent: parent, mass: nodes[Int(place)].mass + 1)
        for offset in 0..<2 * dimensions {
            boxes[Int(above) * 2 * dimensions + offset] = boxes[Int(place) * 2 * dimensions + offset]
        }
        extend(Int(above), with: point)
        nodes[Int(place)].parent = above
        replace(place, by: above, under: parent)
        return leaf
    }

    private mutating func newLeaf(_ point: UnsafePointer<Float>, parent: Int32) -> Int32 {
        let leaf = free.removeLast()
        nodes[Int(leaf)] = Node(parent: parent, mass: 1)
        for dimension in 0..<dimensions {
            boxes[Int(leaf) * 2 * dimensions + dimension] = point[dimension]
            boxes[Int(leaf) * 2 * dimensions + dimensions + dimension] = point[dimension]
        }
        return leaf
    }

    private mutating func replace(_ child: Int32, by other: Int32, under parent: Int32) {
        if parent < 0 {
            root = other
        } else if nodes[Int(parent)].left == child {
            nodes[Int(parent)].left = other
        } else {
            nodes[Int(parent)].right = other
        }
    }

    private mutating func extend(_ node: Int, with point: UnsafePointer<Float>) {
        let base = node * 2 * dimensions
        for dimension in 0..<dimensions {
            boxes[base + dimension] = min(boxes[base + dimension], point[dimension])
            boxes[base + dimensions + dimension] = max(boxes[base + dimensions + dimension], point[dimension])
        }
    }

    private mutating func remove(leaf: Int32) {
        var place = leaf
        while place >= 0 {
            nodes[Int(place)].mass -= 1
            place = nodes[Int(place)].parent
        }
        guard nodes[Int(leaf)].mass == 0 else { return }
        free.append(leaf)
        let parent = nodes[Int(leaf)].parent
        guard parent >= 0 else {
            root = -1
            return
        }
        free.append(parent)
        let node = nodes[Int(parent)]
        let sibling = node.left == leaf ? node.right : node.left
        nodes[Int(sibling)].parent = node.parent
        replace(parent, by: sibling, under: node.parent)
        place = node.parent
        while place >= 0 {
            encloseChildren(Int(place))
            place = nodes[Int(place)].parent
        }
    }

    private mutating func encloseChildren(_ node: Int) {
        let left = Int(nodes[node].left) * 2 * dimensions
        let right = Int(nodes[node].right) * 2 * dimensions
        for dimension in 0..<dimensions {
            boxes[node * 2 * dimensions + dimension] = min(boxes[left + dimension], boxes[right + dimension])
            let high = dimensions + dimension
            boxes[node * 2 * dimensions + high] = max(boxes[left + high], boxes[right + high])
        }
    }

    /// The box of a node, for tests.
    func box(_ node: Int) -> (lows: [Float], highs: [Float]) {
        let base = node * 2 * dimensions
        return (Array(boxes[base..<base + dimensions]), Array(boxes[base + dimensions..<base + 2 * dimensions]))
    }

    // MARK: State

    /// Nodes in preorder, then the samples: where a node lies in memory is not part of the state.
    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        if archive.isReading { self = RandomCutTree(dimensions: dimensions, capacity: capacity) }
        let order = archive.isReading ? [] : preorder()
        let nodeCount = try archive.transferCount(order.count, maximum: 2 * capacity - 1, bytesEach: 4)
        if archive.isReading {
            try readNodes(nodeCount, &archive)
        } else {
            for place in order {
                try archive.transfer(&nodes[Int(place)].feature)
                if nodes[Int(place)].feature >= 0 {
                    try archive.transfer(&nodes[Int(place)].cut)
                } else {
                    for dimension in 0..<dimensions {
                        try archive.transfer(&boxes[Int(place) * 2 * dimensions + dimension])
                    }
                }
            }
        }
        let samples = try archive.transferCount(count, maximum: capacity, bytesEach: 12)
        if archive.isReading {
            leaves = ContiguousArray(repeating: 0, count: samples)
            priorities = ContiguousArray(repeating: 0, count: samples)
        }
        var number = [Int32](repeating: 0, count: nodes.count)
        for (index, place) in order.enumerated() { number[Int(place)] = Int32(index) }
        for sample in 0..<samples {
            var leaf = archive.isReading ? 0 : number[Int(leaves[sample])]
            try archive.transfer(&leaf)
            try archive.transfer(&priorities[sample])
            if archive.isReading {
                guard leaf >= 0, leaf < nodeCount, nodes[Int(leaf)].feature < 0, !priorities[sample].isNaN else {
                    throw StateArchive.corrupt("holds a point in no leaf")
                }
                leaves[sample] = leaf
                nodes[Int(leaf)].mass += 1
            }
        }
        if archive.isReading { try weigh(nodeCount) }
    }

    private func preorder() -> [Int32] {
        var result: [Int32] = []
        var pending = root >= 0 ? [root] : []
        while let place = pending.popLast() {
            result.append(place)
            if nodes[Int(place)].feature >= 0 {
                pending.append(nodes[Int(place)].right)
                pending.append(nodes[Int(place)].left)
            }
        }
        return result
    }

    private mutating func readNodes(_ count: Int, _ archive: inout StateArchive) throws(MartletError) {
        free = ContiguousArray((Int32(count)..<Int32(2 * capacity)).reversed())
        root = count > 0 ? 0 : -1
        // Children that are still to come, the next one last.
        var pending: [(parent: Int32, isLeft: Bool)] = [(-1, true)]
        for place in 0..<Int32(count) {
            guard let (parent, isLeft) = pending.popLast() else {
                throw StateArchive.corrupt("holds a tree that is none")
            }
            var node = Node(parent: parent)
            if parent >= 0 {
                if isLeft { nodes[Int(parent)].left = place } else { nodes[Int(parent)].right = place }
            }
            try archive.transfer(&node.feature)
            if node.feature >= 0 {
                guard node.feature < dimensions else { throw StateArchive.corrupt("cuts a value that there is not") }
                try archive.transfer(&node.cut)
                pending += [(place, false), (place, true)]
            } else {
                node.feature = -1
                for dimension in 0..<dimensions {
                    var value: Float = 0
                    try archive.transfer(&value)
                    guard value.isFinite else { throw StateArchive.corrupt("holds a point that is none") }
                    boxes[Int(place) * 2 * dimensions + dimension] = value
                    boxes[Int(place) * 2 * dimensions + dimensions + dimension] = value
                }
            }
            nodes[Int(place)] = node
        }
        guard pending.isEmpty || count == 0 else { throw StateArchive.corrupt("holds a tree that is none") }
    }

    /// Masses and boxes from the leaves up: in preorder children come after their parents.
    private mutating func weigh(_ count: Int) throws(MartletError) {
        for place in stride(from: count - 1, through: 0, by: -1) {
            let node = nodes[place]
            if node.feature >= 0 {
                nodes[place].mass = nodes[Int(node.left)].mass + nodes[Int(node.right)].mass
                encloseChildren(place)
            } else if node.mass == 0 {
                throw StateArchive.corrupt("holds a leaf without points")
            }
        }
        least = priorities.indices.min { priorities[$0] < priorities[$1] } ?? 0
    }
}
