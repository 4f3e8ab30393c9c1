import MartletModel

/// Simplification of expressions whose value, or part of it, is known before any row is seen.
enum Folding {
    /// Functions whose value changes from row to row without an argument.
    private static let volatile: Set<String> = [
        "random", "rand", "uuid", "gen_random_uuid", "generate_uuid", "setseed",
    ]

    /// `expression`, or its value when all its operands are constants.
    static func folded(
        _ expression: BoundExpression, context: StatementContext
    ) throws(MartletError) -> BoundExpression {
        guard expression.children.allSatisfy(\.isConstant) else { return expression }
        if case .call(let function, _, _, _) = expression, volatile.contains(function.name) { return expression }
        let evaluator = Evaluator.make(expression, context: context.evaluators)
        let column = try evaluator.evaluate(.unit)
        return .constant(column.value(at: 0), expression.columnType)
    }

    static func and(_ parts: [BoundExpression]) -> BoundExpression {
        var rest: [BoundExpression] = []
        for part in parts.flatMap(\.conjuncts) {
            if case .constant(.bool(let truth)?, _) = part {
                if !truth { return .falseConstant }
            } else {
                rest.append(part)
            }
        }
        if rest.isEmpty { return .trueConstant }
        return rest.count == 1 ? rest[0] : .and(rest)
    }

    static func or(_ parts: [BoundExpression]) -> BoundExpression {
        var rest: [BoundExpression] = []
        for part in parts {
            if case .constant(.bool(let truth)?, _) = part {
                if truth { return .trueConstant }
            } else if case .or(let inner) = part {
                rest += inner
            } else {
                rest.append(part)
            }
        }
        if rest.isEmpty { return .falseConstant }
        return rest.count == 1 ? rest[0] : .or(rest)
    }

    /// The negation, moved inwards so that scans can use its parts. De Morgan's laws hold in three-valued logic.
    static func not(_ operand: BoundExpression) -> BoundExpression {
        switch operand {
        case .constant(.bool(let truth)?, _): return .constant(.bool(!truth), .bool)
        case .constant(nil, _): return .constant(nil, .bool)
        case .not(let inner): return inner
        case .and(let parts): return or(parts.map(not))
        case .or(let parts): return and(parts.map(not))
        case .isNull(let inner, let negated): return .isNull(inner, negated: !negated)
        case .isTruth(let inner, let truth, let negated): return .isTruth(inner, truth, negated: !negated)
        case .inSet(let inner, let set, let negated): return .inSet(inner, set, negated: !negated)
        default: return .not(operand)
        }
    }
}
