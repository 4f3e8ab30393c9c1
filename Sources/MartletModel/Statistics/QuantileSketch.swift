#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Quantiles with a relative error of at most 1 %: DDSketch (Masson, Rim & Lee, VLDB 2019). Merging two sketches gives
/// the sketch of all their values, whatever the order. 12 bytes a bucket; values that span a factor of 1,000 need 350.
package struct QuantileSketch: Sendable, Hashable {
    /// The largest relative error of a quantile.
    package static let relativeError = 0.01
    private static let gamma = (1 + relativeError) / (1 - relativeError)
    private static let scale = 1 / log(gamma)
    /// Added to the logarithm's bucket, which is within 38,000 of 0 for every number, so that the keys of positive numbers
    /// are above 0. Those of negative numbers are their opposites, and keys order as the values do.
    private static let offset: Int32 = 40_000
    private static let infinity: Int32 = 80_000
    private static let most = 256

    /// The buckets in ascending order, and the values in each.
    private var keys: [Int32] = []
    private var counts: [Int] = []
    /// Keys of values that are not in the buckets yet.
    private var pending: [Int32] = []
    private var nans = 0
    /// The number of values.
    package private(set) var count = 0
    /// Whether there are NaNs among the values.
    package var hasNaN: Bool { nans > 0 }
    /// The least and the greatest value, NaN left out.
    package private(set) var least = Double.infinity
    package private(set) var greatest = -Double.infinity

    /// A sketch of nothing.
    package init() {}

    /// O(1), amortised O(log 256) comparisons.
    package mutating func add(_ value: Double) {
        count += 1
        if value.isNaN {
            nans += 1
            return
        }
        least = min(least, value)
        greatest = max(greatest, value)
        pending.append(Self.key(value))
        if pending.count >= Self.most { settle() }
    }

    /// So many values that are the same.
    package mutating func add(_ value: Double, count number: Int) {
        guard number > 0 else { return }
        add(value)
        settle()
        count += number - 1
        if value.isNaN {
            nans += number - 1
        } else if let place = keys.firstIndex(of: Self.key(value)) {
            counts[place] += number - 1
        }
    }

    private static func key(_ value: Double) -> Int32 {
        if value == 0 { return 0 }
        if value.isInfinite { return value > 0 ? infinity : -infinity }
        let key = Int32((log(value.magnitude) * scale).rounded(.up)) + offset
        return value > 0 ? key : -key
    }

    /// Brings values that were added into their buckets.
    package mutating func settle() {
        if pending.isEmpty { return }
        pending.sort()
        var (added, addedCounts): ([Int32], [Int]) = ([], [])
        for key in pending {
            if added.last == key {
                addedCounts[addedCounts.count - 1] += 1
            } else {
                added.append(key)
                addedCounts.append(1)
            }
        }
        pending.removeAll(keepingCapacity: true)
        merge(added, addedCounts)
    }

    private mutating func merge(_ others: [Int32], _ otherCounts: [Int]) {
        if keys.isEmpty {
            (keys, counts) = (others, otherCounts)
            return
        }
        var (merged, mergedCounts): ([Int32], [Int]) = ([], [])
        merged.reserveCapacity(keys.count + others.count)
        mergedCounts.reserveCapacity(keys.count + others.count)
        var (left, right) = (0, 0)
        while left < keys.count || right < others.count {
            let takesLeft = right == others.count || left < keys.count && keys[left] <= others[right]
            let takesRight = left == keys.count || right < others.count && others[right] <= keys[left]
            merged.append(takesLeft ? keys[left] : others[right])
            mergedCounts.append((takesLeft ? counts[left] : 0) + (takesRight ? otherCounts[right] : 0))
            left += takesLeft ? 1 : 0
            right += takesRight ? 1 : 0
        }
        (keys, counts) = (merged, mergedCounts)
    }

    /// Adds another sketch's values. O(buckets of both).
    package mutating func merge(_ other: QuantileSketch) {
        settle()
        var other = other
        other.settle()
        merge(other.keys, other.counts)
        nans += other.nans
        count += other.count
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
    }

    /// The value number `floor((count - 1) x fraction)` in ascending order, NaN last; `nil` without values.
    package func quantile(_ fraction: Double) -> Double? {
        if !pending.isEmpty {
            var settled = self
            settled.settle()
            return settled.quantile(fraction)
        }
        guard count > 0 else { return nil }
        var rank = Int(Double(count - 1) * fraction)
        if rank >= count - nans { return .nan }
        for (key, number) in zip(keys, counts) {
            if rank < number { return min(max(Self.middle(key), least), greatest) }
            rank -= number
        }
        return greatest
    }

    private static func middle(_ key: Int32) -> Double {
        if key == 0 { return 0 }
        if abs(key) == infinity { return key > 0 ? .infinity : -.infinity }
        let value = 2 * exp(Double(abs(key) - offset) / scale) / (gamma + 1)
        let finite = value.isFinite ? value : .greatestFiniteMagnitude
        return key > 0 ? finite : -finite
    }

    /// Bytes of memory held.
    package var memoryFootprint: Int { 96 + keys.capacity * 4 + counts.capacity * 8 + pending.capacity * 4 }

    // MARK: Coding

    /// The sketch as text, but for its extremes: see format-spec/rollup.md. Settled first.
    package var text: String {
        var settled = self
        settled.settle()
        var writer = NumberText()
        writer.write(settled.nans)
        writer.write(settled.keys.count)
        var before: Int32 = 0
        for (index, key) in settled.keys.enumerated() {
            // The first one is signed, its sign in the lowest bit; the others are distances.
            writer.write(index == 0 ? Int(key) << 1 ^ Int(key) >> 63 : Int(key - before) - 1)
            writer.write(settled.counts[index] - 1)
            before = key
        }
        return writer.text
    }

    /// The sketch that a text stands for; `nil` where it stands for none.
    package init?(text: String, least: Double?, greatest: Double?) {
        var reader = NumberText.Reader(text)
        guard let nans = reader.read(), let buckets = reader.read(), buckets <= 2 * Int(Self.infinity) + 1 else {
            return nil
        }
        self.nans = nans
        count = nans
        var before = 0
        for index in 0..<buckets {
            guard let step = reader.read(), let more = reader.read(), step <= 4 * Int(Self.infinity) else { return nil }
            let key = index == 0 ? step >> 1 ^ -(step & 1) : before + step + 1
            guard abs(key) <= Int(Self.infinity), more < 1 << 48 else { return nil }
            keys.append(Int32(key))
            counts.append(more + 1)
            count += more + 1
            before = key
        }
        guard reader.isAtEnd, buckets == 0 || least != nil && greatest != nil else { return nil }
        self.least = least ?? .infinity
        self.greatest = greatest ?? -.infinity
    }
}
