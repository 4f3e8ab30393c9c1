import MartletModel

/// What evaluators need to know of their statement.
struct EvaluatorContext: Sendable {
    let source: SourceText
    /// Holds the statement's `now()`.
    let evaluation: EvaluationContext
}

/// A bound expression made ready to run over batches, a column at a time.
class Evaluator {
    /// The type of the columns it gives.
    let type: ColumnType

    init(type: ColumnType) { self.type = type }

    /// The expression's value in every row. May give a column of a single row, which stands for all rows, only where
    /// `isConstant`.
    func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        preconditionFailure("an evaluator without an evaluation")
    }

    /// Whether the value is the same in all rows.
    var isConstant: Bool { false }

    /// The rows where the expression is true.
    final func select(_ rows: Rows) throws(MartletError) -> [Int32] {
        ColumnKernels.selectedRows(try evaluate(rows))
    }

    /// Makes `expression` ready to run.
    static func make(_ expression: BoundExpression, context: EvaluatorContext) -> Evaluator {
        switch expression {
        case .constant(let value, _): return ConstantEvaluator(value, type: expression.columnType)
        case .column(let index, let type, _): return ColumnEvaluator(index, type: type)
        case .call(let function, let arguments, let type, let offset):
            return CallEvaluator(
                function, arguments.map { make($0, context: context) }, type: type, context: context, offset: offset)
        case .cast(let operand, let type, let isTry, let offset):
            return CastEvaluator(
                make(operand, context: context), to: type, isTry: isTry, source: context.source, offset: offset)
        case .and(let parts): return LogicEvaluator(parts.map { make($0, context: context) }, isAnd: true)
        case .or(let parts): return LogicEvaluator(parts.map { make($0, context: context) }, isAnd: false)
        case .not(let operand):
            return UnaryEvaluator(make(operand, context: context)) { ColumnKernels.not($0) }
        case .isNull(let operand, let negated):
            return UnaryEvaluator(make(operand, context: context)) {
                negated ? ColumnKernels.isNotNull($0) : ColumnKernels.isNull($0)
            }
        case .isTruth(let operand, let truth, let negated):
            return UnaryEvaluator(make(operand, context: context)) { column in
                truthColumn(column, is: truth, negated: negated)
            }
        case .inSet(let operand, let set, let negated):
            return InSetEvaluator(make(operand, context: context), set, negated: negated)
        case .caseWhen(let branches, let otherwise, let type):
            return CaseEvaluator(
                branches.map { (make($0.when, context: context), make($0.then, context: context)) },
                otherwise: otherwise.map { make($0, context: context) }, type: type)
        case .aggregate, .window: preconditionFailure("a placeholder of the binder reached execution")
        }
    }

    /// `column IS [NOT] TRUE` or `FALSE`: never NULL.
    private static func truthColumn(_ column: Column, is truth: Bool, negated: Bool) -> Column {
        let value = truth ? column : ColumnKernels.not(column)
        let isTrue = ColumnKernels.and(value, ColumnKernels.isNotNull(value), rowCount: column.count)
        // NULL AND false is false, and NULL is never true: what is left of NULL here is "not true".
        let known = withoutNulls(isTrue)
        return negated ? ColumnKernels.not(known) : known
    }

    /// A bool column whose NULLs became false.
    private static func withoutNulls(_ column: Column) -> Column {
        guard let validity = column.validity else { return column }
        let values = BitWords.map2(column.values, validity, rowCount: column.count) { $0 & $1 }
        return Column(type: .bool, count: column.count, values: values)
    }
}

private final class ConstantEvaluator: Evaluator {
    private let value: FieldValue?
    private var column: Column?

    init(_ value: FieldValue?, type: ColumnType) {
        self.value = value
        super.init(type: type)
    }

    override var isConstant: Bool { true }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        if let column, column.count == rows.count { return column }
        // A longer run of equal values serves shorter batches too: the buffers are shared.
        if let column, column.count > rows.count {
            return Column(
                type: type, count: rows.count, nullCount: column.nullCount == 0 ? 0 : rows.count,
                validity: column.validity, values: column.values, offsets: column.offsets,
                dictionary: column.dictionary)
        }
        let made = try ColumnKernels.constant(value, type: type, count: rows.count)
        column = made
        return made
    }
}

private final class ColumnEvaluator: Evaluator {
    private let index: Int

    init(_ index: Int, type: ColumnType) {
        self.index = index
        super.init(type: type)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column { rows.columns[index] }
}

/// A function whose `evaluate` takes a constant argument as a column of a single row, which stands for all rows.
protocol BroadcastingFunction: ScalarFunction {}

private final class CallEvaluator: Evaluator {
    private let function: any ScalarFunction
    private let arguments: [Evaluator]
    private let constant: [Bool]
    /// The values of constant arguments, made once, for functions that take them so.
    private var constants: [Column?]
    private let context: EvaluationContext
    private let source: SourceText
    private let offset: Int

    init(
        _ function: any ScalarFunction, _ arguments: [Evaluator], type: ColumnType, context: EvaluatorContext,
        offset: Int
    ) {
        self.function = function
        self.arguments = arguments
        self.constant = arguments.map(\.isConstant)
        constants = [Column?](repeating: nil, count: arguments.count)
        self.context = context.evaluation
        self.source = context.source
        self.offset = offset
        super.init(type: type)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        var columns: [Column] = []
        columns.reserveCapacity(arguments.count)
        let takesOneRow = function is any BroadcastingFunction && rows.count > 1
        for (index, argument) in arguments.enumerated() {
            if takesOneRow && constant[index] {
                if constants[index] == nil { constants[index] = try argument.evaluate(.unit) }
                if let column = constants[index] { columns.append(column) }
            } else {
                columns.append(try argument.evaluate(rows))
            }
        }
        do throws(MartletError) {
            let result = try function.evaluate(columns, constant: constant, rowCount: rows.count, context: context)
            guard result.type == type, result.count == rows.count || result.count == 1 else {
                throw MartletError(
                    .internal,
                    "the function \(function.name) promised \(rows.count) rows of \(type.name) and gave "
                        + "\(result.count) of \(result.type.name)")
            }
            return result.count == rows.count ? result : ColumnKernels.broadcast(result, to: rows.count)
        } catch {
            throw source.locate(error, at: offset)
        }
    }
}

private final class CastEvaluator: Evaluator {
    private let operand: Evaluator
    private let isTry: Bool
    private let source: SourceText
    private let offset: Int

    init(_ operand: Evaluator, to type: ColumnType, isTry: Bool, source: SourceText, offset: Int) {
        self.operand = operand
        self.isTry = isTry
        self.source = source
        self.offset = offset
        super.init(type: type)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        let column = try operand.evaluate(rows)
        do throws(MartletError) {
            return try ColumnKernels.cast(column, to: type, isTry: isTry)
        } catch {
            throw source.locate(error, at: offset)
        }
    }
}

private final class LogicEvaluator: Evaluator {
    private let parts: [Evaluator]
    private let isAnd: Bool

    init(_ parts: [Evaluator], isAnd: Bool) {
        self.parts = parts
        self.isAnd = isAnd
        super.init(type: .bool)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        var result = try parts[0].evaluate(rows)
        for part in parts.dropFirst() {
            let next = try part.evaluate(rows)
            result =
                isAnd
                ? ColumnKernels.and(result, next, rowCount: rows.count)
                : ColumnKernels.or(result, next, rowCount: rows.count)
        }
        return result
    }
}

private final class UnaryEvaluator: Evaluator {
    private let operand: Evaluator
    private let body: (Column) -> Column

    init(_ operand: Evaluator, _ body: @escaping (Column) -> Column) {
        self.operand = operand
        self.body = body
        super.init(type: .bool)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column { body(try operand.evaluate(rows)) }
}

private final class InSetEvaluator: Evaluator {
    private let operand: Evaluator
    private let set: ValueSet
    private let negated: Bool
    private var list: Column?

    init(_ operand: Evaluator, _ set: ValueSet, negated: Bool) {
        self.operand = operand
        self.set = set
        self.negated = negated
        super.init(type: .bool)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        let list: Column
        if let known = self.list {
            list = known
        } else {
            list = try Column(set.type, Array(set.values).map { .some($0) } + (set.hasNull ? [nil] : []))
            self.list = list
        }
        let found = try ColumnKernels.isIn(try operand.evaluate(rows), list, rowCount: rows.count)
        return negated ? ColumnKernels.not(found) : found
    }
}

/// CASE: each branch runs on the rows that reach it and on no others, so that a branch may guard another from an error.
private final class CaseEvaluator: Evaluator {
    private let branches: [(when: Evaluator, then: Evaluator)]
    private let otherwise: Evaluator?

    init(_ branches: [(when: Evaluator, then: Evaluator)], otherwise: Evaluator?, type: ColumnType) {
        self.branches = branches
        self.otherwise = otherwise
        super.init(type: type)
    }

    override func evaluate(_ rows: Rows) throws(MartletError) -> Column {
        var parts: [(column: Column, rows: [Int32])] = []
        var open: [Int32] = (0..<Int32(rows.count)).map { $0 }
        var rest = rows
        for branch in branches where !open.isEmpty {
            let selected = try branch.when.select(rest)
            if selected.isEmpty { continue }
            parts.append((try branch.then.evaluate(rest.filtered(selected)), selected.map { open[Int($0)] }))
            if selected.count == open.count {
                open = []
                break
            }
            let left = Self.complement(selected, count: rest.count)
            open = left.map { open[Int($0)] }
            rest = rest.filtered(left)
        }
        if let otherwise, !open.isEmpty { parts.append((try otherwise.evaluate(rest), open)) }
        return try ColumnKernels.scatter(parts, type: type, rowCount: rows.count)
    }

    /// The rows that an ascending selection leaves out.
    private static func complement(_ selection: [Int32], count: Int) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(count - selection.count)
        var next = 0
        for row in 0..<Int32(count) {
            if next < selection.count && selection[next] == row { next += 1 } else { result.append(row) }
        }
        return result
    }
}
