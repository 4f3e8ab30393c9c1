import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `+ - * / // %`.
package enum ArithmeticOperator: String, Sendable, Hashable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    /// Always a floating-point quotient, for integers too, as in DuckDB: `1 / 2` is 0.5, `1 / 0` infinite.
    case divide = "/"
    /// Integers: the quotient towards zero. Floats: the same as `/`. NULL when the divisor is 0.
    case integerDivide = "//"
    /// The remainder with the dividend's sign. Integers by 0: NULL; floats by 0: NaN.
    case modulo = "%"
}

extension ArithmeticOperator {
    /// The type of `left OP right`; `nil` is an untyped NULL.
    ///
    /// BIGINT with UBIGINT is computed exactly and gives BIGINT.
    ///
    /// - Throws: `.semantic` when the operator is not defined on the types.
    package func resultType(_ left: ColumnType?, _ right: ColumnType?) throws(MartletError) -> ColumnType {
        switch (left, right) {
        case (nil, nil): return self == .divide ? .float64 : .int64
        case (nil, let type?), (let type?, nil):
            if type.isNumeric { return self == .divide ? .float64 : type }
            if type == .timestamp, self == .add || self == .subtract { return .timestamp }
            if type == .interval, [.add, .subtract, .multiply, .divide].contains(self) { return .interval }
        case (let a?, let b?):
            if a.isNumeric, b.isNumeric {
                if self == .divide || a == .float64 || b == .float64 { return .float64 }
                return a == b ? a : .int64
            }
            switch (self, a, b) {
            case (.add, .timestamp, .interval), (.add, .interval, .timestamp), (.subtract, .timestamp, .interval):
                return .timestamp
            case (.subtract, .timestamp, .timestamp), (.add, .interval, .interval), (.subtract, .interval, .interval):
                return .interval
            case (.multiply, .interval, _) where b.isNumeric: return .interval
            case (.multiply, _, .interval) where a.isNumeric: return .interval
            case (.divide, .interval, _) where b.isNumeric: return .interval
            default: break
            }
        }
        throw MartletError(
            .semantic,
            "the operator \(rawValue) is not defined on \(left?.name ?? "NULL") and \(right?.name ?? "NULL")",
            hint: "cast an operand with CAST(value AS type)")
    }
}

extension ColumnKernels {
    /// `left OP right`, row by row. The operands' types decide, see `ArithmeticOperator.resultType`.
    ///
    /// - Throws: `.outOfRange` when an integer, timestamp or interval overflows; `.semantic` for types that do not fit.
    package static func arithmetic(
        _ op: ArithmeticOperator, _ left: Column, _ right: Column, rowCount: Int
    ) throws(MartletError) -> Column {
        let type = try op.resultType(left.type, right.type)
        let validity = Validity(left, rowCount: rowCount)
            .intersection(Validity(right, rowCount: rowCount), rowCount: rowCount)
        if validity.nullCount == rowCount { return .nulls(type, count: rowCount) }
        switch type {
        case .float64:
            let a = try asFloat(left)
            let b = try asFloat(right)
            return floatArithmetic(op, a, b, validity, rowCount)
        case .int64 where left.type == .int64 && right.type == .int64:
            return try integerArithmetic(op, Int64.self, left, right, validity, rowCount)
        case .uint64:
            return try integerArithmetic(op, UInt64.self, left, right, validity, rowCount)
        case .int64:
            return try mixedArithmetic(op, left, right, validity, rowCount)
        default:
            return try temporalArithmetic(op, type, left, right, validity, rowCount)
        }
    }

    /// `-column`.
    ///
    /// - Throws: `.outOfRange` for the least BIGINT and for a UBIGINT other than 0.
    package static func negate(_ column: Column) throws(MartletError) -> Column {
        let count = column.count
        switch column.type {
        case .float64:
            return mapFixed(column, type: .float64, rowCount: count) { (value: Double) -> Double in -value }
        case .int64:
            return try mapChecked(column, type: .int64, rowCount: count, "-") { (value: Int64) -> Int64? in
                value == .min ? nil : -value
            }
        case .uint64:
            return try mapChecked(column, type: .int64, rowCount: count, "-") { (value: UInt64) -> Int64? in
                Int64(exactly: -Int128(value))
            }
        case .interval:
            return try mapChecked(column, type: .interval, rowCount: count, "-") { IntervalMath.negate($0) }
        case .bool, .string, .timestamp:
            throw MartletError(.semantic, "the operator - is not defined on \(column.type.name)")
        }
    }

    static func asFloat(_ column: Column) throws(MartletError) -> Column {
        column.type == .float64 ? column : try cast(column, to: .float64)
    }

    private static func floatArithmetic(
        _ op: ArithmeticOperator, _ a: Column, _ b: Column, _ validity: Validity, _ rowCount: Int
    ) -> Column {
        func run(_ body: (Double, Double) -> Double) -> Column {
            mapPairs(a, b, type: .float64, validity, rowCount, body)
        }
        switch op {
        case .add: return run { $0 + $1 }
        case .subtract: return run { $0 - $1 }
        case .multiply: return run { $0 * $1 }
        case .divide: return run { $0 / $1 }
        case .modulo: return run { fmod($0, $1) }
        case .integerDivide:
            let quotient = run { $0 / $1 }
            let divisor = Lane<Double>(b, rowCount: rowCount)
            let nonzero = BitWords.pack(rowCount: rowCount) { divisor[$0] != 0 }
            return quotient.masked(by: nonzero)
        }
    }

    private static func integerArithmetic<T: FixedWidthInteger & BitwiseCopyable>(
        _ op: ArithmeticOperator, _: T.Type, _ a: Column, _ b: Column, _ validity: Validity, _ rowCount: Int
    ) throws(MartletError) -> Column {
        func run(_ body: (T, T) -> (partialValue: T, overflow: Bool)) throws(MartletError) -> Column {
            try mapOverflowing(op, a, b, type: a.type, validity, rowCount, body)
        }
        switch op {
        case .add: return try run { $0.addingReportingOverflow($1) }
        case .subtract: return try run { $0.subtractingReportingOverflow($1) }
        case .multiply: return try run { $0.multipliedReportingOverflow(by: $1) }
        case .integerDivide, .modulo:
            let divisor = Lane<T>(b, rowCount: rowCount)
            let nonzero = BitWords.pack(rowCount: rowCount) { divisor[$0] != 0 }
            let safe = validity.intersection(Validity(counting: nonzero, rowCount: rowCount), rowCount: rowCount)
            return try mapOverflowing(op, a, b, type: a.type, safe, rowCount) {
                (x: T, y: T) -> (partialValue: T, overflow: Bool) in
                if y == 0 { return (0, false) }
                if op == .integerDivide { return x.dividedReportingOverflow(by: y) }
                return (x.remainderReportingOverflow(dividingBy: y).partialValue, false)
            }
        case .divide:
            throw MartletError(.internal, "integer division reached the integer kernel")
        }
    }

    private static func mixedArithmetic(
        _ op: ArithmeticOperator, _ a: Column, _ b: Column, _ validity: Validity, _ rowCount: Int
    ) throws(MartletError) -> Column {
        let wideA = WideLane(a, rowCount: rowCount)
        let wideB = WideLane(b, rowCount: rowCount)
        var safe = validity
        if op == .integerDivide || op == .modulo {
            let nonzero = BitWords.pack(rowCount: rowCount) { wideB[$0] != 0 }
            safe = safe.intersection(Validity(counting: nonzero, rowCount: rowCount), rowCount: rowCount)
        }
        return try buildFixed(type: .int64, safe, rowCount) { (row) throws(MartletError) -> Int64 in
            let x = wideA[row]
            let y = wideB[row]
            let exact: Int128
            switch op {
            case .add: exact = x + y
            case .subtract: exact = x - y
            case .multiply: exact = x.multipliedReportingOverflow(by: y).partialValue
            case .integerDivide, .divide: exact = x / y
            case .modulo: exact = x % y
            }
            guard let result = Int64(exactly: exact) else { throw overflow(op.rawValue, "\(x)", "\(y)", .int64) }
            return result
        }
    }

    private static func temporalArithmetic(
        _ op: ArithmeticOperator, _ type: ColumnType, _ a: Column, _ b: Column, _ validity: Validity, _ rowCount: Int
    ) throws(MartletError) -> Column {
        switch (a.type, b.type) {
        case (.timestamp, .timestamp):
            let x = Lane<Int64>(a, rowCount: rowCount)
            let y = Lane<Int64>(b, rowCount: rowCount)
            return try buildFixed(type: type, validity, rowCount) { (row) throws(MartletError) -> Interval in
                IntervalMath.difference(x[row], y[row])
            }
        case (.timestamp, .interval), (.interval, .timestamp):
            let times = Lane<Int64>(a.type == .timestamp ? a : b, rowCount: rowCount)
            let spans = Lane<Interval>(a.type == .timestamp ? b : a, rowCount: rowCount)
            return try buildFixed(type: type, validity, rowCount) { (row) throws(MartletError) -> Int64 in
                let span = op == .subtract ? IntervalMath.negate(spans[row]) : spans[row]
                guard let span, let moved = IntervalMath.add(times[row], span) else {
                    throw overflow(
                        op.rawValue, TimeText.format(times[row]), TimeText.format(spans[row]), .timestamp)
                }
                return moved
            }
        case (.interval, .interval):
            let x = Lane<Interval>(a, rowCount: rowCount)
            let y = Lane<Interval>(b, rowCount: rowCount)
            return try buildFixed(type: type, validity, rowCount) { (row) throws(MartletError) -> Interval in
                let second = op == .subtract ? IntervalMath.negate(y[row]) : y[row]
                guard let second, let sum = IntervalMath.add(x[row], second) else {
                    throw overflow(op.rawValue, TimeText.format(x[row]), TimeText.format(y[row]), .interval)
                }
                return sum
            }
        default:
            let spans = Lane<Interval>(a.type == .interval ? a : b, rowCount: rowCount)
            let factors = try asFloat(a.type == .interval ? b : a)
            let factor = Lane<Double>(factors, rowCount: rowCount)
            var safe = validity
            if op == .divide {
                let nonzero = BitWords.pack(rowCount: rowCount) { factor[$0] != 0 }
                safe = safe.intersection(Validity(counting: nonzero, rowCount: rowCount), rowCount: rowCount)
            }
            return try withExtendedLifetime(factors) { () throws(MartletError) -> Column in
                try buildFixed(type: type, safe, rowCount) { (row) throws(MartletError) -> Interval in
                    let scale = op == .divide ? 1 / factor[row] : factor[row]
                    guard let result = IntervalMath.multiply(spans[row], scale) else {
                        throw overflow(op.rawValue, TimeText.format(spans[row]), "\(factor[row])", .interval)
                    }
                    return result
                }
            }
        }
    }

    static func overflow(_ op: String, _ left: String, _ right: String, _ type: ColumnType) -> MartletError {
        MartletError(
            .outOfRange, "\(left) \(op) \(right) is outside the range of \(type.name)",
            hint: "cast an operand to DOUBLE for an approximate result")
    }
}

/// A BIGINT or UBIGINT column seen as 128-bit integers.
struct WideLane {
    private let signed: UnsafePointer<Int64>
    private let unsigned: UnsafePointer<UInt64>
    private let isSigned: Bool
    private let step: Int

    init(_ column: Column, rowCount: Int) {
        signed = column.values.pointer(to: Int64.self)
        unsigned = column.values.pointer(to: UInt64.self)
        isSigned = column.type == .int64
        step = column.repeats(over: rowCount) ? 0 : 1
    }

    @inline(__always)
    subscript(row: Int) -> Int128 { isSigned ? Int128(signed[row &* step]) : Int128(unsigned[row &* step]) }
}
