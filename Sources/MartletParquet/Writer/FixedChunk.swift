import MartletModel

/// The order and use of 64-bit values.
enum FixedKind {
    /// Timestamps, given in nanoseconds and kept in units of so many.
    case time(unit: Int64)
    case signed
    case unsigned
    case double
}

/// Values of 64 bits of a chunk.
///
/// Invariant of the unsafe parts: `values` holds `valueCount` words; ranges passed in lie within them.
final class FixedChunk: ChunkBuffer {
    var levels = LevelBuffer()
    private let kind: FixedKind
    private var values = MutableBuffer(capacity: 0)
    private var dictionary: WordDictionary?
    private var indices = MutableBuffer(capacity: 0)
    /// Timestamps that lost what is finer than the unit, over the life of the chunk.
    private(set) var truncatedCount = 0

    init(_ kind: FixedKind) { self.kind = kind }

    var valueCount: Int { values.byteCount / 8 }
    var byteCount: Int { values.byteCount + levels.byteCount }
    /// Not given for doubles, of which the dictionary tells more apart than their order does.
    var distinctCount: Int? { isDouble ? nil : dictionary?.count }

    private var words: UnsafePointer<UInt64> { UnsafePointer(values.base.assumingMemoryBound(to: UInt64.self)) }
    private func signed(_ range: Range<Int>) -> UnsafeBufferPointer<Int64> {
        UnsafeBufferPointer(
            start: UnsafePointer(values.base.assumingMemoryBound(to: Int64.self)) + range.lowerBound,
            count: range.count)
    }
    private func unsigned(_ range: Range<Int>) -> UnsafeBufferPointer<UInt64> {
        UnsafeBufferPointer(start: words + range.lowerBound, count: range.count)
    }

    func append(_ column: Column, rows: Range<Int>) throws(MartletError) {
        let nulls = levels.append(column, rows: rows)
        let start = values.byteCount
        let source = column.values.pointer(to: UInt64.self)
        values.reserve(rows.count * 8)
        let target = (values.base + start).assumingMemoryBound(to: UInt64.self)
        if nulls == 0 {
            target.update(from: source + rows.lowerBound, count: rows.count)
            values.byteCount = start + rows.count * 8
        } else if let validity = column.validity {
            var count = 0
            for row in rows where Bitmap.isSet(validity.baseAddress, row) {
                target[count] = source[row]
                count &+= 1
            }
            values.byteCount = start + count * 8
        }
        if case .time(let unit) = kind, unit > 1 { scale(from: start / 8, unit: unit) }
    }

    /// Turns nanoseconds into units.
    private func scale(from start: Int, unit: Int64) {
        let times = values.base.assumingMemoryBound(to: Int64.self)
        var truncated = 0
        for index in start..<valueCount {
            let units = Self.units(times[index], unit)
            truncated &+= units &* unit != times[index] ? 1 : 0
            times[index] = units
        }
        truncatedCount += truncated
    }

    /// The units in a time, rounded down; up for the very first microsecond of time, whose start 64 bits don't hold.
    @inline(__always) static func units(_ time: Int64, _ unit: Int64) -> Int64 {
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: unit)
        return remainder < 0 && quotient > Int64.min / unit ? quotient &- 1 : quotient
    }

    private var isDouble: Bool { if case .double = kind { true } else { false } }

    func chooseEncoding(_ chooser: EncodingChooser) throws(MartletError) -> ChunkEncoding {
        guard valueCount > 0 else { return .values(.plain) }
        let sample = EncodingChooser.sample(of: valueCount)
        let sampled = sample.reduce(0) { $0 + $1.count }
        var candidates: [ParquetEncoding] = [.plain]
        if isDouble {
            if chooser.allowed.contains(.byteStreamSplit) { candidates.append(.byteStreamSplit) }
        } else if chooser.allowed.contains(.deltaIntegers) {
            candidates.append(.deltaBinaryPacked)
        }
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
        guard chooser.allowed.contains(.dictionary), looksRepetitive(sample, sampled),
            let dictionary = buildDictionary(byteLimit: chooser.dictionaryBytes)
        else { return best }
        self.dictionary = dictionary
        var encoded = MutableBuffer(capacity: 0)
        for range in sample { encode(range, .dictionary, into: &encoded) }
        var entries = MutableBuffer(capacity: 0)
        _ = encodeDictionary(into: &entries)
        let indexSize = Double(try chooser.compressedSize(encoded)) * Double(valueCount) / Double(sampled)
        if indexSize + Double(try chooser.compressedSize(entries)) < bestSize { return .dictionary }
        self.dictionary = nil
        return best
    }

    /// Whether at most half of the sampled values are new; else a dictionary can't pay.
    private func looksRepetitive(_ sample: [Range<Int>], _ sampled: Int) -> Bool {
        var seen = WordDictionary(capacity: sampled)
        for range in sample { for index in range { _ = seen.insert(words[index]) } }
        return seen.count <= sampled / 2 || seen.count <= 16
    }

    private func buildDictionary(byteLimit: Int) -> WordDictionary? {
        indices.byteCount = 0
        indices.reserve(valueCount * 4)
        return WordDictionary.build(
            unsigned(0..<valueCount), byteLimit: byteLimit,
            indices: indices.base.assumingMemoryBound(to: UInt32.self))
    }

    func encodeDictionary(into target: inout MutableBuffer) -> Int {
        guard let dictionary else { return 0 }
        for word in dictionary.entries { target.append(word.littleEndian) }
        return dictionary.count
    }

    func encode(_ range: Range<Int>, _ encoding: ChunkEncoding, into target: inout MutableBuffer) {
        switch encoding {
        case .dictionary:
            let width = BitPacker.width(of: UInt64(max(0, (dictionary?.count ?? 0) - 1)))
            target.append(UInt8(width))
            HybridRunEncoder.encode(
                UnsafePointer(indices.base.assumingMemoryBound(to: UInt32.self)) + range.lowerBound,
                count: range.count, width: width, into: &target)
        case .values(.deltaBinaryPacked): DeltaBinaryPackedEncoder.encode(signed(range), into: &target)
        case .values(.byteStreamSplit): ByteStreamSplit.encode(unsigned(range), into: &target)
        default: target.append(UnsafeRawBufferPointer(unsigned(range)))
        }
    }

    func pageLength(from start: Int, bytes: Int, _ encoding: ChunkEncoding) -> Int { max(1, bytes / 8) }

    func bounds(_ range: Range<Int>) -> ValueBounds {
        guard !range.isEmpty else { return .none }
        switch kind {
        case .time, .signed:
            var (low, high) = (Int64.max, Int64.min)
            for value in signed(range) {
                low = min(low, value)
                high = max(high, value)
            }
            return ValueBounds(range: (.signed(low), .signed(high)))
        case .unsigned:
            var (low, high) = (UInt64.max, UInt64.min)
            for value in unsigned(range) {
                low = min(low, value)
                high = max(high, value)
            }
            return ValueBounds(range: (.unsigned(low), .unsigned(high)))
        case .double: return doubleBounds(range)
        }
    }

    /// NaN has no place in the order and is left out; a bound of zero is widened to the zero of the outer sign, since
    /// readers may order the two zeros either way.
    private func doubleBounds(_ range: Range<Int>) -> ValueBounds {
        var (low, high) = (Double.infinity, -Double.infinity)
        var any = false
        for word in unsigned(range) {
            let value = Double(bitPattern: word)
            if value.isNaN { continue }
            any = true
            if value < low { low = value }
            if value > high { high = value }
        }
        guard any else { return .none }
        return ValueBounds(range: (.double(low == 0 ? -0.0 : low), .double(high == 0 ? 0.0 : high)))
    }

    func bloomFilter(falsePositiveRate: Double) -> SplitBlockBloomFilter? {
        if let dictionary {
            var filter = SplitBlockBloomFilter(
                distinctCount: dictionary.count, falsePositiveRate: falsePositiveRate, byteLimit: 1 << 20)
            for word in dictionary.entries { filter.insert(XXHash64.hash(word)) }
            return filter
        }
        var filter = SplitBlockBloomFilter(
            distinctCount: valueCount, falsePositiveRate: falsePositiveRate, byteLimit: 1 << 20)
        for word in unsigned(0..<valueCount) { filter.insert(XXHash64.hash(word)) }
        return filter
    }

    func reset(keepingCapacity: Bool) {
        levels.reset(keepingCapacity: keepingCapacity)
        values.clear(keepingCapacity: keepingCapacity)
        indices.clear(keepingCapacity: keepingCapacity)
        dictionary = nil
    }
}
