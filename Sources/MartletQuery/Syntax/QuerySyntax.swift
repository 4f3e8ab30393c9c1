import MartletModel

/// A query: WITH, body, ORDER BY, LIMIT.
struct QuerySyntax: Sendable {
    var commonTables: [CommonTableSyntax] = []
    var body: QueryBodySyntax
    var orderBy: [SortSyntax] = []
    /// ORDER BY ALL: every output column in turn.
    var ordersByAll = false
    var limit: ExpressionSyntax?
    var skip: ExpressionSyntax?
    var offset: Int
}

/// One entry of WITH.
struct CommonTableSyntax: Sendable {
    var name: Name
    var columns: [Name]
    var query: QuerySyntax
}

/// What a query is made of.
indirect enum QueryBodySyntax: Sendable {
    case select(SelectSyntax)
    case values([[ExpressionSyntax]])
    case setOperation(SetOperation, isAll: Bool, QuerySyntax, QuerySyntax)
    case nested(QuerySyntax)
}

/// UNION and its kin.
enum SetOperation: String, Sendable { case union, except, intersect }

/// One SELECT.
struct SelectSyntax: Sendable {
    enum Distinct: Sendable {
        case none
        case rows
        case on([ExpressionSyntax])
    }
    struct Item: Sendable {
        var expression: ExpressionSyntax
        var alias: Name?
        /// The expression's text, for naming.
        var start: Int
        var end: Int
    }
    struct NamedWindow: Sendable {
        var name: Name
        var window: WindowSyntax
    }

    var distinct = Distinct.none
    var items: [Item] = []
    var from: RelationSyntax?
    var filter: ExpressionSyntax?
    var groupBy: [ExpressionSyntax] = []
    var groupsByAll = false
    var fill: [FillSyntax] = []
    var having: ExpressionSyntax?
    var qualify: ExpressionSyntax?
    var windows: [NamedWindow] = []
    var offset: Int
}

/// How gaps of a GROUP BY over time buckets are filled.
struct FillSyntax: Sendable {
    enum Mode: Sendable {
        case null
        case previous
        case linear
        case value(ExpressionSyntax)
    }
    var mode: Mode
    var offset: Int
}

/// What stands in FROM.
indirect enum RelationSyntax: Sendable {
    case table([Name], alias: AliasSyntax?)
    case function(Name, [ExpressionSyntax], alias: AliasSyntax?)
    case query(QuerySyntax, alias: AliasSyntax?)
    case join(JoinSyntax)
}

/// `AS t (a, b)`.
struct AliasSyntax: Sendable {
    var name: Name
    var columns: [Name]
}

/// Two relations joined.
struct JoinSyntax: Sendable {
    enum Kind: Sendable { case inner, left, right, full, cross }
    enum Condition: Sendable {
        case none
        case on(ExpressionSyntax)
        case using([Name])
    }
    var kind: Kind
    var isAsOf: Bool
    var left: RelationSyntax
    var right: RelationSyntax
    var condition: Condition
    var offset: Int
}

/// A table's name, possibly qualified by a namespace.
struct TableNameSyntax: Sendable {
    var parts: [Name]
    var offset: Int { parts[0].offset }
}

/// A statement.
indirect enum StatementSyntax: Sendable {
    struct ColumnDefinition: Sendable {
        enum Kind: Sendable { case time, tag, field(TypeSyntax) }
        var name: Name
        var kind: Kind
    }
    enum Alteration: Sendable {
        case addField(Name, TypeSyntax, ifNotExists: Bool)
        case dropField(Name, ifExists: Bool)
        case changeType(Name, TypeSyntax)
    }
    enum Show: Sendable {
        case tables
        case columns(TableNameSyntax)
        case series(TableNameSyntax, filter: ExpressionSyntax?)
        case tagValues(TableNameSyntax, tag: Name?, filter: ExpressionSyntax?)
        case tags(TableNameSyntax)
        case segments
        case namespaces
        case functions
        case storage
    }

    case query(QuerySyntax)
    case insert(TableNameSyntax, columns: [Name]?, source: QuerySyntax)
    case delete(TableNameSyntax, filter: ExpressionSyntax?)
    case createTable(TableNameSyntax, [ColumnDefinition], ifNotExists: Bool)
    case dropTable(TableNameSyntax, ifExists: Bool)
    case alterTable(TableNameSyntax, Alteration)
    case createNamespace(Name, ifNotExists: Bool)
    case dropNamespace(Name, ifExists: Bool)
    case show(Show, limit: ExpressionSyntax?)
    case compact
    case export(ExportSyntax)
    case retention(RetentionSyntax)
    case stream(StreamStatement)
    case explain(StatementSyntax, analyze: Bool)
}
