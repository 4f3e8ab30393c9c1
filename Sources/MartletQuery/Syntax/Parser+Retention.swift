import MartletModel

/// What statements say of a retention policy; `nil` where they say nothing.
struct RetentionPolicySyntax: Sendable {
    /// A span of time in quotes.
    struct Span: Sendable {
        var text: String
        var offset: Int
    }

    var name: Name
    var table: TableNameSyntax?
    var tags: [(key: Name, value: String)] = []
    var rowLife: Span?
    var tiers: [(width: Span, life: Span)] = []
    /// The most bytes, in quotes; empty for no bound.
    var mostBytes: Span?
    /// Where rows are exported to before they go; empty for nowhere.
    var destination: Span?
    var about: String?
    var isEnabled: Bool?
}

/// A statement on retention.
enum RetentionSyntax: Sendable {
    case create(RetentionPolicySyntax, replaces: Bool)
    case alter(RetentionPolicySyntax)
    case drop(Name, ifExists: Bool)
    case show
    case cancel
    case run(policy: Name?, table: TableNameSyntax?, isDryRun: Bool)
    case explain(TableNameSyntax, tags: [(key: Name, value: String)])
}

extension Parser {
    /// `RETENTION POLICY name [ON table] [WHERE tag = 'value' [AND ...]] [KEEP '7 days' [, '1 minute' FOR '90 days' ...]]
    /// [AT MOST '10 GiB' | NONE] [EXPORT TO 'destination' | NONE] [DESCRIPTION 'text'] [ENABLED | DISABLED]`, from the name on.
    mutating func parseRetentionPolicy() throws(MartletError) -> RetentionPolicySyntax {
        var policy = RetentionPolicySyntax(name: try parseName("a policy's name"))
        if take(.on) { policy.table = try parseTableName() }
        if take(.where) { policy.tags = try parseTagPairs() }
        if takeWord("KEEP") {
            policy.rowLife = try parseSpan()
            while take(.comma) {
                let width = try parseSpan()
                try expect(.for)
                policy.tiers.append((width, try parseSpan()))
            }
        }
        if takeWord("AT") {
            guard takeWord("MOST") else { throw unexpected("MOST after AT") }
            policy.mostBytes = try parseTextOrNone("an amount of bytes", hint: "AT MOST '10 GiB'")
        }
        if takeWord("EXPORT") {
            try expect(.to)
            policy.destination = try parseTextOrNone("a destination", hint: "EXPORT TO '/srv/archive'")
        }
        if takeWord("DESCRIPTION") {
            guard let text = takeString() else { throw unexpected("a text in single quotes") }
            policy.about = text
        }
        if takeWord("DISABLED") {
            policy.isEnabled = false
        } else if takeWord("ENABLED") {
            policy.isEnabled = true
        }
        return policy
    }

    mutating func expectRetentionPolicy() throws(MartletError) {
        advance()
        guard takeWord("POLICY") else { throw unexpected("POLICY after RETENTION") }
    }

    /// A text in quotes, or NONE, which gives an empty one.
    private mutating func parseTextOrNone(
        _ what: String, hint: String
    ) throws(MartletError) -> RetentionPolicySyntax.Span {
        let offset = Int(peek.start)
        if takeWord("NONE") { return .init(text: "", offset: offset) }
        guard let text = takeString(), !text.isEmpty else {
            throw unexpected("\(what) in single quotes, or NONE", hint: hint)
        }
        return .init(text: text, offset: offset)
    }

    private mutating func parseSpan() throws(MartletError) -> RetentionPolicySyntax.Span {
        _ = takeWord("INTERVAL")
        let offset = Int(peek.start)
        guard let text = takeString() else {
            throw unexpected("a span of time in single quotes", hint: "KEEP '7 days', '1 minute' FOR '90 days'")
        }
        return .init(text: text, offset: offset)
    }

    mutating func parseTagPairs() throws(MartletError) -> [(key: Name, value: String)] {
        var pairs: [(key: Name, value: String)] = []
        repeat {
            let key = try parseName("a tag's name")
            guard take(.equal), let value = takeString() else {
                throw unexpected("= and the tag's value in single quotes", hint: "WHERE site = 'north' AND host = 'a'")
            }
            pairs.append((key, value))
        } while take(.and)
        return pairs
    }

    /// `RETENTION [FOR policy] [ON table] [DRY RUN]`, from RETENTION on.
    mutating func parseRunRetention() throws(MartletError) -> StatementSyntax {
        advance()
        guard takeWord("RETENTION") else { throw unexpected("RETENTION after RUN") }
        let policy = take(.for) ? try parseName("a policy's name") : nil
        let table = take(.on) ? try parseTableName() : nil
        var isDryRun = false
        if takeWord("DRY") {
            guard takeWord("RUN") else { throw unexpected("RUN after DRY") }
            isDryRun = true
        }
        return .retention(.run(policy: policy, table: table, isDryRun: isDryRun))
    }

    /// `CANCEL RETENTION`, from CANCEL on.
    mutating func parseCancel() throws(MartletError) -> StatementSyntax {
        advance()
        guard takeWord("RETENTION") else { throw unexpected("RETENTION after CANCEL") }
        return .retention(.cancel)
    }

    /// `POLICY FOR table [WHERE tag = 'value' [AND ...]]`, from POLICY on.
    mutating func parseExplainPolicy() throws(MartletError) -> StatementSyntax {
        advance()
        try expect(.for)
        let table = try parseTableName()
        return .retention(.explain(table, tags: take(.where) ? try parseTagPairs() : []))
    }
}
