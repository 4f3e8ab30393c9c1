import MartletModel

/// What a parameter of a built-in scalar function takes.
enum Parameter: Sendable {
    /// Any number, as it is.
    case number
    /// Any number, as DOUBLE.
    case float
    /// An integer, as BIGINT.
    case integer
    case text
    case bool
    /// A timestamp; text is read as one.
    case time
    /// An interval; text is read as one.
    case interval
    /// An interval that is typed as one: where text means something else.
    case strictInterval
    case strictTime
    case any

    func accepts(_ type: ColumnType?) -> Bool {
        guard let type else { return true }
        switch self {
        case .number, .float: return type.isNumeric
        case .integer: return type == .int64 || type == .uint64
        case .text: return type == .string
        case .bool: return type == .bool
        case .time: return type == .timestamp || type == .string
        case .interval: return type == .interval || type == .string
        case .strictInterval: return type == .interval
        case .strictTime: return type == .timestamp
        case .any: return true
        }
    }

    func convert(_ column: Column) throws(MartletError) -> Column {
        switch self {
        case .float: try ColumnKernels.cast(column, to: .float64)
        case .integer: try ColumnKernels.cast(column, to: .int64)
        case .time, .strictTime: try ColumnKernels.cast(column, to: .timestamp)
        case .interval, .strictInterval: try ColumnKernels.cast(column, to: .interval)
        case .number, .text, .bool, .any: column
        }
    }
}

/// One call of a scalar function: converted arguments of `rowCount` rows, of which there is at least one.
struct Call {
    let arguments: [Column]
    let constant: [Bool]
    let rowCount: Int
    let context: EvaluationContext
    let resultType: ColumnType

    subscript(index: Int) -> Column { arguments[index] }
    var count: Int { arguments.count }

    /// Rows where no argument is NULL.
    var validity: Validity { Validity.all(arguments, rowCount: rowCount) }

    /// The text of a constant argument that is not NULL.
    func constantText(_ index: Int, _ what: String) throws(MartletError) -> String {
        guard constant[index] else { throw MartletError(.semantic, "\(what) must be a constant") }
        return String(decoding: arguments[index].stringBytes(0), as: UTF8.self)
    }

    func lane<T: BitwiseCopyable>(_ index: Int, _: T.Type) -> Lane<T> { Lane(arguments[index], rowCount: rowCount) }
}

/// One way to call a built-in function.
struct Overload: Sendable {
    let parameters: [Parameter]
    /// What further arguments are, where any number is allowed.
    let rest: Parameter?
    let result: @Sendable ([ColumnType?]) -> ColumnType?
    let evaluate: @Sendable (Call) throws(MartletError) -> Column

    init(
        _ parameters: [Parameter], rest: Parameter? = nil, _ result: ColumnType,
        _ evaluate: @escaping @Sendable (Call) throws(MartletError) -> Column
    ) {
        self.init(parameters, rest: rest, typed: { _ in result }, evaluate)
    }

    init(
        _ parameters: [Parameter], rest: Parameter? = nil,
        typed result: @escaping @Sendable ([ColumnType?]) -> ColumnType?,
        _ evaluate: @escaping @Sendable (Call) throws(MartletError) -> Column
    ) {
        self.parameters = parameters
        self.rest = rest
        self.result = result
        self.evaluate = evaluate
    }

    func parameter(_ index: Int) -> Parameter { index < parameters.count ? parameters[index] : rest! }

    /// The result's type, or `nil` when the arguments do not fit.
    func type(of arguments: [ColumnType?]) -> ColumnType? {
        guard arguments.count == parameters.count || (rest != nil && arguments.count > parameters.count) else {
            return nil
        }
        for (index, type) in arguments.enumerated() where !parameter(index).accepts(type) { return nil }
        return result(arguments)
    }
}

/// A built-in scalar function: a name and its overloads, tried in order.
struct ScalarDefinition: ScalarFunction {
    let name: String
    let forms: String
    /// Whether any NULL argument makes the result NULL, so that the body need not look.
    let isStrict: Bool
    let overloads: [Overload]

    init(_ name: String, _ forms: String, strict: Bool = true, _ overloads: [Overload]) {
        self.name = name
        self.forms = forms
        self.isStrict = strict
        self.overloads = overloads
    }

    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType {
        for overload in overloads { if let type = overload.type(of: arguments) { return type } }
        let given = arguments.map { $0?.name ?? "NULL" }.joined(separator: ", ")
        throw MartletError(.semantic, "\(name)(\(given)) is not defined", hint: "the form is \(forms)")
    }

    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column {
        // A column of nothing but NULLs may have any type, as an untyped NULL comes as one.
        let types = arguments.map { $0.nullCount == $0.count ? nil : Optional($0.type) }
        let exact = arguments.map { Optional($0.type) }
        let fitting =
            overloads.first { $0.type(of: exact) != nil } ?? overloads.first { $0.type(of: types) != nil }
        if let overload = fitting, let type = overload.type(of: exact) ?? overload.type(of: types) {
            if rowCount == 0 || (isStrict && types.contains(nil)) { return .nulls(type, count: rowCount) }
            var converted: [Column] = []
            for (index, column) in arguments.enumerated() {
                converted.append(try overload.parameter(index).convert(column))
            }
            return try overload.evaluate(
                Call(
                    arguments: converted, constant: constant, rowCount: rowCount, context: context, resultType: type))
        }
        _ = try resultType(of: exact)
        throw MartletError(.internal, "\(name) accepted argument types that it cannot evaluate")
    }
}
