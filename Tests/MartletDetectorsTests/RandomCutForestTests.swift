import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct RandomCutForestTests {
    /// Every node's box encloses exactly its children's, its mass is theirs, and its cut parts them.
    private func check(_ tree: RandomCutTree, _ context: String) {
        guard tree.root >= 0 else { return #expect(tree.count == 0) }
        #expect(Int(tree.nodes[Int(tree.root)].mass) == tree.count, "\(context)")
        var pending = [Int(tree.root)]
        while let place = pending.popLast() {
            let node = tree.nodes[place]
            guard node.feature >= 0 else { continue }
            let (left, right) = (Int(node.left), Int(node.right))
            #expect(node.mass == tree.nodes[left].mass + tree.nodes[right].mass, "\(context)")
            #expect(tree.nodes[left].parent == Int32(place) && tree.nodes[right].parent == Int32(place), "\(context)")
            let (box, first, second) = (tree.box(place), tree.box(left), tree.box(right))
            for dimension in 0..<tree.dimensions {
                #expect(box.lows[dimension] == min(first.lows[dimension], second.lows[dimension]), "\(context)")
                #expect(box.highs[dimension] == max(first.highs[dimension], second.highs[dimension]), "\(context)")
            }
            #expect(first.highs[Int(node.feature)] <= node.cut, "\(context)")
            #expect(second.lows[Int(node.feature)] > node.cut, "\(context)")
            pending += [left, right]
        }
    }

    @Test(arguments: UInt64(0)..<6) func `a tree stays one while points come and go`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var cuts = SplitMix(seed: seed)
        var tree = RandomCutTree(dimensions: 3, capacity: 32)
        for row in 0..<600 {
            // Few values: many points are equal, or share coordinates.
            let point = (0..<3).map { _ in Float(Int.random(in: 0..<(seed % 2 == 0 ? 3 : 1000), using: &random)) }
            tree.offer(point, priority: Double(row) + Double.random(in: 0...20, using: &random), &cuts)
            check(tree, "seed \(seed), row \(row)")
            #expect(tree.count == min(row + 1, 32))
        }
    }

    /// Two points at 0 and 1 and a new one at 3: a cut falls into the outer two of three parts, and leaves it alone there
    /// beside 2; else it is cut off from the point at 1, with the group of both beside 1.
    @Test func `the displacement is the mean over all cuts`() {
        var cuts = SplitMix(seed: 1)
        var tree = RandomCutTree(dimensions: 1, capacity: 8)
        tree.offer([0], priority: 1, &cuts)
        #expect(tree.displacement([3]) == 1)
        tree.offer([1], priority: 1, &cuts)
        #expect(abs(tree.displacement([3]) - (2.0 / 3 * 2 + 1.0 / 3 * 1)) < 1e-6)
        // A point that is there already displaces with it: 1 for two.
        #expect(abs(tree.displacement([1]) - 0.5) < 1e-6)
    }

    @Test func `a row far from the others, or between the clusters, displaces most`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("random_cut_forest", dimensions: 2)
        var random = SeededGenerator(seed: 3)
        func row(_ cluster: Double) -> [Double] {
            [cluster + Double.random(in: -1...1, using: &random), -cluster + Double.random(in: -1...1, using: &random)]
        }
        for index in 0..<2000 { _ = try scorer.score(Int64(index) * 300_000_000_000, row(index % 2 == 0 ? 10 : -10)) }
        let between = try #require(try scorer.score(2000 * 300_000_000_000, [10, 10]))
        #expect(between.score > 0.999)
        #expect(scorer.detector.explanation.reason.contains("displaces"))
        let usual = try #require(try scorer.score(2001 * 300_000_000_000, row(10)))
        #expect(usual.score < 0.99)
    }

    @Test func `the value that is odd is named`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("random_cut_forest", dimensions: 3)
        var random = SeededGenerator(seed: 4)
        for index in 0..<1000 {
            _ = try scorer.score(Int64(index), (0..<3).map { _ in Double.random(in: -1...1, using: &random) })
        }
        _ = try scorer.score(1000, [0, 9, 0])
        #expect(scorer.detector.explanation.contributors.first == 1)
    }

    @Test func `a new level becomes usual as the old rows fade`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("random_cut_forest", "shingle = 1, fade = 200")
        var random = SeededGenerator(seed: 5)
        var scores: [Double] = []
        for index in 0..<4000 {
            let value = (index < 2000 ? 0 : 50) + Double.random(in: -1...1, using: &random)
            scores.append(try scorer.score(Int64(index) * 1_000_000_000, value)?.raw ?? 0)
        }
        #expect(scores[2000] > 20 * scores[1999])
        #expect(scores[3000...].max()! < scores[2000] / 20)
    }
}
