/// Finds the name that was probably meant.
enum Spelling {
    /// The candidate nearest to `word`, if it is near enough to be a slip: at most a third of its letters away.
    static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        let wanted = Array(word.lowercased().utf8.prefix(64))
        var best: (String, Int)?
        for candidate in candidates {
            let other = Array(candidate.lowercased().utf8.prefix(64))
            if abs(other.count - wanted.count) > 3 { continue }
            let distance = distance(wanted, other)
            if distance <= max(1, min(wanted.count, other.count) / 3), distance < best?.1 ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.0
    }

    /// ": did you mean 'x'?" or nothing.
    static func hint(for word: String, in candidates: some Sequence<String>) -> String? {
        nearest(to: word, in: candidates).map { "did you mean '\($0)'?" }
    }

    /// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        var current = last
        for i in 0..<left.count {
            current[0] = i + 1
            for j in 0..<right.count {
                var cost = min(last[j + 1] + 1, current[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                current[j + 1] = cost
            }
            (beforeLast, last, current) = (last, current, beforeLast)
        }
        return last[right.count]
    }
}
