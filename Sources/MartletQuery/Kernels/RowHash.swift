import MartletModel

extension ColumnKernels {
    /// One hash per row over several key columns; equal keys (see `RowMatcher`) have equal hashes, NULL included.
    package static func hashRows(_ columns: [Column], rowCount: Int) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: rowCount) { target, written in
            for row in 0..<rowCount { target[row] = HashMixing.seed }
            for column in columns { combine(column, into: target, rowCount: rowCount) }
            written = rowCount
        }
    }

    private static func combine(_ column: Column, into hashes: UnsafeMutableBufferPointer<UInt64>, rowCount: Int) {
        let validity = Validity(column, rowCount: rowCount)
        @inline(__always)
        func run(_ key: (Int) -> UInt64) {
            if validity.nullCount == 0 {
                for row in 0..<rowCount { hashes[row] = HashMixing.combine(hashes[row], key(row)) }
            } else {
                for row in 0..<rowCount {
                    hashes[row] = HashMixing.combine(
                        hashes[row], validity.isValid(row) ? key(row) : HashMixing.null)
                }
            }
        }
        switch column.type {
        case .timestamp, .int64, .uint64:
            let source = Lane<UInt64>(column, rowCount: rowCount)
            run { source[$0] }
        case .float64:
            let source = Lane<Double>(column, rowCount: rowCount)
            run { HashMixing.canonicalBits(source[$0]) }
        case .interval:
            let source = Lane<Interval>(column, rowCount: rowCount)
            run { HashMixing.hash(source[$0]) }
        case .bool:
            let step = column.repeats(over: rowCount) ? 0 : 1
            let bits = column.values.baseAddress
            run { Bitmap.isSet(bits, $0 * step) ? 1 : 0 }
        case .string:
            if let dictionary = column.dictionary, dictionary.count <= rowCount * 2 {
                let table = (0..<dictionary.count).map { HashMixing.hash(dictionary.entry($0)) }
                let codes = Lane<UInt32>(column, rowCount: rowCount)
                table.withUnsafeBufferPointer { table in run { table[Int(codes[$0])] } }
            } else {
                let step = column.repeats(over: rowCount) ? 0 : 1
                run { HashMixing.hash(column.stringBytes($0 * step)) }
            }
        }
    }
}

/// Whether rows of two sets of key columns are equal: NaN equals NaN, -0 equals 0, and NULL equals NULL (GROUP BY,
/// DISTINCT) or nothing (joins). Columns of a pair must be of one type.
///
/// Unsafe: keeps pointers into the columns, and the columns with them.
package struct RowMatcher {
    private enum Pair {
        case bits64(UnsafePointer<UInt64>, UnsafePointer<UInt64>)
        case float(UnsafePointer<Double>, UnsafePointer<Double>)
        case codes(UnsafePointer<UInt32>, UnsafePointer<UInt32>, StringDictionary)
        case other
    }

    private let left: [Column]
    private let right: [Column]
    private let pairs: [Pair]
    private let hasNulls: Bool
    private let nullsEqual: Bool

    /// A matcher of rows of `left` with rows of `right`.
    package init(_ left: [Column], _ right: [Column], nullsEqual: Bool) {
        self.left = left
        self.right = right
        self.nullsEqual = nullsEqual
        hasNulls = left.contains { $0.nullCount > 0 } || right.contains { $0.nullCount > 0 }
        pairs = zip(left, right).map { a, b in
            precondition(a.type == b.type, "\(a.type.name) matched with \(b.type.name)")
            switch a.type {
            case .timestamp, .int64, .uint64:
                return .bits64(a.values.pointer(to: UInt64.self), b.values.pointer(to: UInt64.self))
            case .float64: return .float(a.values.pointer(to: Double.self), b.values.pointer(to: Double.self))
            case .string:
                if let dictionary = a.dictionary, dictionary === b.dictionary {
                    return .codes(a.values.pointer(to: UInt32.self), b.values.pointer(to: UInt32.self), dictionary)
                }
                return .other
            case .bool, .interval: return .other
            }
        }
    }

    /// Whether row `i` of the left columns equals row `j` of the right ones. O(key columns).
    package func equal(_ i: Int, _ j: Int) -> Bool {
        for index in 0..<pairs.count {
            if hasNulls {
                let a = left[index].isValid(i)
                let b = right[index].isValid(j)
                if !(a && b) {
                    if a || b || !nullsEqual { return false }
                    continue
                }
            }
            switch pairs[index] {
            case .bits64(let x, let y): if x[i] != y[j] { return false }
            case .float(let x, let y): if !FloatOrder.equal(x[i], y[j]) { return false }
            case .codes(let x, let y, let dictionary):
                if x[i] != y[j],
                    !ByteStringIndex.equal(dictionary.entry(Int(x[i])), dictionary.entry(Int(y[j])))
                {
                    return false
                }
            case .other: if RowOrdering.compareValues(left[index], i, right[index], j) != 0 { return false }
            }
        }
        return true
    }
}
