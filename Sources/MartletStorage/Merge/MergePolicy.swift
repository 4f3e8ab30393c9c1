import MartletModel

/// Decides which segments are merged next.
///
/// Sealed segments are kept in the order of their commits, and only neighbours are merged, so that "the newer segment
/// wins" stays a matter of order. Size-tiered: segments of about the same size are merged once there are `fanIn` of
/// them, so each byte is rewritten once per tier, about log(total / first) / log(fanIn) times.
struct MergePolicy {
    /// Neighbours of one tier that make a merge worth its writes.
    static let fanIn = 8
    /// Each tier holds segments up to this many times larger than the one below.
    private static let tierRatio = 8
    /// Segments below this size are of the lowest tier.
    private static let smallest: UInt64 = 1 << 20

    let largestSegmentBytes: Int

    /// A run of neighbours to merge, as indices into `segments`, or `nil`.
    func next(_ segments: [Manifest.Sealed]) -> Range<Int>? {
        var start = 0
        while start < segments.count {
            let tier = Self.tier(segments[start].byteCount)
            var end = start
            var bytes: UInt64 = 0
            // A smaller neighbour in between goes along: it costs little and would otherwise keep the others apart.
            while end < segments.count, Self.tier(segments[end].byteCount) <= tier,
                bytes + segments[end].byteCount <= UInt64(largestSegmentBytes), end - start < Self.fanIn * 4
            {
                bytes += segments[end].byteCount
                end += 1
            }
            let peers = segments[start..<end].filter { Self.tier($0.byteCount) == tier }.count
            if peers >= Self.fanIn { return start..<end }
            start += 1
        }
        return nil
    }

    /// All neighbours that fit into one segment, and lone segments that need rewriting; for `compact()`.
    func full(_ segments: [Manifest.Sealed], mustRewrite: (Manifest.Sealed) -> Bool) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        while start < segments.count {
            var end = start + 1
            var bytes = segments[start].byteCount
            while end < segments.count, bytes + segments[end].byteCount <= UInt64(largestSegmentBytes) {
                bytes += segments[end].byteCount
                end += 1
            }
            if end - start > 1 || mustRewrite(segments[start]) { result.append(start..<end) }
            start = end
        }
        return result
    }

    private static func tier(_ bytes: UInt64) -> Int {
        var tier = 0
        var limit = smallest
        while bytes > limit {
            limit *= UInt64(tierRatio)
            tier += 1
        }
        return tier
    }
}
