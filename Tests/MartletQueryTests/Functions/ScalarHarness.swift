import MartletModel
import Testing

@testable import MartletQuery

/// A value in a test: what the engine would get as a literal.
enum Literal: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    case value(FieldValue)
    case null

    init(integerLiteral value: Int64) { self = .value(.int64(value)) }
    init(floatLiteral value: Double) { self = .value(.float64(value)) }
    init(stringLiteral value: String) { self = .value(.string(value)) }
    init(booleanLiteral value: Bool) { self = .value(.bool(value)) }
    init(nilLiteral: ()) { self = .null }

    static func time(_ text: String) -> Literal { .value(.timestamp(Timestamp(nanoseconds: Columns.time(text)))) }
    static func interval(_ text: String) -> Literal { .value(.interval(Columns.interval(text))) }

    var field: FieldValue? {
        if case .value(let value) = self { return value }
        return nil
    }
}

/// Calls a built-in scalar function on three equal rows, once with constants and once with columns; both must agree.
func call(
    _ name: String, _ arguments: Literal..., now: Int64 = 0, sourceLocation: SourceLocation = #_sourceLocation
) throws(MartletError) -> FieldValue? {
    guard let function = FunctionRegistry.builtIn.scalar(name) else {
        throw MartletError(.notFound, "no function \(name)")
    }
    let context = EvaluationContext(now: Timestamp(nanoseconds: now))
    var columns: [Column] = []
    for argument in arguments {
        columns.append(
            try ColumnKernels.constant(argument.field, type: argument.field?.type ?? .int64, count: 3))
    }
    let type = try function.resultType(of: arguments.map { $0.field?.type })
    let constant = try function.evaluate(
        columns, constant: arguments.map { _ in true }, rowCount: 3, context: context)
    #expect(constant.type == type, "\(name)", sourceLocation: sourceLocation)
    #expect(constant.count == 3, "\(name)", sourceLocation: sourceLocation)
    #expect(same([constant.value(at: 0)], [constant.value(at: 2)]), "\(name)", sourceLocation: sourceLocation)
    do {
        let varying = try function.evaluate(
            columns.map(plain), constant: arguments.map { _ in false }, rowCount: 3, context: context)
        #expect(same(varying.list, constant.list), "\(name) of columns", sourceLocation: sourceLocation)
    } catch {
        // Some arguments must be constants; every other error must have come up above.
        #expect(error.message.contains("must be a constant"), "\(error)", sourceLocation: sourceLocation)
    }
    return constant.value(at: 1)
}

/// A dictionary-encoded column as a plain one.
private func plain(_ column: Column) -> Column {
    column.isDictionaryEncoded ? Columns.texts(column.texts) : column
}
