import MartletModel

/// Which rows of the chunk being built hold a value. Costs nothing until the first null.
///
/// Invariant: while `nullCount > 0`, `bits` holds `rowCount` bits.
struct LevelBuffer: ~Copyable {
    private(set) var rowCount = 0
    private(set) var nullCount = 0
    private var bits = MutableBuffer(capacity: 0)
    private var scratch = MutableBuffer(capacity: 0)

    var byteCount: Int { bits.byteCount }

    mutating func reset(keepingCapacity: Bool) {
        rowCount = 0
        nullCount = 0
        bits.clear(keepingCapacity: keepingCapacity)
        scratch.clear(keepingCapacity: keepingCapacity)
    }

    /// Appends the rows `rows` of a column; returns how many of them are null.
    mutating func append(_ column: Column, rows: Range<Int>) -> Int {
        var nulls = 0
        if let validity = column.validity {
            for row in rows where !Bitmap.isSet(validity.baseAddress, row) { nulls &+= 1 }
        }
        if nulls == 0 && nullCount == 0 {
            rowCount += rows.count
            return 0
        }
        if nullCount == 0 {
            bits.byteCount = 0
            bits.reserve(Bitmap.byteCount(forBits: rowCount))
            (bits.base).initializeMemory(as: UInt8.self, repeating: 0xff, count: Bitmap.byteCount(forBits: rowCount))
            bits.byteCount = Bitmap.byteCount(forBits: rowCount)
        }
        let needed = Bitmap.byteCount(forBits: rowCount + rows.count)
        if needed > bits.byteCount { bits.appendZeros(needed - bits.byteCount) }
        var target = rowCount
        for row in rows {
            if column.isValid(row) { Bitmap.set(bits.base, target) } else { Bitmap.clear(bits.base, target) }
            target &+= 1
        }
        rowCount = target
        nullCount += nulls
        return nulls
    }

    /// Rows of `rows` that hold a value.
    func validCount(_ rows: Range<Int>) -> Int {
        if nullCount == 0 { return rows.count }
        var count = 0
        for row in rows where Bitmap.isSet(bits.base, row) { count &+= 1 }
        return count
    }

    /// The end of the longest range from `start` with at most `values` values and at most `limit` rows.
    func end(from start: Int, values: Int, limit: Int) -> Int {
        if nullCount == 0 { return min(rowCount, start + min(values, limit)) }
        var row = start
        var left = values
        let last = min(rowCount, start + limit)
        while row < last {
            if Bitmap.isSet(bits.base, row) {
                if left == 0 { break }
                left &-= 1
            }
            row &+= 1
        }
        return row
    }

    /// Appends the definition levels of `rows` as hybrid runs.
    mutating func encode(_ rows: Range<Int>, validCount: Int, into target: inout MutableBuffer) {
        if validCount == rows.count || validCount == 0 {
            guard !rows.isEmpty else { return }
            target.appendVarint(UInt64(rows.count) << 1)
            target.append(UInt8(validCount == 0 ? 0 : 1))
            return
        }
        scratch.byteCount = 0
        scratch.reserve(rows.count * 4)
        let levels = scratch.base.assumingMemoryBound(to: UInt32.self)
        for (index, row) in rows.enumerated() { levels[index] = Bitmap.isSet(bits.base, row) ? 1 : 0 }
        HybridRunEncoder.encode(levels, count: rows.count, width: 1, into: &target)
    }
}

extension MutableBuffer {
    /// Forgets the content, and gives back the memory unless told to keep it.
    mutating func clear(keepingCapacity: Bool) {
        if keepingCapacity { byteCount = 0 } else { self = MutableBuffer(capacity: 0) }
    }
}
