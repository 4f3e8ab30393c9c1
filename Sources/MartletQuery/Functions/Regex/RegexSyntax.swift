import MartletModel

/// A regular expression as a tree.
indirect enum RegexNode {
    case empty
    /// One code point out of a set.
    case set(ScalarSet)
    case sequence([RegexNode])
    case alternatives([RegexNode])
    case group(RegexNode, index: Int?)
    case repetition(RegexNode, least: Int, most: Int?, isGreedy: Bool)
    case assertion(RegexAssertion)
}

/// Places between characters.
enum RegexAssertion: UInt8, Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
}

/// A set of code points as sorted, disjoint ranges.
struct ScalarSet: Sendable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = ranges
        normalise()
    }

    static let any = ScalarSet([0...0x10_ffff])
    static let digits = ScalarSet([0x30...0x39])
    static let words = ScalarSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    static let spaces = ScalarSet([0x09...0x0d, 0x20...0x20])

    private mutating func normalise() {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound &+ 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        ranges = result
    }

    mutating func insert(_ other: ScalarSet) {
        ranges += other.ranges
        normalise()
    }

    var inverted: ScalarSet {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= 0x10_ffff { result.append(next...0x10_ffff) }
        return ScalarSet(result)
    }

    /// The set with the other case of every letter in it; ranges over 2,000 code points get ASCII's only.
    var ignoringCase: ScalarSet {
        var result = ranges
        for range in ranges {
            let isShort = range.upperBound - range.lowerBound < 2000
            let upper = isShort ? range.upperBound : min(range.upperBound, 0x7f)
            if range.lowerBound > upper { continue }
            for value in range.lowerBound...upper {
                guard let scalar = Unicode.Scalar(value) else { continue }
                for other in [CaseMapping.map(scalar, upper: true), CaseMapping.map(scalar, upper: false)]
                where other != scalar { result.append(other.value...other.value) }
            }
        }
        return ScalarSet(result)
    }

    func contains(_ value: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) >> 1
            if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= value
    }

    /// The only member, if there is just one.
    var single: UInt32? {
        ranges.count == 1 && ranges[0].lowerBound == ranges[0].upperBound ? ranges[0].lowerBound : nil
    }
}

/// Flags of a regular expression; `(?ism)` in the pattern sets them from there on.
struct RegexFlags: Sendable, Hashable {
    var ignoresCase = false
    /// `.` matches a line feed.
    var dotMatchesNewline = false
    /// `^` and `$` match at lines.
    var isMultiline = false
}
