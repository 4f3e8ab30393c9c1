import MartletModel

/// Operators, as functions under their symbols. A registry may carry one of the same symbol, which then goes first.
enum OperatorFunctions {
    static let all: [String: any ScalarFunction] = {
        var all: [String: any ScalarFunction] = [:]
        for comparison in ComparisonOperator.allCases { all[comparison.rawValue] = ComparisonFunction(comparison) }
        for arithmetic in ArithmeticOperator.allCases { all[arithmetic.rawValue] = ArithmeticFunction(arithmetic) }
        all["||"] = ConcatenationFunction()
        all["is_distinct_from"] = DistinctFromFunction()
        return all
    }()
}

private struct ComparisonFunction: BroadcastingFunction {
    let name: String
    private let comparison: ComparisonOperator

    init(_ comparison: ComparisonOperator) {
        name = comparison.rawValue
        self.comparison = comparison
    }

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType {
        guard ColumnKernels.comparisonType(arguments[0], arguments[1]) != nil else {
            throw mismatch(name, arguments, hint: "CAST one to the type of the other")
        }
        return .bool
    }

    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column {
        try ColumnKernels.compare(comparison, arguments[0], arguments[1], rowCount: rowCount)
    }
}

private func mismatch(_ symbol: String, _ arguments: [ColumnType?], hint: String? = nil) -> MartletError {
    let names = arguments.map { $0?.name ?? "NULL" }
    let text = names.count == 1 ? "\(symbol)\(names[0])" : names.joined(separator: " \(symbol) ")
    return MartletError(.semantic, "\(text) is not defined", hint: hint)
}

private struct ArithmeticFunction: BroadcastingFunction {
    let name: String
    private let arithmetic: ArithmeticOperator

    init(_ arithmetic: ArithmeticOperator) {
        name = arithmetic.rawValue
        self.arithmetic = arithmetic
    }

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType {
        if arguments.count == 1 {
            guard let type = arguments[0] else { return .int64 }
            guard type.isNumeric || type == .interval else { throw mismatch(name, arguments) }
            return type
        }
        return try arithmetic.resultType(arguments[0], arguments[1])
    }

    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column {
        if arguments.count == 1 { return try ColumnKernels.negate(arguments[0]) }
        return try ColumnKernels.arithmetic(arithmetic, arguments[0], arguments[1], rowCount: rowCount)
    }
}

/// `a || b`: text one after the other; NULL when either is. Other types are written as text first.
private struct ConcatenationFunction: BroadcastingFunction {
    let name = "||"

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType { .string }

    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column {
        let left = try ColumnKernels.broadcast(ColumnKernels.cast(arguments[0], to: .string), to: rowCount)
        let right = try ColumnKernels.broadcast(ColumnKernels.cast(arguments[1], to: .string), to: rowCount)
        var bytes = MutableBuffer(capacity: rowCount * 16)
        var offsets = MutableBuffer(capacity: (rowCount + 1) * 4)
        var validity = BitmapBuilder(capacity: rowCount)
        offsets.append(Int32(0))
        for row in 0..<rowCount {
            let isValid = left.isValid(row) && right.isValid(row)
            validity.append(isValid)
            if isValid {
                bytes.append(left.stringBytes(row))
                bytes.append(right.stringBytes(row))
            }
            guard bytes.byteCount <= Int(Int32.max) else { throw ColumnKernels.textTooLarge() }
            offsets.append(Int32(bytes.byteCount))
        }
        let nulls = validity.clearCount
        return Column(
            type: .string, count: rowCount, nullCount: nulls, validity: validity.finish(), values: bytes.finish(),
            offsets: offsets.finish())
    }
}

private struct DistinctFromFunction: BroadcastingFunction {
    let name = "is_distinct_from"

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType {
        guard ColumnKernels.comparisonType(arguments[0], arguments[1]) != nil else {
            throw mismatch("IS DISTINCT FROM", arguments, hint: "CAST one to the type of the other")
        }
        return .bool
    }

    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column {
        try ColumnKernels.isDistinct(arguments[0], arguments[1], rowCount: rowCount)
    }
}
