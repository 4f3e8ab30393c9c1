import MartletModel

/// How one ORDER BY key sorts.
package struct SortDirection: Sendable, Hashable {
    /// Greatest first.
    package var descending: Bool
    /// NULLs before all values, whatever the direction.
    package var nullsFirst: Bool

    /// DuckDB's default: ascending, NULLs last.
    package init(descending: Bool = false, nullsFirst: Bool = false) {
        self.descending = descending
        self.nullsFirst = nullsFirst
    }
}

/// The order of rows of two sets of key columns (which may be the same set). Columns of a pair must be of one type.
package struct RowOrdering {
    private let left: [Column]
    private let right: [Column]
    private let directions: [SortDirection]

    /// An order by `directions`, one per key column.
    package init(_ left: [Column], _ right: [Column], _ directions: [SortDirection]) {
        precondition(left.count == directions.count && right.count == directions.count, "one direction a key")
        self.left = left
        self.right = right
        self.directions = directions
    }

    /// Negative when row `i` of the left columns comes before row `j` of the right ones, 0 when neither does.
    package func compare(_ i: Int, _ j: Int) -> Int { compare(i, j, fromKey: 0) }

    func compare(_ i: Int, _ j: Int, fromKey first: Int) -> Int {
        for key in first..<directions.count {
            let direction = directions[key]
            let a = left[key].isValid(i)
            let b = right[key].isValid(j)
            if !(a && b) {
                if a == b { continue }
                return a == direction.nullsFirst ? 1 : -1
            }
            let order = Self.compareValues(left[key], i, right[key], j)
            if order != 0 { return direction.descending ? -order : order }
        }
        return 0
    }

    /// The order of two values that are not NULL.
    static func compareValues(_ a: Column, _ i: Int, _ b: Column, _ j: Int) -> Int {
        switch a.type {
        case .timestamp, .int64:
            let x = a.values.pointer(to: Int64.self)[i]
            let y = b.values.pointer(to: Int64.self)[j]
            return x < y ? -1 : x > y ? 1 : 0
        case .uint64:
            let x = a.values.pointer(to: UInt64.self)[i]
            let y = b.values.pointer(to: UInt64.self)[j]
            return x < y ? -1 : x > y ? 1 : 0
        case .float64:
            return FloatOrder.compare(a.values.pointer(to: Double.self)[i], b.values.pointer(to: Double.self)[j])
        case .bool:
            return (Bitmap.isSet(a.values.baseAddress, i) ? 1 : 0) - (Bitmap.isSet(b.values.baseAddress, j) ? 1 : 0)
        case .interval:
            return IntervalMath.compare(
                a.values.pointer(to: Interval.self)[i], b.values.pointer(to: Interval.self)[j])
        case .string: return TextKernels.compare(a.stringBytes(i), b.stringBytes(j))
        }
    }
}

extension ColumnKernels {
    /// The rows of key columns in sorted order; equal rows stay in their order. O(n log n).
    ///
    /// Sorts by a 64-bit image of the first key and compares further only where two images are equal.
    package static func sortedRows(
        _ keys: [Column], _ directions: [SortDirection], rowCount: Int
    ) -> [Int32] {
        guard let first = keys.first else { return (0..<Int32(rowCount)).map { $0 } }
        var (images, isExact) = sortImages(first, directions[0], rowCount: rowCount)
        let ordering = RowOrdering(keys, keys, directions)
        let from = isExact ? 1 : 0
        let isTotal = isExact && keys.count == 1
        images.sort { a, b in
            if a.image != b.image { return a.image < b.image }
            if !isTotal {
                let order = ordering.compare(Int(a.row), Int(b.row), fromKey: from)
                if order != 0 { return order < 0 }
            }
            return a.row < b.row
        }
        return images.map(\.row)
    }

    /// An unsigned image of each row's key that never contradicts the order; exact when equal images mean equal keys.
    private static func sortImages(
        _ column: Column, _ direction: SortDirection, rowCount: Int
    ) -> (images: [(image: UInt64, row: Int32)], isExact: Bool) {
        var images: [(image: UInt64, row: Int32)] = []
        images.reserveCapacity(rowCount)
        let flip: UInt64 = direction.descending ? .max : 0
        // With nulls one value of the image's range is theirs and shared with the extreme value, hence inexact.
        let isExact = column.nullCount == 0
        let nullImage: UInt64 = direction.nullsFirst ? 0 : .max
        @inline(__always)
        func build(_ key: (Int) -> UInt64) {
            for row in 0..<rowCount {
                let image = column.isValid(row) ? key(row) ^ flip : nullImage
                images.append((image, Int32(truncatingIfNeeded: row)))
            }
        }
        switch column.type {
        case .timestamp, .int64:
            let source = column.values.pointer(to: Int64.self)
            build { UInt64(bitPattern: source[$0]) ^ (1 << 63) }
            return (images, isExact)
        case .uint64:
            let source = column.values.pointer(to: UInt64.self)
            build { source[$0] }
            return (images, isExact)
        case .float64:
            let source = column.values.pointer(to: Double.self)
            build { FloatOrder.key(source[$0]) }
            return (images, isExact)
        case .bool:
            let bits = column.values.baseAddress
            build { Bitmap.isSet(bits, $0) ? 1 : 0 }
            return (images, isExact)
        case .interval:
            let source = column.values.pointer(to: Interval.self)
            let least = Int128(Int64.min)
            build { row in
                // Nanoseconds clamped to 64 bits keep the order, and ties are compared in full.
                let wide = IntervalMath.comparable(source[row])
                return UInt64(truncatingIfNeeded: min(max(wide, least), Int128(Int64.max)) - least)
            }
            return (images, false)
        case .string:
            build { row in
                let text = column.stringBytes(row)
                var image: UInt64 = 0
                for index in 0..<8 { image = (image << 8) | (index < text.count ? UInt64(text[index]) : 0) }
                return image
            }
            return (images, false)
        }
    }
}
