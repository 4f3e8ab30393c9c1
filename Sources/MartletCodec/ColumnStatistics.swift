import MartletModel

/// Count, nulls, extremes, sum and ends of some rows of a column: what pruning reads, and what answers an aggregate
/// without decoding.
///
/// - `min` and `max` leave NaNs out; both are `nil` when no other value is present. `hasNaN` says that some were there.
/// - `sum` exists for numbers: of floats the sum in double precision, of integers the exact sum, or `nil` where that
///   overflows 64 bits.
/// - `first` and `last` are the first and last non-null values in row order.
package struct ColumnStatistics: Sendable, Hashable {
    /// Rows, nulls included.
    package var count: Int
    /// Nulls among them.
    package var nullCount: Int
    /// The smallest value.
    package var min: FieldValue?
    /// The largest value.
    package var max: FieldValue?
    /// The sum of the values.
    package var sum: FieldValue?
    /// The first value.
    package var first: FieldValue?
    /// The last value.
    package var last: FieldValue?
    /// Whether a float is NaN.
    package var hasNaN: Bool

    /// Statistics of given figures.
    package init(
        count: Int, nullCount: Int = 0, min: FieldValue? = nil, max: FieldValue? = nil, sum: FieldValue? = nil,
        first: FieldValue? = nil, last: FieldValue? = nil, hasNaN: Bool = false
    ) {
        self.count = count
        self.nullCount = nullCount
        self.min = min
        self.max = max
        self.sum = sum
        self.first = first
        self.last = last
        self.hasNaN = hasNaN
    }

    /// The statistics of the given rows of a column. O(rows).
    package static func of(_ column: Column, rows: Range<Int>) -> ColumnStatistics {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= column.count, "rows \(rows) of \(column.count)")
        var result = ColumnStatistics(count: rows.count)
        var first: Int?
        var last: Int?
        if column.validity == nil {
            first = rows.first
            last = rows.last
        } else {
            for row in rows {
                if column.isValid(row) {
                    if first == nil { first = row }
                    last = row
                } else {
                    result.nullCount += 1
                }
            }
        }
        guard let first, let last else { return result }
        result.first = column.value(at: first)
        result.last = column.value(at: last)
        switch column.type {
        case .float64: result.addFloats(column, rows)
        case .int64, .timestamp: result.addSigned(column, rows)
        case .uint64: result.addUnsigned(column, rows)
        case .bool: result.addBools(column, rows)
        case .string: result.addStrings(column, rows)
        case .interval: break
        }
        return result
    }

    private mutating func addFloats(_ column: Column, _ rows: Range<Int>) {
        let values = column.values.pointer(to: Double.self) + rows.lowerBound
        var summary = NumericSummary.Floats()
        if let validity = column.validity {
            for row in rows where Bitmap.isSet(validity.baseAddress, row) { summary.add(values[row - rows.lowerBound]) }
        } else {
            summary.add(values, rows.count)
        }
        sum = .float64(summary.sum)
        hasNaN = summary.hasNaN
        if summary.low <= summary.high {
            min = .float64(summary.low)
            max = .float64(summary.high)
        }
    }

    private mutating func addSigned(_ column: Column, _ rows: Range<Int>) {
        let values = column.values.pointer(to: Int64.self) + rows.lowerBound
        var summary = NumericSummary.Integers<Int64>()
        if let validity = column.validity {
            for row in rows where Bitmap.isSet(validity.baseAddress, row) { summary.add(values[row - rows.lowerBound]) }
        } else {
            summary.add(values, rows.count)
        }
        if column.type == .timestamp {
            min = .timestamp(Timestamp(nanoseconds: summary.low))
            max = .timestamp(Timestamp(nanoseconds: summary.high))
        } else {
            min = .int64(summary.low)
            max = .int64(summary.high)
            sum = Int64(exactly: summary.sum).map { .int64($0) }
        }
    }

    private mutating func addUnsigned(_ column: Column, _ rows: Range<Int>) {
        let values = column.values.pointer(to: UInt64.self) + rows.lowerBound
        var summary = NumericSummary.Integers<UInt64>()
        if let validity = column.validity {
            for row in rows where Bitmap.isSet(validity.baseAddress, row) { summary.add(values[row - rows.lowerBound]) }
        } else {
            summary.add(values, rows.count)
        }
        min = .uint64(summary.low)
        max = .uint64(summary.high)
        sum = UInt64(exactly: summary.sum).map { .uint64($0) }
    }

    private mutating func addBools(_ column: Column, _ rows: Range<Int>) {
        var seen = (no: false, yes: false)
        for row in rows where column.isValid(row) {
            if Bitmap.isSet(column.values.baseAddress, row) { seen.yes = true } else { seen.no = true }
        }
        min = .bool(!seen.no)
        max = .bool(seen.yes)
    }

    private mutating func addStrings(_ column: Column, _ rows: Range<Int>) {
        var low: UnsafeRawBufferPointer?
        var high: UnsafeRawBufferPointer?
        for row in rows where column.isValid(row) {
            let bytes = column.stringBytes(row)
            if low.map({ bytes.lexicographicallyPrecedes($0) }) ?? true { low = bytes }
            if high.map({ $0.lexicographicallyPrecedes(bytes) }) ?? true { high = bytes }
        }
        min = low.map { .string(String(decoding: $0, as: UTF8.self)) }
        max = high.map { .string(String(decoding: $0, as: UTF8.self)) }
    }
}
