import MartletModel

/// One optional value of any type per group: the memory of `first`, `min` of text, `arg_max`.
struct ValueStore {
    let type: ColumnType
    private var present: [Bool] = []
    /// Fixed-width values as bits; booleans as 0 and 1.
    private var bits: [UInt64] = []
    private var intervals: [Interval] = []
    private var texts: [[UInt8]] = []
    private var textBytes = 0

    init(_ type: ColumnType) { self.type = type }

    mutating func grow(to count: Int) {
        present.grow(to: count, false)
        switch type {
        case .string: texts.grow(to: count, [])
        case .interval: intervals.grow(to: count, Interval())
        case .timestamp, .float64, .int64, .uint64, .bool: bits.grow(to: count, 0)
        }
    }

    func isPresent(_ group: Int) -> Bool { present[group] }

    @inline(__always)
    private static func bits(_ column: Column, _ row: Int) -> UInt64 {
        column.type == .bool
            ? (Bitmap.isSet(column.values.baseAddress, row) ? 1 : 0) : column.values.pointer(to: UInt64.self)[row]
    }

    /// Keeps the value of a valid row.
    @inline(__always)
    mutating func set(_ group: Int, _ column: Column, _ row: Int) {
        present[group] = true
        switch type {
        case .string:
            let text = column.stringBytes(row)
            textBytes += text.count - texts[group].count
            texts[group] = Array(text)
        case .interval: intervals[group] = column.values.pointer(to: Interval.self)[row]
        case .timestamp, .float64, .int64, .uint64, .bool: bits[group] = Self.bits(column, row)
        }
    }

    /// Forgets the value: an explicit NULL.
    mutating func clear(_ group: Int) { present[group] = false }

    /// Keeps another store's value.
    mutating func set(_ group: Int, _ other: ValueStore, _ source: Int) {
        present[group] = other.present[source]
        switch type {
        case .string:
            textBytes += other.texts[source].count - texts[group].count
            texts[group] = other.texts[source]
        case .interval: intervals[group] = other.intervals[source]
        case .timestamp, .float64, .int64, .uint64, .bool: bits[group] = other.bits[source]
        }
    }

    /// The order of the group's value and a valid row's.
    func compare(_ group: Int, _ column: Column, _ row: Int) -> Int {
        switch type {
        case .string: texts[group].withUnsafeBytes { TextKernels.compare($0, column.stringBytes(row)) }
        case .interval: IntervalMath.compare(intervals[group], column.values.pointer(to: Interval.self)[row])
        case .timestamp, .float64, .int64, .uint64, .bool: compareBits(bits[group], Self.bits(column, row))
        }
    }

    /// The order of the group's value and another store's.
    func compare(_ group: Int, _ other: ValueStore, _ source: Int) -> Int {
        switch type {
        case .string:
            texts[group].withUnsafeBytes { a in other.texts[source].withUnsafeBytes { TextKernels.compare(a, $0) } }
        case .interval: IntervalMath.compare(intervals[group], other.intervals[source])
        case .timestamp, .float64, .int64, .uint64, .bool: compareBits(bits[group], other.bits[source])
        }
    }

    private func compareBits(_ a: UInt64, _ b: UInt64) -> Int {
        switch type {
        case .float64: return FloatOrder.compare(Double(bitPattern: a), Double(bitPattern: b))
        case .int64, .timestamp:
            let x = Int64(bitPattern: a)
            let y = Int64(bitPattern: b)
            return x < y ? -1 : x > y ? 1 : 0
        case .uint64, .bool, .string, .interval: return a < b ? -1 : a > b ? 1 : 0
        }
    }

    func finish(_ count: Int) throws(MartletError) -> Column {
        switch type {
        case .timestamp, .float64, .int64, .uint64:
            return try words(type, count) { (group) throws(MartletError) in present[group] ? bits[group] : nil }
        case .string:
            var builder = ColumnBuilder(.string, capacity: count)
            guard textBytes <= Int(Int32.max) else { throw ColumnKernels.textTooLarge() }
            for group in 0..<count {
                if present[group] {
                    texts[group].withUnsafeBytes { builder.append(utf8: $0) }
                } else {
                    builder.appendNull()
                }
            }
            return builder.finish()
        case .bool, .interval:
            var builder = ColumnBuilder(type, capacity: count)
            for group in 0..<count {
                if !present[group] {
                    builder.appendNull()
                } else {
                    try builder.append(type == .bool ? .bool(bits[group] == 1) : .interval(intervals[group]))
                }
            }
            return builder.finish()
        }
    }

    var memoryFootprint: Int {
        present.capacity + bits.capacity * 8 + intervals.capacity * 16 + texts.capacity * 8 + textBytes
    }
}
