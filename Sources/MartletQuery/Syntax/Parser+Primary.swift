import MartletModel

extension Parser {
    /// An operand: literal, name, call, CASE, CAST, parenthesis, subquery.
    mutating func parsePrimary() throws(MartletError) -> ExpressionSyntax {
        let token = peek
        let offset = Int(token.start)
        switch token.kind {
        case .number:
            let value = try number(token)
            advance()
            return ExpressionSyntax(kind: .literal(value), offset: offset)
        case .string, .escapeString:
            return ExpressionSyntax(kind: .literal(.string(takeString() ?? "")), offset: offset)
        case .parameter: return try parseParameter()
        case .quotedWord: return try parseNamed()
        case .word: return try parseWord()
        case .sign where token.sign == .leftParenthesis:
            advance()
            if at(.select) || at(.with) || at(.values) {
                let query = try nested { (parser) throws(MartletError) in try parser.parseQuery() }
                try expect(.rightParenthesis)
                return ExpressionSyntax(kind: .scalarQuery(query), offset: offset)
            }
            let inner = try parseExpression()
            if at(.comma) { throw unexpected("')'", hint: "row values are not supported") }
            try expect(.rightParenthesis)
            return inner
        case .sign where token.sign == .star:
            advance()
            return ExpressionSyntax(kind: .star(qualifier: nil, excluding: try parseExclude()), offset: offset)
        case .sign, .end: throw unexpected("an expression")
        }
    }

    private mutating func parseExclude() throws(MartletError) -> [Name] {
        guard take(.exclude) else { return [] }
        if take(.leftParenthesis) {
            let names = try parseNames("a column's name")
            try expect(.rightParenthesis)
            return names
        }
        return [try parseName("a column's name")]
    }

    private mutating func parseParameter() throws(MartletError) -> ExpressionSyntax {
        let token = peek
        let number: Int
        if text(token) == "?" {
            number = anonymousParameters
            anonymousParameters += 1
        } else {
            guard let written = Int(text(token).dropFirst()), written >= 1, written <= 65_535 else {
                throw source.error(.outOfRange, "parameters are numbered from $1 to $65535", at: Int(token.start))
            }
            number = written - 1
        }
        parameterCount = max(parameterCount, number + 1)
        advance()
        return ExpressionSyntax(kind: .parameter(number), offset: Int(token.start))
    }

    private mutating func parseWord() throws(MartletError) -> ExpressionSyntax {
        let token = peek
        let offset = Int(token.start)
        switch token.keyword {
        case .null: return literal(nil)
        case .true: return literal(.bool(true))
        case .false: return literal(.bool(false))
        case .case: return try parseCase()
        case .cast, .try_cast:
            advance()
            try expect(.leftParenthesis)
            let operand = try parseExpression()
            try expect(.as)
            let type = try parseType()
            try expect(.rightParenthesis)
            return ExpressionSyntax(kind: .cast(operand, type, isTry: token.keyword == .try_cast), offset: offset)
        case .exists where ahead(1).sign == .leftParenthesis:
            advance()
            advance()
            let query = try nested { (parser) throws(MartletError) in try parser.parseQuery() }
            try expect(.rightParenthesis)
            return ExpressionSyntax(kind: .exists(query), offset: offset)
        case .interval: if let interval = try parseInterval() { return interval }
        case .current_timestamp: return niladic("now")
        case .current_date: return niladic("today")
        case .extract where ahead(1).sign == .leftParenthesis: return try parseExtract()
        case .substring where ahead(1).sign == .leftParenthesis: return try parseSubstring()
        case .trim where ahead(1).sign == .leftParenthesis: return try parseTrim()
        case .position where ahead(1).sign == .leftParenthesis: return try parsePosition()
        case .left, .right:
            // Functions of these names, though the words are reserved for joins.
            if ahead(1).kind == .sign && ahead(1).sign == .leftParenthesis {
                advance()
                return try parseCall(name(token))
            }
        default: break
        }
        if token.keyword.isReserved { throw unexpected("an expression") }
        // A type's name before a string is a literal of the type.
        if ahead(1).kind == .string, token.keyword != .none || Self.types[text(token).lowercased()] != nil,
            Self.types[text(token).lowercased()] != nil
        {
            let type = try parseType()
            let at = Int(peek.start)
            let text = ExpressionSyntax(kind: .literal(.string(takeString() ?? "")), offset: at)
            return ExpressionSyntax(kind: .cast(text, type, isTry: false), offset: at)
        }
        if token.keyword == .timestamp, ahead(1).keyword == .with || ahead(1).keyword == .without,
            ahead(2).keyword == .time
        {
            let type = try parseType()
            let at = Int(peek.start)
            guard let string = takeString() else { throw unexpected("a string") }
            let text = ExpressionSyntax(kind: .literal(.string(string)), offset: at)
            return ExpressionSyntax(kind: .cast(text, type, isTry: false), offset: at)
        }
        return try parseNamed()
    }

    private mutating func literal(_ value: FieldValue?) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        return ExpressionSyntax(kind: .literal(value), offset: offset)
    }

    private mutating func niladic(_ function: String) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        if at(.leftParenthesis), ahead(1).sign == .rightParenthesis {
            advance()
            advance()
        }
        return call(function, [], at: offset)
    }

    private func call(_ function: String, _ arguments: [ExpressionSyntax], at offset: Int) -> ExpressionSyntax {
        let name = Name(text: function, isQuoted: false, offset: offset)
        return ExpressionSyntax(kind: .call(CallSyntax(name: name, arguments: arguments)), offset: offset)
    }

    private mutating func parseNamed() throws(MartletError) -> ExpressionSyntax {
        var parts = [try parseName("a name")]
        if at(.leftParenthesis) { return try parseCall(parts[0]) }
        while take(.dot) {
            if at(.star) {
                advance()
                return ExpressionSyntax(
                    kind: .star(qualifier: parts.last, excluding: try parseExclude()), offset: parts[0].offset)
            }
            // After a dot, any word is a name.
            let token = peek
            guard token.kind == .word || token.kind == .quotedWord else { throw unexpected("a column's name") }
            advance()
            parts.append(name(token))
            if parts.count > 3 { throw source.error(.syntax, "a name has too many parts", at: Int(token.start)) }
        }
        return ExpressionSyntax(kind: .column(parts), offset: parts[0].offset)
    }

    // MARK: Special forms

    private mutating func parseCase() throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        try expect(.case)
        let operand = at(.when) ? nil : try parseExpression()
        var branches: [(when: ExpressionSyntax, then: ExpressionSyntax)] = []
        while take(.when) {
            let when = try parseExpression()
            try expect(.then)
            branches.append((when, try parseExpression()))
        }
        if branches.isEmpty { throw unexpected("WHEN") }
        let otherwise = take(.else) ? try parseExpression() : nil
        try expect(.end)
        return ExpressionSyntax(
            kind: .caseWhen(operand: operand, branches: branches, otherwise: otherwise), offset: offset)
    }

    private mutating func parseInterval() throws(MartletError) -> ExpressionSyntax? {
        let next = ahead(1)
        let offset = Int(peek.start)
        let type = TypeSyntax(type: .interval, isDate: false, offset: offset)
        if next.kind == .string || next.kind == .number {
            advance()
            let at = Int(peek.start)
            var written = ""
            if let string = takeString() {
                written = string
            } else {
                written = text(peek)
                advance()
                guard peek.kind == .word, Self.isUnit(text(peek)) else { throw unexpected("a unit of time") }
            }
            // INTERVAL '5' MINUTE, INTERVAL 5 MINUTE
            if peek.kind == .word, Self.isUnit(text(peek)) {
                written += " " + text(peek)
                advance()
            }
            let string = ExpressionSyntax(kind: .literal(.string(written)), offset: at)
            return ExpressionSyntax(kind: .cast(string, type, isTry: false), offset: at)
        }
        if next.kind == .sign && next.sign == .leftParenthesis {
            advance()
            advance()
            let count = try parseExpression()
            try expect(.rightParenthesis)
            guard peek.kind == .word, Self.isUnit(text(peek)) else { throw unexpected("a unit of time") }
            var unit = text(peek).lowercased()
            if unit.hasSuffix("s") { unit.removeLast() }
            advance()
            if unit == "week" || unit == "day" || unit == "hour" || unit == "minute" || unit == "second"
                || unit == "month" || unit == "year" || unit == "millisecond" || unit == "microsecond"
            {
                return call("to_\(unit)s", [count], at: offset)
            }
            throw source.error(.semantic, "INTERVAL (expression) does not take the unit '\(unit)'", at: offset)
        }
        return nil
    }

    static func isUnit(_ word: String) -> Bool {
        var unit = word.lowercased()
        if unit.hasSuffix("s") && unit.utf8.count > 2 { unit.removeLast() }
        switch unit {
        case "nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter",
            "year", "decade", "century":
            return true
        default: return false
        }
    }

    private mutating func parseExtract() throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        try expect(.leftParenthesis)
        let at = Int(peek.start)
        let part: String
        if let string = takeString() {
            part = string
        } else {
            guard peek.kind == .word else { throw unexpected("a date part") }
            part = text(peek)
            advance()
        }
        try expect(.from)
        let operand = try parseExpression()
        try expect(.rightParenthesis)
        return call("date_part", [ExpressionSyntax(kind: .literal(.string(part)), offset: at), operand], at: offset)
    }

    private mutating func parseSubstring() throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        try expect(.leftParenthesis)
        var arguments = [try parseExpression()]
        if take(.from) {
            arguments.append(try parseExpression())
            if take(.for) { arguments.append(try parseExpression()) }
        } else {
            while take(.comma) { arguments.append(try parseExpression()) }
        }
        try expect(.rightParenthesis)
        return call("substring", arguments, at: offset)
    }

    private mutating func parseTrim() throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        try expect(.leftParenthesis)
        var function = "trim"
        if take(.leading) {
            function = "ltrim"
        } else if take(.trailing) {
            function = "rtrim"
        } else {
            _ = take(.both)
        }
        var arguments: [ExpressionSyntax] = []
        if !at(.from) { arguments.append(try parseExpression()) }
        if take(.from) {
            arguments.insert(try parseExpression(), at: 0)
        } else {
            while take(.comma) { arguments.append(try parseExpression()) }
        }
        try expect(.rightParenthesis)
        return call(function, arguments, at: offset)
    }

    private mutating func parsePosition() throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        advance()
        try expect(.leftParenthesis)
        let needle = try parseExpression(.other)
        if take(.comma) {
            let second = try parseExpression()
            try expect(.rightParenthesis)
            return call("position", [needle, second], at: offset)
        }
        try expect(.in)
        let hay = try parseExpression()
        try expect(.rightParenthesis)
        return call("strpos", [hay, needle], at: offset)
    }
}
