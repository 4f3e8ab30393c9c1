import MartletModel

extension Parser {
    /// A query with everything that may stand before and after its body.
    mutating func parseQuery() throws(MartletError) -> QuerySyntax {
        let offset = Int(peek.start)
        let commonTables = at(.with) ? try parseWith() : []
        var query = QuerySyntax(body: try parseSetOperation(minimum: 0), offset: offset)
        query.commonTables = commonTables
        if at(.order) {
            if ahead(2).keyword == .all && ahead(2).kind == .word {
                advance()
                advance()
                advance()
                query.ordersByAll = true
            } else {
                query.orderBy = try parseOrderBy()
            }
        }
        try parseLimits(&query)
        // A parenthesised query without a tail of its own needs no level of its own.
        if case .nested(let inner) = query.body, query.commonTables.isEmpty, query.orderBy.isEmpty, !query.ordersByAll,
            query.limit == nil, query.skip == nil
        {
            return inner
        }
        return query
    }

    private mutating func parseLimits(_ query: inout QuerySyntax) throws(MartletError) {
        while true {
            if at(.limit) {
                if query.limit != nil { throw unexpected("only one LIMIT") }
                advance()
                if take(.all) { continue }
                query.limit = try parseExpression()
            } else if at(.offset) {
                if query.skip != nil { throw unexpected("only one OFFSET") }
                advance()
                query.skip = try parseExpression()
                _ = take(.row) || take(.rows)
            } else if at(.fetch) {
                if query.limit != nil { throw unexpected("only one LIMIT") }
                advance()
                if !take(.first) { _ = take(.value) }
                if at(.row) || at(.rows) {
                    query.limit = ExpressionSyntax(kind: .literal(.int64(1)), offset: Int(peek.start))
                } else {
                    query.limit = try parseExpression()
                }
                _ = take(.row) || take(.rows)
                try expect(.only)
            } else {
                return
            }
        }
    }

    private mutating func parseWith() throws(MartletError) -> [CommonTableSyntax] {
        try expect(.with)
        if peek.kind == .word, text(peek).lowercased() == "recursive" {
            throw source.error(.unsupported, "WITH RECURSIVE is not supported", at: Int(peek.start))
        }
        var tables: [CommonTableSyntax] = []
        repeat {
            let name = try parseName("a name")
            var columns: [Name] = []
            if take(.leftParenthesis) {
                columns = try parseNames("a column's name")
                try expect(.rightParenthesis)
            }
            try expect(.as)
            try expect(.leftParenthesis)
            let query = try nested { (parser) throws(MartletError) in try parser.parseQuery() }
            try expect(.rightParenthesis)
            tables.append(CommonTableSyntax(name: name, columns: columns, query: query))
        } while take(.comma)
        return tables
    }

    /// UNION and EXCEPT bind alike, INTERSECT more strongly.
    private mutating func parseSetOperation(minimum: Int) throws(MartletError) -> QueryBodySyntax {
        let start = Int(peek.start)
        var left = try parseBody()
        var links = 0
        while true {
            let operation: SetOperation
            switch peek.keyword {
            case .union where minimum <= 0: operation = .union
            case .except where minimum <= 0: operation = .except
            case .intersect where minimum <= 1: operation = .intersect
            default: return left
            }
            links += 1
            if links > Self.maximumChain {
                throw source.error(
                    .outOfRange, "more than \(Self.maximumChain) queries in one chain", at: Int(peek.start))
            }
            advance()
            let isAll = take(.all)
            if !isAll { _ = take(.distinct) }
            let rightStart = Int(peek.start)
            let right = try parseSetOperation(minimum: operation == .intersect ? 2 : 1)
            left = .setOperation(
                operation, isAll: isAll, QuerySyntax(body: left, offset: start),
                QuerySyntax(body: right, offset: rightStart))
        }
    }

    private mutating func parseBody() throws(MartletError) -> QueryBodySyntax {
        if at(.leftParenthesis) {
            return try nested { (parser) throws(MartletError) in
                parser.advance()
                let query = try parser.parseQuery()
                try parser.expect(.rightParenthesis)
                return .nested(query)
            }
        }
        if at(.values) { return .values(try parseValues()) }
        if at(.from) {
            // DuckDB's short form: FROM t means SELECT * FROM t.
            var select = SelectSyntax(offset: Int(peek.start))
            let star = ExpressionSyntax(kind: .star(qualifier: nil, excluding: []), offset: select.offset)
            select.items = [.init(expression: star, alias: nil, start: select.offset, end: select.offset)]
            try parseClauses(&select)
            return .select(select)
        }
        guard at(.select) else { throw unexpected("SELECT, VALUES or '('") }
        return .select(try parseSelect())
    }

    private mutating func parseValues() throws(MartletError) -> [[ExpressionSyntax]] {
        try expect(.values)
        var rows: [[ExpressionSyntax]] = []
        repeat {
            try expect(.leftParenthesis)
            let start = Int(peek.start)
            let row = try parseExpressions()
            try expect(.rightParenthesis)
            if let first = rows.first, first.count != row.count {
                throw source.error(
                    .semantic, "a row of \(row.count) values after rows of \(first.count)", at: start)
            }
            rows.append(row)
        } while take(.comma)
        return rows
    }

    private mutating func parseSelect() throws(MartletError) -> SelectSyntax {
        var select = SelectSyntax(offset: Int(peek.start))
        try expect(.select)
        if take(.distinct) {
            if take(.on) {
                try expect(.leftParenthesis)
                select.distinct = .on(try parseExpressions())
                try expect(.rightParenthesis)
            } else {
                select.distinct = .rows
            }
        } else {
            _ = take(.all)
        }
        repeat {
            // A comma before FROM or the end is allowed, as in DuckDB.
            if !select.items.isEmpty && (at(.from) || peek.kind == .end || at(.rightParenthesis)) { break }
            select.items.append(try parseItem())
        } while take(.comma)
        try parseClauses(&select)
        return select
    }

    private mutating func parseItem() throws(MartletError) -> SelectSyntax.Item {
        let start = Int(peek.start)
        let expression = try parseExpression()
        let end = Int(tokens[position - 1].end)
        var alias: Name?
        if take(.as) {
            // After AS any word is a name.
            if peek.kind == .word || peek.kind == .quotedWord {
                alias = name(peek)
                advance()
            } else {
                alias = try parseName("a column's name")
            }
        } else if isName(peek), !isClauseStart(peek) {
            alias = try parseName("a column's name")
        }
        return .init(expression: expression, alias: alias, start: start, end: end)
    }

    /// Words that are free as names yet start something after a select item or a relation.
    private func isClauseStart(_ token: Token) -> Bool {
        guard token.kind == .word else { return false }
        if stopsAtStreamClauses, Self.streamClauses.contains(text(token).uppercased()) { return true }
        return token.keyword == .fill && ahead(1).sign == .leftParenthesis
    }

    private mutating func parseClauses(_ select: inout SelectSyntax) throws(MartletError) {
        if take(.from) { select.from = try parseRelations() }
        if take(.where) { select.filter = try parseExpression() }
        if take(.group) {
            try expect(.by)
            if take(.all) { select.groupsByAll = true } else { select.groupBy = try parseExpressions() }
        }
        if at(.fill) && ahead(1).sign == .leftParenthesis { select.fill = try parseFill() }
        if take(.having) { select.having = try parseExpression() }
        if take(.window) {
            repeat {
                let name = try parseName("a window's name")
                try expect(.as)
                try expect(.leftParenthesis)
                select.windows.append(.init(name: name, window: try parseWindow()))
            } while take(.comma)
        }
        if take(.qualify) { select.qualify = try parseExpression() }
    }

    private mutating func parseFill() throws(MartletError) -> [FillSyntax] {
        advance()
        try expect(.leftParenthesis)
        var modes: [FillSyntax] = []
        repeat {
            let offset = Int(peek.start)
            if take(.null) {
                modes.append(FillSyntax(mode: .null, offset: offset))
            } else if take(.previous) {
                modes.append(FillSyntax(mode: .previous, offset: offset))
            } else if take(.linear) {
                modes.append(FillSyntax(mode: .linear, offset: offset))
            } else {
                modes.append(FillSyntax(mode: .value(try parseExpression()), offset: offset))
            }
        } while take(.comma)
        try expect(.rightParenthesis)
        return modes
    }

    // MARK: FROM

    private mutating func parseRelations() throws(MartletError) -> RelationSyntax {
        var relation = try parseJoins()
        while at(.comma) {
            let offset = Int(peek.start)
            advance()
            let right = try parseJoins()
            relation = .join(
                JoinSyntax(kind: .cross, isAsOf: false, left: relation, right: right, condition: .none, offset: offset))
        }
        return relation
    }

    private mutating func parseJoins() throws(MartletError) -> RelationSyntax {
        try nested { (parser) throws(MartletError) in
            var left = try parser.parseRelation()
            var links = 0
            while let join = try parser.parseJoin(left) {
                left = .join(join)
                links += 1
                if links > 64 {
                    throw parser.source.error(.outOfRange, "more than 64 joins in one FROM", at: join.offset)
                }
            }
            return left
        }
    }

    private mutating func parseJoin(_ left: RelationSyntax) throws(MartletError) -> JoinSyntax? {
        let offset = Int(peek.start)
        if at(.natural) {
            throw source.error(.unsupported, "NATURAL JOIN is not supported", at: offset, hint: "use USING")
        }
        if at(.cross, .join) {
            advance()
            advance()
            let right = try parseRelation()
            return JoinSyntax(kind: .cross, isAsOf: false, left: left, right: right, condition: .none, offset: offset)
        }
        let isAsOf = take(.asof)
        var kind = JoinSyntax.Kind.inner
        if take(.inner) {
            kind = .inner
        } else if at(.left) || at(.right) || at(.full) {
            kind = at(.left) ? .left : at(.right) ? .right : .full
            advance()
            _ = take(.outer)
        } else if !at(.join) {
            if isAsOf { throw unexpected("JOIN") }
            return nil
        }
        try expect(.join)
        let right = try parseRelation()
        var condition = JoinSyntax.Condition.none
        if take(.on) {
            condition = .on(try parseExpression())
        } else if take(.using) {
            try expect(.leftParenthesis)
            condition = .using(try parseNames("a column's name"))
            try expect(.rightParenthesis)
        } else {
            throw unexpected("ON or USING", hint: "a join without a condition is CROSS JOIN")
        }
        return JoinSyntax(kind: kind, isAsOf: isAsOf, left: left, right: right, condition: condition, offset: offset)
    }

    private mutating func parseRelation() throws(MartletError) -> RelationSyntax {
        if at(.leftParenthesis) {
            let next = ahead(1)
            if next.keyword == .select || next.keyword == .with || next.keyword == .values || next.keyword == .from
                || next.sign == .leftParenthesis
            {
                return try nested { (parser) throws(MartletError) in
                    parser.advance()
                    let query = try parser.parseQuery()
                    try parser.expect(.rightParenthesis)
                    return .query(query, alias: try parser.parseAlias())
                }
            }
            advance()
            let inner = try parseRelations()
            try expect(.rightParenthesis)
            return inner
        }
        if at(.values) {
            let offset = Int(peek.start)
            let rows = try parseValues()
            return .query(QuerySyntax(body: .values(rows), offset: offset), alias: try parseAlias())
        }
        let first = try parseName("a table's name")
        if at(.leftParenthesis) {
            advance()
            let arguments = at(.rightParenthesis) ? [] : try parseExpressions()
            try expect(.rightParenthesis)
            return .function(first, arguments, alias: try parseAlias())
        }
        var parts = [first]
        while take(.dot) { parts.append(try parseName("a table's name")) }
        return .table(parts, alias: try parseAlias())
    }

    private mutating func parseAlias() throws(MartletError) -> AliasSyntax? {
        var name: Name?
        if take(.as) {
            name = try parseName("an alias")
        } else if isName(peek), !isClauseStart(peek) {
            name = try parseName("an alias")
        }
        guard let name else { return nil }
        var columns: [Name] = []
        if take(.leftParenthesis) {
            columns = try parseNames("a column's name")
            try expect(.rightParenthesis)
        }
        return AliasSyntax(name: name, columns: columns)
    }
}
