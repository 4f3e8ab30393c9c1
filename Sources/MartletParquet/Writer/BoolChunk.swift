import MartletModel

/// Bools of a chunk, one word each: they are few bytes anyway, and both encoders want words or bits.
final class BoolChunk: ChunkBuffer {
    var levels = LevelBuffer()
    private var values = MutableBuffer(capacity: 0)

    var valueCount: Int { values.byteCount / 4 }
    var byteCount: Int { values.byteCount + levels.byteCount }
    var distinctCount: Int? { nil }

    private var words: UnsafePointer<UInt32> { UnsafePointer(values.base.assumingMemoryBound(to: UInt32.self)) }

    func append(_ column: Column, rows: Range<Int>) throws(MartletError) {
        _ = levels.append(column, rows: rows)
        values.reserve(rows.count * 4)
        for row in rows where column.isValid(row) {
            values.append(UInt32(Bitmap.isSet(column.values.baseAddress, row) ? 1 : 0))
        }
    }

    func chooseEncoding(_ chooser: EncodingChooser) throws(MartletError) -> ChunkEncoding {
        guard chooser.allowed.contains(.runLengthBools), valueCount > 0 else { return .values(.plain) }
        var plain = MutableBuffer(capacity: 0)
        var runs = MutableBuffer(capacity: 0)
        for range in EncodingChooser.sample(of: valueCount) {
            encode(range, .values(.plain), into: &plain)
            encode(range, .values(.rle), into: &runs)
        }
        let plainSize = try chooser.compressedSize(plain)
        let runSize = try chooser.compressedSize(runs)
        return .values(runSize < plainSize ? .rle : .plain)
    }

    func encodeDictionary(into target: inout MutableBuffer) -> Int { 0 }

    func encode(_ range: Range<Int>, _ encoding: ChunkEncoding, into target: inout MutableBuffer) {
        if encoding == .values(.rle) {
            let start = target.byteCount
            target.append(UInt32(0))
            HybridRunEncoder.encode(words + range.lowerBound, count: range.count, width: 1, into: &target)
            let length = UInt32(target.byteCount - start - 4)
            target.base.storeBytes(of: length.littleEndian, toByteOffset: start, as: UInt32.self)
        } else {
            let start = target.byteCount
            target.appendZeros(Bitmap.byteCount(forBits: range.count))
            for (index, value) in range.enumerated() where words[value] != 0 {
                Bitmap.set(target.base + start, index)
            }
        }
    }

    func pageLength(from start: Int, bytes: Int, _ encoding: ChunkEncoding) -> Int { max(1, bytes) }

    func bounds(_ range: Range<Int>) -> ValueBounds {
        guard !range.isEmpty else { return .none }
        var trues = 0
        for index in range where words[index] != 0 { trues += 1 }
        return ValueBounds(range: (.bool(trues == range.count), .bool(trues > 0)))
    }

    func bloomFilter(falsePositiveRate: Double) -> SplitBlockBloomFilter? { nil }

    func reset(keepingCapacity: Bool) {
        levels.reset(keepingCapacity: keepingCapacity)
        values.clear(keepingCapacity: keepingCapacity)
    }
}
