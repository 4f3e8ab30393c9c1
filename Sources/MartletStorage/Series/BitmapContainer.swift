/// Consecutive lower halves of ids, both ends included.
struct ContainerRun: Sendable, Equatable, BitwiseCopyable {
    var first: UInt16
    var last: UInt16
}

/// The lower 16 bits of the ids of one group of a `SeriesBitmap`. Never empty inside a bitmap.
enum BitmapContainer: Sendable {
    /// Strictly ascending, at most `arrayLimit` values.
    case array([UInt16])
    /// `wordCount` words, least significant bit first, and the number of set bits.
    case bitmap([UInt64], count: Int)
    /// Ascending runs with a gap between any two.
    case runs([ContainerRun])

    /// Above this an array would be larger than a bitmap.
    static let arrayLimit = 4096
    /// 65,536 bits.
    static let wordCount = 1024

    /// The smallest form of strictly ascending values; `nil` when there are none.
    init?(ascending lows: [UInt16]) {
        guard let first = lows.first else { return nil }
        var runCount = 1
        var previous = first
        for low in lows.dropFirst() {
            if low != previous &+ 1 { runCount += 1 }
            previous = low
        }
        if runCount * 4 < min(lows.count * 2, Self.wordCount * 8) {
            var runs: [ContainerRun] = []
            runs.reserveCapacity(runCount)
            for low in lows {
                if let last = runs.last, last.last &+ 1 == low {
                    runs[runs.count - 1].last = low
                } else {
                    runs.append(ContainerRun(first: low, last: low))
                }
            }
            self = .runs(runs)
        } else if lows.count <= Self.arrayLimit {
            self = .array(lows)
        } else {
            var words = [UInt64](repeating: 0, count: Self.wordCount)
            for low in lows { words[Int(low >> 6)] |= 1 << UInt64(low & 63) }
            self = .bitmap(words, count: lows.count)
        }
    }

    /// The smallest form of the set bits; `nil` when there are none.
    init?(words: [UInt64]) {
        var count = 0
        var runCount = 0
        var carry = UInt64(0)
        for word in words {
            count += word.nonzeroBitCount
            runCount += (word & ~(word << 1 | carry)).nonzeroBitCount
            carry = word >> 63
        }
        if count == 0 { return nil }
        if runCount * 4 < min(count * 2, Self.wordCount * 8) {
            self = .runs(Self.runs(of: words, count: runCount))
        } else if count <= Self.arrayLimit {
            self = .array(Self.lows(of: words, count: count))
        } else {
            self = .bitmap(words, count: count)
        }
    }

    /// Runs that ascend with gaps between them; `nil` when there are none.
    init?(ascendingRuns runs: [ContainerRun]) {
        let count = runs.reduce(0) { $0 + Int($1.last) - Int($1.first) + 1 }
        if count == 0 { return nil }
        if runs.count * 4 < min(count * 2, Self.wordCount * 8) {
            self = .runs(runs)
        } else {
            self.init(words: BitmapContainer.runs(runs).words)
        }
    }

    /// The number of values.
    var count: Int {
        switch self {
        case .array(let lows): lows.count
        case .bitmap(_, let count): count
        case .runs(let runs): runs.reduce(0) { $0 + Int($1.last) - Int($1.first) + 1 }
        }
    }

    /// The least value.
    var first: UInt16 {
        switch self {
        case .array(let lows): return lows[0]
        case .runs(let runs): return runs[0].first
        case .bitmap(let words, _):
            let index = words.firstIndex { $0 != 0 } ?? 0
            return UInt16(index << 6 | words[index].trailingZeroBitCount)
        }
    }

    /// Bytes of the payload.
    var byteCount: Int {
        switch self {
        case .array(let lows): lows.count * 2
        case .bitmap: Self.wordCount * 8
        case .runs(let runs): runs.count * 4
        }
    }

    func contains(_ low: UInt16) -> Bool {
        switch self {
        case .bitmap(let words, _): return words[Int(low >> 6)] >> UInt64(low & 63) & 1 != 0
        case .array(let lows):
            let index = lows.partitionPoint { $0 < low }
            return index < lows.count && lows[index] == low
        case .runs(let runs):
            let index = runs.partitionPoint { $0.last < low }
            return index < runs.count && runs[index].first <= low
        }
    }

    /// Adds a value; appending at the end costs amortised O(1).
    mutating func insert(_ low: UInt16) {
        switch self {
        case .array(var lows):
            self = .array([])  // gives up the shared reference, so that the array grows in place
            if let last = lows.last, low > last {
                lows.append(low)
            } else {
                let index = lows.partitionPoint { $0 < low }
                if index == lows.count || lows[index] != low { lows.insert(low, at: index) }
            }
            let array = BitmapContainer.array(lows)
            self = lows.count <= Self.arrayLimit ? array : .bitmap(array.words, count: lows.count)
        case .bitmap(var words, var count):
            self = .array([])
            let bit = UInt64(1) << UInt64(low & 63)
            if words[Int(low >> 6)] & bit == 0 {
                words[Int(low >> 6)] |= bit
                count += 1
            }
            self = .bitmap(words, count: count)
        case .runs(var runs):
            if contains(low) { return }
            self = .array([])
            if let last = runs.last, last.last < UInt16.max, low == last.last + 1 {
                runs[runs.count - 1].last = low
                self = .runs(runs)
            } else {
                var words = BitmapContainer.runs(runs).words
                words[Int(low >> 6)] |= 1 << UInt64(low & 63)
                if let container = BitmapContainer(words: words) { self = container }
            }
        }
    }

    /// Calls `body` with each value in ascending order.
    @inline(__always) func forEach(_ body: (UInt16) -> Void) {
        switch self {
        case .array(let lows): for low in lows { body(low) }
        case .runs(let runs): for run in runs { for low in run.first...run.last { body(low) } }
        case .bitmap(let words, _):
            for (index, word) in words.enumerated() {
                var rest = word
                while rest != 0 {
                    body(UInt16(index << 6 | rest.trailingZeroBitCount))
                    rest &= rest &- 1
                }
            }
        }
    }

    /// All values, ascending.
    var lows: [UInt16] {
        if case .array(let lows) = self { return lows }
        var lows: [UInt16] = []
        lows.reserveCapacity(count)
        forEach { lows.append($0) }
        return lows
    }

    /// The values as a bitmap of `wordCount` words.
    var words: [UInt64] {
        switch self {
        case .bitmap(let words, _): return words
        case .array(let lows):
            var words = [UInt64](repeating: 0, count: Self.wordCount)
            for low in lows { words[Int(low >> 6)] |= 1 << UInt64(low & 63) }
            return words
        case .runs(let runs):
            var words = [UInt64](repeating: 0, count: Self.wordCount)
            for run in runs {
                let firstWord = Int(run.first >> 6)
                let lastWord = Int(run.last >> 6)
                let head = ~UInt64(0) << UInt64(run.first & 63)
                let tail = ~UInt64(0) >> UInt64(63 - (run.last & 63))
                if firstWord == lastWord {
                    words[firstWord] |= head & tail
                } else {
                    words[firstWord] |= head
                    for index in firstWord + 1..<lastWord { words[index] = ~0 }
                    words[lastWord] |= tail
                }
            }
            return words
        }
    }

    private static func lows(of words: [UInt64], count: Int) -> [UInt16] {
        BitmapContainer.bitmap(words, count: count).lows
    }

    private static func runs(of words: [UInt64], count: Int) -> [ContainerRun] {
        var runs: [ContainerRun] = []
        runs.reserveCapacity(count)
        BitmapContainer.bitmap(words, count: 0).forEach { low in
            if let last = runs.last, Int(last.last) + 1 == Int(low) {
                runs[runs.count - 1].last = low
            } else {
                runs.append(ContainerRun(first: low, last: low))
            }
        }
        return runs
    }
}

extension Array {
    /// The index of the first element for which `isBefore` is false, in an array where all for which it is true come
    /// first. O(log count).
    @inline(__always) func partitionPoint(_ isBefore: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) >> 1
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
