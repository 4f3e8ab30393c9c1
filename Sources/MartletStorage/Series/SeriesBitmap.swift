import MartletModel

/// A compressed set of series ids.
///
/// The design is Roaring (Lemire, Ssi-Yan-Kai, Kaser: "Consistently faster and smaller compressed bitmaps with
/// Roaring", 2016): ids are grouped by their upper 16 bits, and each group is kept in whichever of three forms is
/// smallest: a sorted array, a bitmap of 8 KiB, or runs. A value type; copies share storage until they are changed.
package struct SeriesBitmap: Sendable {
    /// The upper halves of the ids, ascending.
    private(set) var keys: [UInt16]
    /// The lower halves, one container per key, none empty.
    private(set) var containers: [BitmapContainer]

    /// The empty set.
    package init() {
        keys = []
        containers = []
    }

    init(keys: [UInt16], containers: [BitmapContainer]) {
        self.keys = keys
        self.containers = containers
    }

    /// The set of `ids`, which must ascend strictly. O(count).
    package init(ascending ids: some Collection<UInt32>) {
        self.init()
        var lows: [UInt16] = []
        var key = UInt16(0)
        var previous: UInt32?
        for id in ids {
            precondition(previous.map { $0 < id } ?? true, "the ids of a bitmap must ascend")
            previous = id
            let high = UInt16(truncatingIfNeeded: id >> 16)
            if high != key && !lows.isEmpty {
                append(key, BitmapContainer(ascending: lows))
                lows.removeAll(keepingCapacity: true)
            }
            key = high
            lows.append(UInt16(truncatingIfNeeded: id))
        }
        append(key, BitmapContainer(ascending: lows))
    }

    /// All ids of `range`. O(range / 65,536).
    package init(_ range: Range<UInt32>) {
        self.init()
        guard let last = range.last else { return }
        let highest = last >> 16
        for high in (range.lowerBound >> 16)...highest {
            let from = Swift.max(range.lowerBound, high << 16)
            let through = Swift.min(last, high << 16 | 0xffff)
            let run = ContainerRun(
                first: UInt16(truncatingIfNeeded: from), last: UInt16(truncatingIfNeeded: through))
            append(UInt16(truncatingIfNeeded: high), BitmapContainer(ascendingRuns: [run]))
        }
    }

    /// The set of the bits that are set in `words`, least significant first. O(words).
    package init(words: UnsafeBufferPointer<UInt64>) {
        self.init()
        var start = 0
        while start < words.count {
            let end = Swift.min(start + BitmapContainer.wordCount, words.count)
            var chunk = [UInt64](words[start..<end])
            chunk.append(contentsOf: repeatElement(0, count: BitmapContainer.wordCount - chunk.count))
            append(UInt16(truncatingIfNeeded: start / BitmapContainer.wordCount), BitmapContainer(words: chunk))
            start = end
        }
    }

    /// Appends a container under a key greater than all others; `nil` stands for an empty one.
    private mutating func append(_ key: UInt16, _ container: BitmapContainer?) {
        guard let container else { return }
        keys.append(key)
        containers.append(container)
    }

    /// The number of ids. O(containers).
    package var count: Int { containers.reduce(0) { $0 + $1.count } }

    /// Whether there are no ids.
    package var isEmpty: Bool { keys.isEmpty }

    /// The least id.
    package var first: UInt32? {
        guard let key = keys.first, let container = containers.first else { return nil }
        return UInt32(key) << 16 | UInt32(container.first)
    }

    /// Bytes held, for memory accounting.
    package var memoryFootprint: Int {
        keys.count * (MemoryLayout<UInt16>.stride + MemoryLayout<BitmapContainer>.stride)
            + containers.reduce(0) { $0 + $1.byteCount }
    }

    /// Whether `id` is in the set. O(log containers + log container).
    package func contains(_ id: UInt32) -> Bool {
        let (index, found) = position(of: UInt16(truncatingIfNeeded: id >> 16))
        return found && containers[index].contains(UInt16(truncatingIfNeeded: id))
    }

    /// Adds `id`. Amortised O(1) when ids come in ascending order.
    package mutating func insert(_ id: UInt32) {
        let (index, found) = position(of: UInt16(truncatingIfNeeded: id >> 16))
        let low = UInt16(truncatingIfNeeded: id)
        if found {
            containers[index].insert(low)
        } else {
            keys.insert(UInt16(truncatingIfNeeded: id >> 16), at: index)
            containers.insert(.array([low]), at: index)
        }
    }

    private func position(of key: UInt16) -> (index: Int, found: Bool) {
        if let last = keys.last, key >= last { return key == last ? (keys.count - 1, true) : (keys.count, false) }
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return (low, low < keys.count && keys[low] == key)
    }

    /// The ids of both sets.
    package func intersection(_ other: SeriesBitmap) -> SeriesBitmap {
        var result = SeriesBitmap()
        var left = 0
        var right = 0
        while left < keys.count && right < other.keys.count {
            if keys[left] < other.keys[right] {
                left += 1
            } else if keys[left] > other.keys[right] {
                right += 1
            } else {
                result.append(keys[left], containers[left].intersection(other.containers[right]))
                left += 1
                right += 1
            }
        }
        return result
    }

    /// The ids of either set.
    package func union(_ other: SeriesBitmap) -> SeriesBitmap {
        var result = SeriesBitmap()
        var left = 0
        var right = 0
        while left < keys.count || right < other.keys.count {
            if right == other.keys.count || (left < keys.count && keys[left] < other.keys[right]) {
                result.append(keys[left], containers[left])
                left += 1
            } else if left == keys.count || keys[left] > other.keys[right] {
                result.append(other.keys[right], other.containers[right])
                right += 1
            } else {
                result.append(keys[left], containers[left].union(other.containers[right]))
                left += 1
                right += 1
            }
        }
        return result
    }

    /// The ids of this set that are not in `other`.
    package func subtracting(_ other: SeriesBitmap) -> SeriesBitmap {
        var result = SeriesBitmap()
        var right = 0
        for (left, key) in keys.enumerated() {
            while right < other.keys.count && other.keys[right] < key { right += 1 }
            if right < other.keys.count && other.keys[right] == key {
                result.append(key, containers[left].subtracting(other.containers[right]))
            } else {
                result.append(key, containers[left])
            }
        }
        return result
    }

    /// The ids of `universe` that are not in this set.
    package func complement(within universe: Range<UInt32>) -> SeriesBitmap {
        SeriesBitmap(universe).subtracting(self)
    }

    /// Calls `body` with each id in ascending order.
    package func forEach(_ body: (UInt32) -> Void) {
        for (key, container) in zip(keys, containers) {
            let high = UInt32(key) << 16
            container.forEach { body(high | UInt32($0)) }
        }
    }

    /// The ids in ascending order. O(count) memory.
    package var ids: [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        forEach { result.append($0) }
        return result
    }
}

extension SeriesBitmap: Equatable {
    /// Whether both sets hold the same ids, in whatever form.
    package static func == (left: SeriesBitmap, right: SeriesBitmap) -> Bool {
        left.keys == right.keys && zip(left.containers, right.containers).allSatisfy { $0.holdsSame(as: $1) }
    }
}

extension SeriesBitmap: Sequence {
    /// Walks the ids in ascending order, one container unpacked at a time.
    package struct Iterator: IteratorProtocol {
        private let bitmap: SeriesBitmap
        private var container = 0
        private var lows: [UInt16] = []
        private var index = 0

        init(_ bitmap: SeriesBitmap) { self.bitmap = bitmap }

        package mutating func next() -> UInt32? {
            while index == lows.count {
                guard container < bitmap.keys.count else { return nil }
                lows = bitmap.containers[container].lows
                index = 0
                container += 1
            }
            defer { index += 1 }
            return UInt32(bitmap.keys[container - 1]) << 16 | UInt32(lows[index])
        }
    }

    package func makeIterator() -> Iterator { Iterator(self) }

    package var underestimatedCount: Int { count }
}
