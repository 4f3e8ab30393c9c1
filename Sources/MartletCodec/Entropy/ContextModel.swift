import MartletModel

/// Decides whether the two symbols before a symbol are worth knowing, and where to cut their sum into four classes.
enum ContextModel {
    private static let bucketCount = 16

    static func tables(
        _ symbols: UnsafePointer<UInt8>, _ count: Int, pageLength: Int, symbolCount: Int, effort: Effort
    ) -> SymbolTables {
        let (buckets, bounds) = sums(symbols, count)
        let counts = RangeCoder.countBySum(
            symbols, count: count, pageLength: pageLength, symbolCount: symbolCount, buckets: buckets,
            bucketCount: bounds.count)
        var whole = [UInt32](repeating: 0, count: symbolCount)
        for (place, count) in counts.enumerated() { whole[place % symbolCount] += count }
        let single = SymbolTables(counts: whole, symbolCount: symbolCount, thresholds: nil, bits: bits(count, 1))
        guard effort != .hot, count >= 2048, bounds.count >= 2 else { return single }

        let (cuts, cost) = bestCuts(counts, symbolCount, bounds.count)
        let plain = intervalCost(counts, symbolCount, 0..<bounds.count)
        // Contexts slow the decoder a little, so they have to save two per cent.
        guard cost < plain * 0.98 else { return single }
        var merged: [UInt32] = []
        var thresholds: [Int32] = []
        var start = 0
        for cut in cuts + [bounds.count] {
            var sum = [UInt32](repeating: 0, count: symbolCount)
            for bucket in start..<cut {
                for symbol in 0..<symbolCount { sum[symbol] += counts[bucket * symbolCount + symbol] }
            }
            merged += sum
            if cut < bounds.count { thresholds.append(Int32(bounds[cut - 1])) }
            start = cut
        }
        // Fewer than three cuts leave empty classes above the highest sum.
        while thresholds.count < 3 {
            thresholds.append(511)
            merged += [UInt32](repeating: 0, count: symbolCount)
        }
        return SymbolTables(counts: merged, symbolCount: symbolCount, thresholds: thresholds, bits: bits(count, 4))
    }

    private static func bits(_ count: Int, _ contexts: Int) -> Int { count < 2048 ? 10 : contexts == 1 ? 12 : 11 }

    /// Cuts the sums of two neighbouring symbols into classes of about equal weight: the class of each sum, and the
    /// highest sum of each class.
    private static func sums(_ symbols: UnsafePointer<UInt8>, _ count: Int) -> (buckets: [UInt8], bounds: [Int]) {
        var histogram = [Int](repeating: 0, count: 512)
        histogram.withUnsafeMutableBufferPointer { histogram in
            for index in 1..<max(count, 1) { histogram[Int(symbols[index]) &+ Int(symbols[index &- 1])] &+= 1 }
        }
        var buckets = [UInt8](repeating: 0, count: 512)
        var bounds: [Int] = []
        var weight = 0
        for sum in 0..<512 {
            buckets[sum] = UInt8(bounds.count)
            weight += histogram[sum]
            if weight * bucketCount >= count && bounds.count < bucketCount - 1 {
                bounds.append(sum)
                weight = 0
            }
        }
        if weight > 0 || bounds.isEmpty { bounds.append(511) }
        for sum in 0..<512 { buckets[sum] = min(buckets[sum], UInt8(bounds.count - 1)) }
        return (buckets, bounds)
    }

    /// The bits of the symbols in some classes together, tables included.
    private static func intervalCost(_ counts: [UInt32], _ symbolCount: Int, _ classes: Range<Int>) -> Double {
        var total: UInt32 = 0
        var bits = 0.0
        for symbol in 0..<symbolCount {
            var count: UInt32 = 0
            for bucket in classes { count += counts[bucket * symbolCount + symbol] }
            guard count > 0 else { continue }
            total += count
            bits += 8 - Logarithms.entropyTerm(count)
        }
        return bits + Logarithms.entropyTerm(total)
    }

    /// The up to three cuts between classes that cost the least, by dynamic programming.
    private static func bestCuts(_ counts: [UInt32], _ symbolCount: Int, _ classes: Int) -> ([Int], Double) {
        var costs = [[Double]](repeating: [Double](repeating: .infinity, count: classes + 1), count: classes)
        for start in 0..<classes {
            for end in (start + 1)...classes { costs[start][end] = intervalCost(counts, symbolCount, start..<end) }
        }
        // best[k][end]: the cost of the first `end` classes in k + 1 intervals, and where the last one starts.
        var best = [(0..<(classes + 1)).map { (cost: $0 == 0 ? Double.infinity : costs[0][$0], start: 0) }]
        for _ in 1..<4 {
            let before = best[best.count - 1]
            best.append(
                (0..<(classes + 1)).map { end in
                    var choice = (cost: Double.infinity, start: 0)
                    for start in 1..<max(end, 1) where before[start].cost + costs[start][end] < choice.cost {
                        choice = (before[start].cost + costs[start][end], start)
                    }
                    return choice
                })
        }
        let intervals = (0..<4).min { best[$0][classes].cost < best[$1][classes].cost } ?? 0
        var cuts: [Int] = []
        var end = classes
        for level in stride(from: intervals, to: 0, by: -1) {
            end = best[level][end].start
            cuts.insert(end, at: 0)
        }
        return (cuts, best[intervals][classes].cost)
    }
}
