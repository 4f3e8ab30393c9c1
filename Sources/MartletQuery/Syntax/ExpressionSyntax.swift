import MartletModel

/// A name as it was written.
struct Name: Sendable {
    var text: String
    var isQuoted: Bool
    /// Offset in the statement's bytes.
    var offset: Int
}

/// An expression as it was written, before names have a meaning.
struct ExpressionSyntax: Sendable {
    var kind: Kind
    /// Offset in the statement's bytes: of the operator for binary ones, else of the first token.
    var offset: Int

    indirect enum Kind: Sendable {
        /// A value; `nil` is NULL.
        case literal(FieldValue?)
        /// A parameter, counted from 0.
        case parameter(Int)
        /// A column, possibly qualified.
        case column([Name])
        /// `*` or `t.*`, as a select item.
        case star(qualifier: Name?, excluding: [Name])
        /// A function call.
        case call(CallSyntax)
        /// An operator, registered as a function under its symbol.
        case operation(String, [ExpressionSyntax])
        /// All of; n-ary so that a long chain is not a deep tree.
        case and([ExpressionSyntax])
        /// Any of.
        case or([ExpressionSyntax])
        case not(ExpressionSyntax)
        case isNull(ExpressionSyntax, negated: Bool)
        case isTruth(ExpressionSyntax, Bool, negated: Bool)
        case isDistinct(ExpressionSyntax, ExpressionSyntax, negated: Bool)
        case between(ExpressionSyntax, ExpressionSyntax, ExpressionSyntax, negated: Bool)
        case inList(ExpressionSyntax, [ExpressionSyntax], negated: Bool)
        case inQuery(ExpressionSyntax, QuerySyntax, negated: Bool)
        case exists(QuerySyntax)
        case scalarQuery(QuerySyntax)
        case caseWhen(
            operand: ExpressionSyntax?, branches: [(when: ExpressionSyntax, then: ExpressionSyntax)],
            otherwise: ExpressionSyntax?)
        case cast(ExpressionSyntax, TypeSyntax, isTry: Bool)
    }
}

/// A type's name as it was written, resolved.
struct TypeSyntax: Sendable {
    var type: ColumnType
    /// Whether the name was DATE: a timestamp cut to its day.
    var isDate: Bool
    var offset: Int
}

/// A function call with everything that may hang on it.
struct CallSyntax: Sendable {
    var name: Name
    var arguments: [ExpressionSyntax]
    var isStar = false
    var isDistinct = false
    var orderBy: [SortSyntax] = []
    var withinGroup: [SortSyntax] = []
    var filter: ExpressionSyntax?
    var ignoresNulls = false
    var window: WindowSyntax?
}

/// A window: `OVER name` or `OVER (...)`.
struct WindowSyntax: Sendable {
    var base: Name?
    var partition: [ExpressionSyntax]
    var order: [SortSyntax]
    var frame: FrameSyntax?
    var offset: Int
}

/// A window's frame.
struct FrameSyntax: Sendable {
    enum Unit: Sendable { case rows, range, groups }
    enum Bound: Sendable {
        case unboundedPreceding
        case preceding(ExpressionSyntax)
        case currentRow
        case following(ExpressionSyntax)
        case unboundedFollowing
    }

    var unit: Unit
    var start: Bound
    var end: Bound
    var offset: Int
}

/// One key of ORDER BY.
struct SortSyntax: Sendable {
    var expression: ExpressionSyntax
    var isDescending: Bool
    /// `nil` where the text does not say.
    var nullsFirst: Bool?
}
