import MartletModel

/// `= <> < <= > >=`.
package enum ComparisonOperator: String, Sendable, Hashable, CaseIterable {
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    /// The operator for exchanged operands: `<` for `>`.
    package var swapped: ComparisonOperator {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }

    /// Whether the operator holds for operands whose order is `order` (negative, zero, positive).
    @inline(__always)
    func holds(_ order: Int) -> Bool {
        switch self {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }
}

extension ColumnKernels {
    /// The type to which both operands are converted before they are compared, or `nil` when the types cannot be
    /// compared. Numbers compare with numbers (BIGINT with UBIGINT exactly, anything with DOUBLE as DOUBLE); text that
    /// meets another type is converted to that type.
    package static func comparisonType(_ left: ColumnType?, _ right: ColumnType?) -> ColumnType? {
        guard let left, let right else { return left ?? right ?? .int64 }
        if left == right { return left }
        if left.isNumeric, right.isNumeric { return left == .float64 || right == .float64 ? .float64 : .int64 }
        if left == .string { return right }
        if right == .string { return left }
        return nil
    }

    /// `left OP right` as booleans; NULL where an operand is NULL.
    ///
    /// - Throws: `.semantic` for types that cannot be compared, `.invalidArgument` for text that is no such value.
    package static func compare(
        _ op: ComparisonOperator, _ left: Column, _ right: Column, rowCount: Int
    ) throws(MartletError) -> Column {
        let validity = Validity(left, rowCount: rowCount)
            .intersection(Validity(right, rowCount: rowCount), rowCount: rowCount)
        if validity.nullCount == rowCount { return .nulls(.bool, count: rowCount) }
        if left.repeats(over: rowCount), !right.repeats(over: rowCount) {
            return try compare(op.swapped, right, left, rowCount: rowCount)
        }
        switch (left.type, right.type) {
        case (.float64, .float64): return compareFloats(op, left, right, validity, rowCount)
        case (.int64, .int64), (.timestamp, .timestamp):
            return compareOrdered(op, Int64.self, left, right, validity, rowCount)
        case (.uint64, .uint64): return compareOrdered(op, UInt64.self, left, right, validity, rowCount)
        case (.int64, .uint64), (.uint64, .int64):
            let x = WideLane(left, rowCount: rowCount)
            let y = WideLane(right, rowCount: rowCount)
            return buildBool(validity, rowCount) { op.holds(x[$0] < y[$0] ? -1 : x[$0] > y[$0] ? 1 : 0) }
        case (.bool, .bool):
            let x = BitWords.bits(of: left, rowCount: rowCount)
            let y = BitWords.bits(of: right, rowCount: rowCount)
            return Column(
                type: .bool, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
                values: compareBits(op, x, y, rowCount))
        case (.interval, .interval):
            let x = Lane<Interval>(left, rowCount: rowCount)
            let y = Lane<Interval>(right, rowCount: rowCount)
            return buildBool(validity, rowCount) { op.holds(IntervalMath.compare(x[$0], y[$0])) }
        case (.string, .string): return compareStrings(op, left, right, validity, rowCount)
        default:
            guard let type = comparisonType(left.type, right.type) else {
                throw MartletError(
                    .semantic, "\(left.type.name) cannot be compared with \(right.type.name)",
                    hint: "cast one of the two")
            }
            return try compare(op, try cast(left, to: type), try cast(right, to: type), rowCount: rowCount)
        }
    }

    @inline(__always)
    private static func packPairs<T: BitwiseCopyable>(
        _ left: Column, _ right: Column, _ validity: Validity, _ rowCount: Int, _ body: (T, T) -> Bool
    ) -> Column {
        let x = left.values.pointer(to: T.self)
        if right.repeats(over: rowCount), !left.repeats(over: rowCount) {
            let y = right.values.pointer(to: T.self)[0]
            return buildBool(validity, rowCount) { body(x[$0], y) }
        }
        let a = Lane<T>(left, rowCount: rowCount)
        let b = Lane<T>(right, rowCount: rowCount)
        return buildBool(validity, rowCount) { body(a[$0], b[$0]) }
    }

    private static func compareOrdered<T: Comparable & BitwiseCopyable>(
        _ op: ComparisonOperator, _: T.Type, _ left: Column, _ right: Column, _ validity: Validity, _ rowCount: Int
    ) -> Column {
        func run(_ body: (T, T) -> Bool) -> Column { packPairs(left, right, validity, rowCount, body) }
        switch op {
        case .equal: return run { $0 == $1 }
        case .notEqual: return run { $0 != $1 }
        case .less: return run { $0 < $1 }
        case .lessOrEqual: return run { $0 <= $1 }
        case .greater: return run { $0 > $1 }
        case .greaterOrEqual: return run { $0 >= $1 }
        }
    }

    private static func compareFloats(
        _ op: ComparisonOperator, _ left: Column, _ right: Column, _ validity: Validity, _ rowCount: Int
    ) -> Column {
        func run(_ body: (Double, Double) -> Bool) -> Column { packPairs(left, right, validity, rowCount, body) }
        switch op {
        case .equal: return run { FloatOrder.equal($0, $1) }
        case .notEqual: return run { !FloatOrder.equal($0, $1) }
        case .less: return run { FloatOrder.less($0, $1) }
        case .lessOrEqual: return run { !FloatOrder.less($1, $0) }
        case .greater: return run { FloatOrder.less($1, $0) }
        case .greaterOrEqual: return run { !FloatOrder.less($0, $1) }
        }
    }

    private static func compareBits(_ op: ComparisonOperator, _ x: Buffer, _ y: Buffer, _ rowCount: Int) -> Buffer {
        switch op {
        case .equal: BitWords.map2(x, y, rowCount: rowCount) { ~($0 ^ $1) }
        case .notEqual: BitWords.map2(x, y, rowCount: rowCount) { $0 ^ $1 }
        case .less: BitWords.map2(x, y, rowCount: rowCount) { ~$0 & $1 }
        case .lessOrEqual: BitWords.map2(x, y, rowCount: rowCount) { ~$0 | $1 }
        case .greater: BitWords.map2(x, y, rowCount: rowCount) { $0 & ~$1 }
        case .greaterOrEqual: BitWords.map2(x, y, rowCount: rowCount) { $0 | ~$1 }
        }
    }

    private static func compareStrings(
        _ op: ComparisonOperator, _ left: Column, _ right: Column, _ validity: Validity, _ rowCount: Int
    ) -> Column {
        if right.repeats(over: rowCount) {
            let literal = right.stringBytes(0)
            return mapTextToBool(left, validity, rowCount) { text in
                if op == .equal { return ByteStringIndex.equal(text, literal) }
                if op == .notEqual { return !ByteStringIndex.equal(text, literal) }
                return op.holds(TextKernels.compare(text, literal))
            }
        }
        if let dictionary = left.dictionary, dictionary === right.dictionary {
            let x = left.values.pointer(to: UInt32.self)
            let y = right.values.pointer(to: UInt32.self)
            return buildBool(validity, rowCount) { row in
                if x[row] == y[row] { return op.holds(0) }
                return validity.isValid(row)
                    && op.holds(
                        TextKernels.compare(dictionary.entry(Int(x[row])), dictionary.entry(Int(y[row]))))
            }
        }
        return buildBool(validity, rowCount) { row in
            validity.isValid(row) && op.holds(TextKernels.compare(left.stringBytes(row), right.stringBytes(row)))
        }
    }

    /// A predicate of text over the valid rows; over a dictionary's entries where that is less work.
    static func mapTextToBool(
        _ column: Column, _ validity: Validity, _ rowCount: Int, _ predicate: (UnsafeRawBufferPointer) -> Bool
    ) -> Column {
        if column.repeats(over: rowCount) {
            let bit = validity.nullCount < rowCount && predicate(column.stringBytes(0))
            return Column(
                type: .bool, count: rowCount, nullCount: validity.nullCount, validity: validity.bits,
                values: BitWords.filled(bit, rowCount: rowCount))
        }
        if let dictionary = column.dictionary, dictionary.count <= rowCount {
            let verdicts = (0..<dictionary.count).map { predicate(dictionary.entry($0)) }
            let codes = column.values.pointer(to: UInt32.self)
            return verdicts.withUnsafeBufferPointer { verdicts in
                buildBool(validity, rowCount) { validity.isValid($0) && verdicts[Int(codes[$0])] }
            }
        }
        return buildBool(validity, rowCount) { validity.isValid($0) && predicate(column.stringBytes($0)) }
    }
}

/// The total order of floats: NaN equals NaN and is the greatest, -0 equals 0.
enum FloatOrder {
    @inline(__always)
    static func equal(_ a: Double, _ b: Double) -> Bool { a == b || (a != a && b != b) }

    @inline(__always)
    static func less(_ a: Double, _ b: Double) -> Bool { a < b || (b != b && a == a) }

    @inline(__always)
    static func compare(_ a: Double, _ b: Double) -> Int { less(a, b) ? -1 : less(b, a) ? 1 : 0 }

    /// An unsigned integer that is ordered as the floats are.
    @inline(__always)
    static func key(_ value: Double) -> UInt64 {
        let bits = value.isNaN ? UInt64(0x7fff_ffff_ffff_ffff) : (value == 0 ? 0 : value.bitPattern)
        return bits & (1 << 63) != 0 ? ~bits : bits | (1 << 63)
    }
}
