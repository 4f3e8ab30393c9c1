import MartletModel

/// Strings of a chunk, as numbers of a `StringStore`.
///
/// Invariant of the unsafe parts: `indices` holds `valueCount` numbers below `store.count`.
final class StringChunk: ChunkBuffer {
    var levels = LevelBuffer()
    private var store = StringStore()
    private var indices = MutableBuffer(capacity: 0)
    /// The dictionary of the last batch, and the store's numbers of those of its entries that were seen.
    private var lastDictionary: StringDictionary?
    private var lastNumbers: [UInt32] = []
    /// The place of each entry in sorted order, made when first needed.
    private var ranks: [UInt32] = []
    private var byRank: [UInt32] = []

    private static let unseen = UInt32.max

    var valueCount: Int { indices.byteCount / 4 }
    var byteCount: Int { indices.byteCount + store.byteCount + levels.byteCount + lastNumbers.count * 4 }
    var distinctCount: Int? { store.isDistinct ? store.count : nil }

    private var numbers: UnsafePointer<UInt32> {
        UnsafePointer(indices.base.assumingMemoryBound(to: UInt32.self))
    }

    func append(_ column: Column, rows: Range<Int>) throws(MartletError) {
        _ = levels.append(column, rows: rows)
        indices.reserve(rows.count * 4)
        if let dictionary = column.dictionary,
            dictionary === lastDictionary || dictionary.count <= rows.count * 4
        {
            appendMapped(column, dictionary, rows: rows)
        } else {
            for row in rows where column.isValid(row) { indices.append(store.insert(column.stringBytes(row))) }
        }
        if store.isDistinct && store.count > 16_384 && store.count > valueCount / 4 * 3 { store.stopDeduplicating() }
    }

    private func appendMapped(_ column: Column, _ dictionary: StringDictionary, rows: Range<Int>) {
        if dictionary !== lastDictionary {
            lastDictionary = dictionary
            lastNumbers = [UInt32](repeating: Self.unseen, count: dictionary.count)
        }
        let source = column.values.pointer(to: UInt32.self)
        for row in rows where column.isValid(row) {
            let entry = Int(source[row])
            var number = lastNumbers[entry]
            if number == Self.unseen {
                number = store.insert(dictionary.entry(entry))
                lastNumbers[entry] = number
            }
            indices.append(number)
        }
    }

    func chooseEncoding(_ chooser: EncodingChooser) throws(MartletError) -> ChunkEncoding {
        guard valueCount > 0 else { return .values(.plain) }
        let sample = EncodingChooser.sample(of: valueCount)
        let sampled = sample.reduce(0) { $0 + $1.count }
        var candidates: [ParquetEncoding] = [.plain]
        if chooser.allowed.contains(.deltaStrings) { candidates += [.deltaLengthByteArray, .deltaByteArray] }
        var best = ChunkEncoding.values(.plain)
        var bestSize = Double.infinity
        for candidate in candidates {
            var encoded = MutableBuffer(capacity: 0)
            for range in sample { encode(range, .values(candidate), into: &encoded) }
            let size = Double(try chooser.compressedSize(encoded)) * Double(valueCount) / Double(sampled)
            if size < bestSize {
                best = .values(candidate)
                bestSize = size
            }
        }
        guard chooser.allowed.contains(.dictionary), store.isDistinct,
            store.textByteCount + store.count * 4 <= chooser.dictionaryBytes
        else { return best }
        var encoded = MutableBuffer(capacity: 0)
        for range in sample { encode(range, .dictionary, into: &encoded) }
        var entries = MutableBuffer(capacity: 0)
        _ = encodeDictionary(into: &entries)
        let indexSize = Double(try chooser.compressedSize(encoded)) * Double(valueCount) / Double(sampled)
        // Readers decode dictionaries fastest and keep them, so they win where it's close.
        let dictionarySize = indexSize + Double(try chooser.compressedSize(entries))
        return dictionarySize <= bestSize * 1.05 + 64 ? .dictionary : best
    }

    func encodeDictionary(into target: inout MutableBuffer) -> Int {
        for entry in 0..<store.count { appendPlain(entry, into: &target) }
        return store.count
    }

    func encode(_ range: Range<Int>, _ encoding: ChunkEncoding, into target: inout MutableBuffer) {
        switch encoding {
        case .dictionary:
            let width = BitPacker.width(of: UInt64(max(0, store.count - 1)))
            target.append(UInt8(width))
            HybridRunEncoder.encode(
                numbers + range.lowerBound, count: range.count, width: width, into: &target)
        case .values(.deltaLengthByteArray):
            let lengths = range.map { Int64(store.length(Int(numbers[$0]))) }
            lengths.withUnsafeBufferPointer { DeltaBinaryPackedEncoder.encode($0, into: &target) }
            for index in range { target.append(store[Int(numbers[index])]) }
        case .values(.deltaByteArray): encodeFrontCoded(range, into: &target)
        default: for index in range { appendPlain(Int(numbers[index]), into: &target) }
        }
    }

    private func appendPlain(_ entry: Int, into target: inout MutableBuffer) {
        let text = store[entry]
        target.append(UInt32(text.count).littleEndian)
        target.append(text)
    }

    private func encodeFrontCoded(_ range: Range<Int>, into target: inout MutableBuffer) {
        var prefixes: [Int64] = []
        var suffixes: [Int64] = []
        prefixes.reserveCapacity(range.count)
        suffixes.reserveCapacity(range.count)
        var previous = UnsafeRawBufferPointer(start: nil, count: 0)
        for index in range {
            let text = store[Int(numbers[index])]
            let shared = StringStore.commonPrefix(previous, text)
            prefixes.append(Int64(shared))
            suffixes.append(Int64(text.count - shared))
            previous = text
        }
        prefixes.withUnsafeBufferPointer { DeltaBinaryPackedEncoder.encode($0, into: &target) }
        suffixes.withUnsafeBufferPointer { DeltaBinaryPackedEncoder.encode($0, into: &target) }
        for (position, index) in range.enumerated() {
            target.append(UnsafeRawBufferPointer(rebasing: store[Int(numbers[index])][Int(prefixes[position])...]))
        }
    }

    func pageLength(from start: Int, bytes: Int, _ encoding: ChunkEncoding) -> Int {
        if encoding == .dictionary { return max(1, bytes / 4) }
        var total = 0
        var index = start
        while index < valueCount {
            total += store.length(Int(numbers[index])) + 4
            if total > bytes { break }
            index += 1
        }
        return max(1, index - start)
    }

    func bounds(_ range: Range<Int>) -> ValueBounds {
        guard !range.isEmpty else { return .none }
        if store.isDistinct && store.count <= valueCount / 2 {
            if ranks.count != store.count { makeRanks() }
            var (low, high) = (UInt32.max, UInt32.min)
            for index in range {
                let rank = ranks[Int(numbers[index])]
                low = min(low, rank)
                high = max(high, rank)
            }
            return ValueBounds(
                range: (.bytes(Array(store[Int(byRank[Int(low)])])), .bytes(Array(store[Int(byRank[Int(high)])]))))
        }
        var low = store[Int(numbers[range.lowerBound])]
        var high = low
        for index in range.dropFirst() {
            let text = store[Int(numbers[index])]
            if StringStore.isLess(text, low) { low = text } else if StringStore.isLess(high, text) { high = text }
        }
        return ValueBounds(range: (.bytes(Array(low)), .bytes(Array(high))))
    }

    private func makeRanks() {
        byRank = (0..<UInt32(store.count)).map { $0 }
        byRank.sort { StringStore.isLess(store[Int($0)], store[Int($1)]) }
        ranks = [UInt32](repeating: 0, count: store.count)
        for (rank, entry) in byRank.enumerated() { ranks[Int(entry)] = UInt32(rank) }
    }

    func bloomFilter(falsePositiveRate: Double) -> SplitBlockBloomFilter? {
        var filter = SplitBlockBloomFilter(
            distinctCount: store.count, falsePositiveRate: falsePositiveRate, byteLimit: 1 << 20)
        for entry in 0..<store.count { filter.insert(store.hash(entry)) }
        return filter
    }

    func reset(keepingCapacity: Bool) {
        levels.reset(keepingCapacity: keepingCapacity)
        store.reset(keepingCapacity: keepingCapacity)
        indices.clear(keepingCapacity: keepingCapacity)
        lastDictionary = nil
        lastNumbers = []
        ranks = []
        byRank = []
    }
}
