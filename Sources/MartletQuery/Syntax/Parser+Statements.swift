import MartletModel

extension Parser {
    /// A statement of any kind.
    mutating func parseStatement() throws(MartletError) -> StatementSyntax {
        let token = peek
        switch token.keyword {
        case .select, .with, .values, .from: return .query(try parseQuery())
        case .insert: return try parseInsert()
        case .delete: return try parseDelete()
        case .create: return try parseCreate()
        case .drop: return try parseDrop()
        case .alter: return try parseAlter()
        case .show, .describe: return try parseShow()
        case .compact, .vacuum:
            advance()
            return .compact
        case .explain:
            advance()
            if atWord("POLICY") { return try parseExplainPolicy() }
            let isAnalyze = take(.analyze)
            return .explain(
                try nested { (parser) throws(MartletError) in try parser.parseStatement() }, analyze: isAnalyze)
        case .update:
            throw source.error(
                .unsupported, "UPDATE is not supported", at: Int(token.start),
                hint: "INSERT a row of the same series and time: the last value written wins, field by field")
        case .begin, .commit, .rollback:
            throw source.error(
                .unsupported, "transactions are not supported; each statement is one commit", at: Int(token.start))
        default:
            if at(.leftParenthesis) { return .query(try parseQuery()) }
            if atWord("EXPORT") { return try parseExport() }
            if atWord("RUN") { return try parseRunRetention() }
            if atWord("CANCEL") { return try parseCancel() }
            if atWord("SUBSCRIBE") { return try parseSubscribe() }
            if atWord("TRAIN") { return try parseTrain() }
            if atWord("DETECT") { return try parseDetect() }
            if atWord("ACKNOWLEDGE") { return try parseAcknowledge() }
            throw unexpected("a statement", hint: suggestion(for: token))
        }
    }

    private func suggestion(for token: Token) -> String? {
        let starts = [
            "SELECT", "INSERT", "DELETE", "CREATE", "DROP", "ALTER", "SHOW", "EXPLAIN", "WITH", "COMPACT", "EXPORT",
            "RUN", "CANCEL", "SUBSCRIBE", "TRAIN", "DETECT", "ACKNOWLEDGE",
        ]
        if token.kind == .word, let near = Spelling.nearest(to: text(token), in: starts) {
            return "did you mean \(near)?"
        }
        return
            "a statement starts with SELECT, WITH, VALUES, INSERT, DELETE, CREATE, DROP, ALTER, SHOW, COMPACT, EXPORT, "
            + "RUN, CANCEL, SUBSCRIBE, TRAIN, DETECT, ACKNOWLEDGE or EXPLAIN"
    }

    private mutating func takeIfNotExists() throws(MartletError) -> Bool {
        guard take(.if) else { return false }
        try expect(.not)
        try expect(.exists)
        return true
    }

    mutating func takeIfExists() throws(MartletError) -> Bool {
        guard take(.if) else { return false }
        try expect(.exists)
        return true
    }

    private mutating func parseInsert() throws(MartletError) -> StatementSyntax {
        advance()
        try expect(.into)
        let table = try parseTableName()
        var columns: [Name]?
        if at(.leftParenthesis), ahead(1).keyword != .select, ahead(1).keyword != .with, ahead(1).keyword != .values {
            advance()
            columns = try parseNames("a column's name")
            try expect(.rightParenthesis)
        }
        let query = try parseQuery()
        if at(.on) {
            throw source.error(
                .unsupported, "ON CONFLICT is not supported", at: Int(peek.start),
                hint: "the last value written to a series, time and field wins by itself")
        }
        if at(.returning) { throw source.error(.unsupported, "RETURNING is not supported", at: Int(peek.start)) }
        return .insert(table, columns: columns, source: query)
    }

    private mutating func parseDelete() throws(MartletError) -> StatementSyntax {
        advance()
        try expect(.from)
        let table = try parseTableName()
        return .delete(table, filter: take(.where) ? try parseExpression() : nil)
    }

    private mutating func parseCreate() throws(MartletError) -> StatementSyntax {
        advance()
        if take(.namespace) {
            let ifNotExists = try takeIfNotExists()
            return .createNamespace(try parseName("a namespace's name"), ifNotExists: ifNotExists)
        }
        var replaces = false
        if take(.or) {
            guard takeWord("REPLACE"), atWord("RETENTION") || atStreamKind() != nil else {
                throw unexpected("REPLACE and RETENTION POLICY, CONTINUOUS QUERY, DETECTOR or ALERT after OR")
            }
            replaces = true
        }
        if atStreamKind() != nil { return try parseCreateStream(replaces: replaces) }
        if atWord("RETENTION") {
            try expectRetentionPolicy()
            return .retention(.create(try parseRetentionPolicy(), replaces: replaces))
        }
        guard take(.table) else {
            throw unexpected(
                "TABLE, NAMESPACE, RETENTION POLICY, CONTINUOUS QUERY, DETECTOR or ALERT",
                hint: "there are no views, indexes or schemas")
        }
        let ifNotExists = try takeIfNotExists()
        let table = try parseTableName()
        try expect(.leftParenthesis)
        var columns: [StatementSyntax.ColumnDefinition] = []
        repeat { columns.append(try parseColumnDefinition()) } while take(.comma)
        try expect(.rightParenthesis)
        return .createTable(table, columns, ifNotExists: ifNotExists)
    }

    /// `name TYPE`, `name TAG`, `name VARCHAR TAG`; the time column may carry PRIMARY KEY or NOT NULL, to no effect.
    private mutating func parseColumnDefinition() throws(MartletError) -> StatementSyntax.ColumnDefinition {
        let name = try parseName("a column's name")
        if take(.tag) { return .init(name: name, kind: .tag) }
        let type = try parseType()
        var isTag = false
        while true {
            if take(.tag) {
                isTag = true
            } else if at(.not, .null) || at(.primary, .key) {
                advance()
                advance()
            } else if at(.null) {
                advance()
            } else {
                break
            }
        }
        if isTag {
            if type.type != .string {
                throw source.error(.semantic, "tag '\(name.text)' must be VARCHAR", at: type.offset)
            }
            return .init(name: name, kind: .tag)
        }
        if name.text.lowercased() == "time" {
            if type.type != .timestamp {
                throw source.error(.semantic, "the column time is of type TIMESTAMP in every table", at: type.offset)
            }
            return .init(name: name, kind: .time)
        }
        return .init(name: name, kind: .field(type))
    }

    private mutating func parseDrop() throws(MartletError) -> StatementSyntax {
        advance()
        if take(.namespace) {
            let ifExists = try takeIfExists()
            return .dropNamespace(try parseName("a namespace's name"), ifExists: ifExists)
        }
        if atWord("RETENTION") {
            try expectRetentionPolicy()
            let ifExists = try takeIfExists()
            return .retention(.drop(try parseName("a policy's name"), ifExists: ifExists))
        }
        if atStreamKind() != nil { return try parseDropStream() }
        guard take(.table) else {
            throw unexpected("TABLE, NAMESPACE, RETENTION POLICY, CONTINUOUS QUERY, DETECTOR or ALERT")
        }
        let ifExists = try takeIfExists()
        return .dropTable(try parseTableName(), ifExists: ifExists)
    }

    private mutating func parseAlter() throws(MartletError) -> StatementSyntax {
        advance()
        if atWord("RETENTION") {
            try expectRetentionPolicy()
            return .retention(.alter(try parseRetentionPolicy()))
        }
        if atStreamKind() != nil { return try parseAlterStream() }
        try expect(.table)
        let table = try parseTableName()
        if take(.add) {
            _ = take(.column)
            let ifNotExists = try takeIfNotExists()
            let column = try parseName("a column's name")
            if at(.tag) {
                throw source.error(
                    .unsupported, "a tag cannot be added by statement", at: Int(peek.start),
                    hint: "a tag appears with the first row that carries it")
            }
            return .alterTable(table, .addField(column, try parseType(), ifNotExists: ifNotExists))
        }
        if take(.drop) {
            _ = take(.column)
            let ifExists = try takeIfExists()
            return .alterTable(table, .dropField(try parseName("a column's name"), ifExists: ifExists))
        }
        if take(.alter) {
            _ = take(.column)
            let column = try parseName("a column's name")
            if take(.set) { try expect(.data) }
            try expect(.type)
            return .alterTable(table, .changeType(column, try parseType()))
        }
        throw unexpected("ADD COLUMN, DROP COLUMN or ALTER COLUMN")
    }

    private mutating func parseShow() throws(MartletError) -> StatementSyntax {
        if take(.describe) { return .show(.columns(try parseTableName()), limit: nil) }
        advance()
        if takeWord("RETENTION") {
            guard takeWord("POLICIES") else { throw unexpected("POLICIES after RETENTION") }
            return .retention(.show)
        }
        if let streams = try parseShowStreams() { return streams }
        let show: StatementSyntax.Show
        let token = peek
        switch token.keyword {
        case .tables:
            advance()
            show = .tables
        case .segments:
            advance()
            show = .segments
        case .namespaces:
            advance()
            show = .namespaces
        case .functions:
            advance()
            show = .functions
        case .columns:
            advance()
            try expectFrom()
            show = .columns(try parseTableName())
        case .series:
            advance()
            try expectFrom()
            show = .series(try parseTableName(), filter: take(.where) ? try parseExpression() : nil)
        case .tags:
            advance()
            try expectFrom()
            show = .tags(try parseTableName())
        case .tag:
            advance()
            try expect(.values)
            try expectFrom()
            let table = try parseTableName()
            var tag: Name?
            if take(.for) || take(.key) { tag = try parseName("a tag's name") }
            show = .tagValues(table, tag: tag, filter: take(.where) ? try parseExpression() : nil)
        default:
            guard takeWord("STORAGE") else {
                throw unexpected(
                    "TABLES, COLUMNS, SERIES, TAGS, TAG VALUES, SEGMENTS, STORAGE, NAMESPACES, FUNCTIONS, RETENTION POLICIES, "
                        + "CONTINUOUS QUERIES, DETECTORS, ALERTS, ACTIVE ALERTS, ANOMALIES or MODELS after SHOW")
            }
            show = .storage
        }
        return .show(show, limit: take(.limit) ? try parseExpression() : nil)
    }

    private mutating func expectFrom() throws(MartletError) {
        if !take(.from) && !take(.in) { throw unexpected("FROM and a table's name") }
    }
}
