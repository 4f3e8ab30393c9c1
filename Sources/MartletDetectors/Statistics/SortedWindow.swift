import MartletModel

/// The last values of a series, kept in order too: quantiles and the MAD of a sliding window without sorting.
struct SortedWindow {
    private var ring: Ring
    /// The first `count` are the window's values in ascending order.
    private var sorted: ContiguousArray<Double>

    init(_ capacity: Int) {
        ring = Ring(capacity)
        sorted = ContiguousArray(repeating: 0, count: capacity)
    }

    var count: Int { ring.count }

    /// Adds a finite value. O(window), by moving, not by comparing.
    mutating func push(_ value: Double) {
        let before = ring.count
        var hole = before
        if let old = ring.push(value) {
            hole = place(of: old, count: before)
            if hole == before { hole = before - 1 }
        }
        while hole > 0, sorted[hole - 1] > value {
            sorted[hole] = sorted[hole - 1]
            hole -= 1
        }
        while hole + 1 < ring.count, sorted[hole + 1] < value, before == ring.count {
            sorted[hole] = sorted[hole + 1]
            hole += 1
        }
        sorted[hole] = value
    }

    /// The first place that holds at least `value`.
    private func place(of value: Double, count: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The quantile between values in proportion (Hyndman and Fan's type 7). The window must not be empty.
    func quantile(_ fraction: Double) -> Double {
        let place = fraction * Double(count - 1)
        let low = Int(place)
        let high = min(low + 1, count - 1)
        return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
    }

    /// The median of the distances to `center`, which must be the window's median: two pointers walk outwards.
    func medianDistance(to center: Double) -> Double {
        let wanted = count / 2
        var right = place(of: center, count: count)
        var left = right - 1
        var distance = 0.0
        var previous = 0.0
        for _ in 0...wanted {
            previous = distance
            let below = left >= 0 ? center - sorted[left] : .infinity
            let above = right < count ? sorted[right] - center : .infinity
            if below < above {
                distance = below
                left -= 1
            } else {
                distance = above
                right += 1
            }
        }
        return count % 2 == 0 ? (previous + distance) / 2 : distance
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try ring.transfer(&archive)
        guard archive.isReading else { return }
        for index in sorted.indices { sorted[index] = index < ring.count ? ring[index] : 0 }
        guard !sorted.contains(where: \.isNaN) else { throw StateArchive.corrupt("holds NaN in a window") }
        sorted[0..<ring.count].sort()
    }

    var bytes: Int { ring.bytes + sorted.count * 8 + 32 }
}
