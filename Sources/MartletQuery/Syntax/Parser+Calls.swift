import MartletModel

extension Parser {
    /// A call of `name`, from its opening parenthesis on.
    mutating func parseCall(_ name: Name) throws(MartletError) -> ExpressionSyntax {
        try expect(.leftParenthesis)
        var call = CallSyntax(name: name, arguments: [])
        if at(.star) && ahead(1).sign == .rightParenthesis {
            advance()
            call.isStar = true
        } else if !at(.rightParenthesis) {
            if take(.distinct) { call.isDistinct = true } else { _ = take(.all) }
            call.arguments = try parseExpressions()
            if at(.order) { call.orderBy = try parseOrderBy() }
        }
        call.ignoresNulls = try parseNullTreatment()
        try expect(.rightParenthesis)
        if at(.within, .group) {
            advance()
            advance()
            try expect(.leftParenthesis)
            call.withinGroup = try parseOrderBy()
            try expect(.rightParenthesis)
        }
        if try parseNullTreatment() { call.ignoresNulls = true }
        if at(.filter) && ahead(1).sign == .leftParenthesis {
            advance()
            advance()
            _ = take(.where)
            call.filter = try parseExpression()
            try expect(.rightParenthesis)
        }
        if at(.over) {
            advance()
            if take(.leftParenthesis) {
                call.window = try parseWindow()
            } else {
                let base = try parseName("a window's name or '('")
                call.window = WindowSyntax(base: base, partition: [], order: [], frame: nil, offset: base.offset)
            }
        }
        return ExpressionSyntax(kind: .call(call), offset: name.offset)
    }

    /// IGNORE NULLS or RESPECT NULLS; `true` for the former.
    private mutating func parseNullTreatment() throws(MartletError) -> Bool {
        if at(.ignore, .nulls) || at(.respect, .nulls) {
            let ignores = at(.ignore)
            advance()
            advance()
            return ignores
        }
        return false
    }

    /// A window after its opening parenthesis, up to and with the closing one.
    mutating func parseWindow() throws(MartletError) -> WindowSyntax {
        var window = WindowSyntax(base: nil, partition: [], order: [], frame: nil, offset: Int(peek.start))
        if isName(peek), peek.kind == .quotedWord || ![.partition, .range, .rows, .groups].contains(peek.keyword) {
            window.base = try parseName("a window's name")
        }
        if take(.partition) {
            try expect(.by)
            window.partition = try parseExpressions()
        }
        if at(.order) { window.order = try parseOrderBy() }
        if at(.rows) || at(.range) || at(.groups) { window.frame = try parseFrame() }
        try expect(.rightParenthesis)
        return window
    }

    private mutating func parseFrame() throws(MartletError) -> FrameSyntax {
        let offset = Int(peek.start)
        let unit: FrameSyntax.Unit = at(.rows) ? .rows : at(.range) ? .range : .groups
        advance()
        let start: FrameSyntax.Bound
        var end = FrameSyntax.Bound.currentRow
        if take(.between) {
            start = try parseFrameBound()
            try expect(.and)
            end = try parseFrameBound()
        } else {
            start = try parseFrameBound()
        }
        if at(.exclude) {
            throw source.error(.unsupported, "EXCLUDE in a frame is not supported", at: Int(peek.start))
        }
        if case .unboundedFollowing = start {
            throw source.error(.syntax, "a frame cannot start at UNBOUNDED FOLLOWING", at: offset)
        }
        if case .unboundedPreceding = end {
            throw source.error(.syntax, "a frame cannot end at UNBOUNDED PRECEDING", at: offset)
        }
        return FrameSyntax(unit: unit, start: start, end: end, offset: offset)
    }

    private mutating func parseFrameBound() throws(MartletError) -> FrameSyntax.Bound {
        if take(.unbounded) {
            if take(.preceding) { return .unboundedPreceding }
            if take(.following) { return .unboundedFollowing }
            throw unexpected("PRECEDING or FOLLOWING")
        }
        if at(.current, .row) {
            advance()
            advance()
            return .currentRow
        }
        let distance = try parseExpression(.other)
        if take(.preceding) { return .preceding(distance) }
        if take(.following) { return .following(distance) }
        throw unexpected("PRECEDING or FOLLOWING")
    }

    /// ORDER BY and its keys.
    mutating func parseOrderBy() throws(MartletError) -> [SortSyntax] {
        try expect(.order)
        try expect(.by)
        var keys = [try parseSortKey()]
        while take(.comma) { keys.append(try parseSortKey()) }
        return keys
    }

    private mutating func parseSortKey() throws(MartletError) -> SortSyntax {
        var key = SortSyntax(expression: try parseExpression(), isDescending: false, nullsFirst: nil)
        if take(.desc) { key.isDescending = true } else { _ = take(.asc) }
        if take(.nulls) {
            if take(.first) {
                key.nullsFirst = true
            } else {
                try expect(.last)
                key.nullsFirst = false
            }
        }
        return key
    }
}
