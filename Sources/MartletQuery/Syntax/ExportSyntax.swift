import MartletModel

/// `EXPORT source TO destination (options)`.
struct ExportSyntax: Sendable {
    /// What is exported.
    enum Source: Sendable {
        case query(QuerySyntax)
        case table(TableNameSyntax, filter: ExpressionSyntax?)
        /// All tables of the namespace, which may be named.
        case namespace(Name?)
    }

    /// Where it goes.
    enum Destination: Sendable {
        case path(String)
        /// The rows are the statement's result.
        case standardOutput
    }

    struct Option: Sendable {
        enum Value: Sendable {
            case text(String)
            case number(FieldValue)
        }
        var name: Name
        var value: Value
        var offset: Int
    }

    var source: Source
    /// Only rows older than this, if it is given.
    var before: ExpressionSyntax?
    var destination: Destination
    var destinationOffset: Int
    var options: [Option]
}

extension StatementSyntax {
    /// Whether the limits of time and rows, which keep questions short, hold for the statement. An export takes as
    /// long as its rows need, a subscription as long as the client wants; both can be cancelled.
    var isTimed: Bool {
        switch self {
        case .export, .stream(.subscribe): false
        default: true
        }
    }
}
