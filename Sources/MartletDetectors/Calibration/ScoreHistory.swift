import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The raw scores of one series' past, and how rare a new one is among them.
///
/// Scores are counted in 128 bins, eight to a doubling, of which the highest 16 doublings are kept apart. The p-value
/// of a score is the conformal one, (1 + scores at least as high) / (1 + scores) (Vovk, Gammerman and Shafer,
/// Algorithmic Learning in a Random World, 2005; Laxhammar and Falkman, Conformal Anomaly Detection, 2010). That ends
/// at 1 / (1 + scores); beyond, the tail is taken to fall as a power (Hill, Ann. Statist. 3, 1975; Weissman, JASA 73,
/// 1978), which is cautious for every lighter tail. 300 bytes; a few dozen nanoseconds a score.
struct ScoreHistory {
    static let binCount = 128
    /// Where the counts are halved, so that the distant past fades.
    static let capacity = 60_000

    /// The least tail index of scores that are distances in standard deviations; see `Detector.leastTailIndex`.
    static let tailIndexOfDistances = 0.06

    private let leastTailIndex: Double
    private var counts = ContiguousArray<UInt16>(repeating: 0, count: binCount)
    private(set) var total = 0
    /// The key of the highest bin.
    private var top = 0
    /// How many positive scores lay below the lowest bin.
    private var below = 0
    /// How many scores were beyond all that the past had shown.
    private var surprises = 0

    /// - Parameter leastTailIndex: see `Detector.leastTailIndex`.
    init(leastTailIndex: Double = tailIndexOfDistances) { self.leastTailIndex = leastTailIndex }

    /// The bin of a positive score: its exponent and the first three bits of its mantissa.
    @inline(__always)
    private static func key(_ score: Double) -> Int { Int(score.bitPattern >> 49) }

    private static func edge(_ key: Int) -> Double { Double(bitPattern: UInt64(max(key, 0)) << 49) }

    private static func sanitized(_ score: Double) -> Double { min(max(score, 0), 1e300) }

    /// How many scores, a part of them in proportion, are at least `score`.
    private func countAtLeast(_ score: Double) -> Double {
        let key = Self.key(score)
        if key > top { return 0 }
        let bin = key - (top - Self.binCount + 1)
        if bin <= 0 { return Double(total) }
        var above = 0
        for index in bin + 1..<Self.binCount { above += Int(counts[index]) }
        let low = Self.edge(key)
        let share = (Self.edge(key + 1) - score) / (Self.edge(key + 1) - low)
        return Double(above) + share * Double(counts[bin])
    }

    /// The tail: the score where it begins, the share of scores in it, and its index.
    private func tail() -> (threshold: Double, share: Double, index: Double)? {
        let wanted = max(8, total / 50)
        guard total >= 16 else { return nil }
        var above = 0
        var bin = Self.binCount
        while bin > 0, above < wanted {
            bin -= 1
            above += Int(counts[bin])
        }
        // A bin that holds most scores would make a tail of everything: then it begins above it.
        if above > total / 3 {
            above -= Int(counts[bin])
            bin += 1
        }
        let first = top - Self.binCount + 1
        let threshold = Self.edge(first + bin)
        guard threshold > 0 else { return nil }
        var sum = 0.0
        for index in bin..<max(bin, Self.binCount) where counts[index] > 0 {
            let middle = (Self.edge(first + index) + Self.edge(first + index + 1)) / 2
            sum += Double(counts[index]) * log(middle / threshold)
        }
        // Two scores at one doubling above stand for what a short past has not shown yet.
        let index = (sum + 0.3) / (Double(above) + 2) * (1 + 1 / (Double(above) + 1).squareRoot())
        return (threshold, (Double(above) + 1) / Double(total + 1), max(index, leastTailIndex))
    }

    /// How rare the score is: -log10 of its p-value among the past; 0 for the ordinary.
    func significance(of raw: Double) -> Double {
        let score = Self.sanitized(raw)
        let count = countAtLeast(score)
        let empirical = log10(Double(total + 1) / (count + 1))
        // A score that the past has reached often enough needs no model of the tail.
        if count >= 8 { return max(0, empirical) }
        guard let tail = tail(), score > tail.threshold else { return max(0, empirical) }
        let model = log10(score / tail.threshold) / tail.index - log10(tail.share)
        return max(0, empirical, model)
    }

    /// The highest -log10 p that the past alone can show.
    var limit: Double { log10(Double(total + 1)) }

    /// Whether the past makes a score of that significance next to impossible.
    func isSurprise(_ significance: Double) -> Bool { significance > limit + 0.3 }

    /// Adds a score whose significance was `significance`. Of those that the past makes next to impossible every eighth
    /// is counted, and as just above the highest, so that an anomaly does not hide the next one and yet becomes
    /// ordinary when it stays.
    mutating func add(_ raw: Double, significance: Double) {
        var score = Self.sanitized(raw)
        if isSurprise(significance), let tail = tail() {
            surprises = (surprises + 1) % 8
            if surprises != 1 { return }
            score = min(score, tail.threshold * pow(10, max(0, limit + 0.3 + log10(tail.share)) * tail.index))
        }
        let key = Self.key(score)
        if key > top { raise(to: key) }
        let bin = max(0, key - (top - Self.binCount + 1))
        counts[bin] += 1
        total += 1
        if bin == 0, score > 0 { below += 1 }
        if total >= Self.capacity { halve() }
        // Wild scores of the first rows can set the scale so high that all others look alike: then begin anew.
        if below >= 64, below > total / 2 {
            for index in counts.indices { counts[index] = 0 }
            total = 0
            below = 0
            top = 0
        }
    }

    /// Makes `key` the highest bin; those that fall out at the low end are counted in the lowest.
    private mutating func raise(to key: Int) {
        let shift = key - top
        top = key
        var lowest = 0
        for index in 0...min(shift, Self.binCount - 1) { lowest += Int(counts[index]) }
        for index in 0..<Self.binCount {
            counts[index] = index + shift < Self.binCount ? counts[index + shift] : 0
        }
        counts[0] = UInt16(clamping: lowest)
    }

    /// Halves upwards: a bin of one keeps it, or the tail would be forgotten before the bulk.
    private mutating func halve() {
        total = 0
        below /= 2
        for index in counts.indices {
            counts[index] = counts[index] / 2 + counts[index] % 2
            total += Int(counts[index])
        }
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&counts)
        try archive.transfer(&top, in: 0...16_383)
        try archive.transfer(&below, in: 0...Self.capacity)
        try archive.transfer(&surprises, in: 0...7)
        total = counts.reduce(0) { $0 + Int($1) }
        guard total < Self.capacity else { throw StateArchive.corrupt("counts more scores than it may") }
    }
}
