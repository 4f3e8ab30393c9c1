import MartletModel

/// An expression whose names have been resolved and whose types are known, over the columns of its input.
///
/// Offsets point into the statement for errors and count for nothing in comparisons.
indirect enum BoundExpression: Sendable {
    struct Branch: Sendable {
        var when: BoundExpression
        var then: BoundExpression
    }

    /// A value; without a type it is an untyped NULL.
    case constant(FieldValue?, ColumnType?)
    /// A column of the input.
    case column(Int, ColumnType, offset: Int)
    case call(any ScalarFunction, [BoundExpression], ColumnType, offset: Int)
    case cast(BoundExpression, ColumnType, isTry: Bool, offset: Int)
    case and([BoundExpression])
    case or([BoundExpression])
    case not(BoundExpression)
    case isNull(BoundExpression, negated: Bool)
    case isTruth(BoundExpression, Bool, negated: Bool)
    case inSet(BoundExpression, ValueSet, negated: Bool)
    case caseWhen([Branch], otherwise: BoundExpression?, ColumnType)
    /// An aggregate of the query being bound, by its number; gone once the query is bound.
    case aggregate(Int, ColumnType)
    /// A window call of the query being bound, by its number; gone once the query is bound.
    case window(Int, ColumnType)

    /// The type; `nil` for an untyped NULL.
    var type: ColumnType? {
        switch self {
        case .constant(_, let type): type
        case .column(_, let type, _), .call(_, _, let type, _), .cast(_, let type, _, _): type
        case .and, .or, .not, .isNull, .isTruth, .inSet: .bool
        case .caseWhen(_, _, let type), .aggregate(_, let type), .window(_, let type): type
        }
    }

    /// The type of a column of these values: an untyped NULL makes a column of BIGINT.
    var columnType: ColumnType { type ?? .int64 }

    var isConstant: Bool { if case .constant = self { true } else { false } }

    /// The constant's value; `nil` when this is no constant, `.some(nil)` when it is NULL.
    var constantValue: FieldValue?? { if case .constant(let value, _) = self { .some(value) } else { .none } }

    static let trueConstant = BoundExpression.constant(.bool(true), .bool)
    static let falseConstant = BoundExpression.constant(.bool(false), .bool)

    /// The operands.
    var children: [BoundExpression] {
        switch self {
        case .constant, .column, .aggregate, .window: []
        case .call(_, let arguments, _, _): arguments
        case .cast(let operand, _, _, _), .not(let operand), .isNull(let operand, _), .isTruth(let operand, _, _),
            .inSet(let operand, _, _):
            [operand]
        case .and(let parts), .or(let parts): parts
        case .caseWhen(let branches, let otherwise, _):
            branches.flatMap { [$0.when, $0.then] } + (otherwise.map { [$0] } ?? [])
        }
    }

    /// The expression with `transform` applied to the largest parts for which it gives a replacement.
    func rewritten(
        _ transform: (BoundExpression) throws(MartletError) -> BoundExpression?
    ) throws(MartletError) -> BoundExpression {
        if let replacement = try transform(self) { return replacement }
        func all(_ list: [BoundExpression]) throws(MartletError) -> [BoundExpression] {
            var result: [BoundExpression] = []
            result.reserveCapacity(list.count)
            for part in list { result.append(try part.rewritten(transform)) }
            return result
        }
        switch self {
        case .constant, .column, .aggregate, .window: return self
        case .call(let function, let arguments, let type, let offset):
            return .call(function, try all(arguments), type, offset: offset)
        case .cast(let operand, let type, let isTry, let offset):
            return .cast(try operand.rewritten(transform), type, isTry: isTry, offset: offset)
        case .and(let parts): return .and(try all(parts))
        case .or(let parts): return .or(try all(parts))
        case .not(let operand): return .not(try operand.rewritten(transform))
        case .isNull(let operand, let negated): return .isNull(try operand.rewritten(transform), negated: negated)
        case .isTruth(let operand, let truth, let negated):
            return .isTruth(try operand.rewritten(transform), truth, negated: negated)
        case .inSet(let operand, let set, let negated):
            return .inSet(try operand.rewritten(transform), set, negated: negated)
        case .caseWhen(let branches, let otherwise, let type):
            var newBranches: [Branch] = []
            for branch in branches {
                newBranches.append(
                    Branch(when: try branch.when.rewritten(transform), then: try branch.then.rewritten(transform)))
            }
            var newOtherwise: BoundExpression?
            if let otherwise { newOtherwise = try otherwise.rewritten(transform) }
            return .caseWhen(newBranches, otherwise: newOtherwise, type)
        }
    }

    /// The expression over an input whose columns moved: column `i` is now column `mapping[i]`.
    func remapped(_ mapping: [Int]) -> BoundExpression {
        replacingColumns { index, type, offset in .column(mapping[index], type, offset: offset) }
    }

    /// The expression over another input, each column given by `replacement`.
    func replacingColumns(_ replacement: (Int, ColumnType, Int) -> BoundExpression) -> BoundExpression {
        do throws(MartletError) {
            return try rewritten { (part) throws(MartletError) in
                if case .column(let index, let type, let offset) = part { return replacement(index, type, offset) }
                return nil
            }
        } catch {
            preconditionFailure("replacing columns throws nothing: \(error)")
        }
    }

    /// Calls `body` for each column that the expression reads.
    func forEachColumn(_ body: (Int) -> Void) {
        if case .column(let index, _, _) = self {
            body(index)
        } else {
            for child in children { child.forEachColumn(body) }
        }
    }

    /// The columns that the expression reads, ascending, each once.
    var columns: [Int] {
        var list: [Int] = []
        forEachColumn { if !list.contains($0) { list.append($0) } }
        return list.sorted()
    }

    /// Whether a part for which `test` holds occurs.
    func contains(_ test: (BoundExpression) -> Bool) -> Bool {
        test(self) || children.contains { $0.contains(test) }
    }

    /// The conditions that must all hold.
    var conjuncts: [BoundExpression] {
        if case .and(let parts) = self { return parts.flatMap(\.conjuncts) }
        return [self]
    }

    /// One condition out of several; `nil` for none.
    static func conjunction(_ parts: [BoundExpression]) -> BoundExpression? {
        parts.isEmpty ? nil : parts.count == 1 ? parts[0] : .and(parts)
    }
}

extension BoundExpression: Equatable {
    static func == (left: BoundExpression, right: BoundExpression) -> Bool {
        switch (left, right) {
        case (.constant(let a, let b), .constant(let c, let d)): a == c && b == d
        case (.column(let a, _, _), .column(let b, _, _)): a == b
        case (.call(let f, let a, _, _), .call(let g, let b, _, _)): f.name == g.name && a == b
        case (.cast(let a, let s, let x, _), .cast(let b, let t, let y, _)): s == t && x == y && a == b
        case (.and(let a), .and(let b)), (.or(let a), .or(let b)): a == b
        case (.not(let a), .not(let b)): a == b
        case (.isNull(let a, let x), .isNull(let b, let y)): x == y && a == b
        case (.isTruth(let a, let s, let x), .isTruth(let b, let t, let y)): s == t && x == y && a == b
        case (.inSet(let a, let s, let x), .inSet(let b, let t, let y)): s === t && x == y && a == b
        case (.caseWhen(let a, let x, _), .caseWhen(let b, let y, _)):
            x == y && a.count == b.count
                && zip(a, b).allSatisfy { $0.when == $1.when && $0.then == $1.then }
        case (.aggregate(let a, _), .aggregate(let b, _)), (.window(let a, _), .window(let b, _)): a == b
        default: false
        }
    }
}

/// The constants of an IN.
final class ValueSet: Sendable {
    let type: ColumnType
    /// The values that are not NULL.
    let values: Set<FieldValue>
    /// Whether NULL was among them, which turns "not found" into NULL.
    let hasNull: Bool

    init(type: ColumnType, values: Set<FieldValue>, hasNull: Bool) {
        self.type = type
        self.values = values
        self.hasNull = hasNull
    }
}

/// An aggregate call whose arguments are bound.
struct BoundAggregate: Sendable {
    var function: any AggregateFunction
    var arguments: [BoundExpression]
    var isDistinct: Bool
    /// The rows to take, if not all.
    var filter: BoundExpression?
    /// The time of each row, for `first`, `rate` and their kin.
    var time: BoundExpression?
    /// Order of the rows within a group, for aggregates that care.
    var order: [SortKey]
    var type: ColumnType
    /// Whether it is `count(*)`.
    var isCountOfRows: Bool
    var offset: Int
    /// The text, for EXPLAIN.
    var name: String { function.name }
}

extension BoundAggregate: Equatable {
    static func == (left: BoundAggregate, right: BoundAggregate) -> Bool {
        left.function.name == right.function.name && left.arguments == right.arguments
            && left.isDistinct == right.isDistinct && left.filter == right.filter && left.time == right.time
            && left.order == right.order && left.isCountOfRows == right.isCountOfRows
    }
}

/// One key of an order.
struct SortKey: Sendable, Equatable {
    var expression: BoundExpression
    var isDescending: Bool
    var nullsFirst: Bool
}
