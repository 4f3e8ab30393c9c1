import MartletModel

/// Binding strength of operators, weakest first, as PostgreSQL orders them.
enum Precedence: Int, Comparable {
    case or, and, not, `is`, comparison, membership, other, sum, product, power, sign, cast

    static func < (left: Precedence, right: Precedence) -> Bool { left.rawValue < right.rawValue }

    var next: Precedence { Precedence(rawValue: rawValue + 1) ?? .cast }
}

extension Parser {
    /// An expression whose operators bind at least as strongly as `floor`.
    mutating func parseExpression(_ floor: Precedence = .or) throws(MartletError) -> ExpressionSyntax {
        try nested { (parser) throws(MartletError) in
            var left = try parser.parsePrefix()
            var links = 0
            while let extended = try parser.parseSuffix(of: left, floor: floor) {
                left = extended
                links += 1
                if links > Self.maximumChain {
                    throw parser.source.error(
                        .outOfRange, "more than \(Self.maximumChain) operators in one chain", at: left.offset,
                        hint: "group them with parentheses, or use IN for a list of values")
                }
            }
            return left
        }
    }

    private mutating func parsePrefix() throws(MartletError) -> ExpressionSyntax {
        let start = Int(peek.start)
        if take(.not) {
            return ExpressionSyntax(kind: .not(try parseExpression(.is)), offset: start)
        }
        if at(.minus) || at(.plus) {
            let isMinus = at(.minus)
            advance()
            // A number right behind is part of the literal, so that the least BIGINT can be written.
            if isMinus, peek.kind == .number, !(ahead(1).kind == .sign && ahead(1).sign == .doubleColon) {
                let token = peek
                let value = try number(token)
                advance()
                return ExpressionSyntax(kind: .literal(negated(value)), offset: start)
            }
            let operand = try parseExpression(.sign)
            return isMinus ? ExpressionSyntax(kind: .operation("-", [operand]), offset: start) : operand
        }
        if at(.matches) {
            advance()
            return ExpressionSyntax(kind: .operation("~", [try parseExpression(.sign)]), offset: start)
        }
        return try parsePrimary()
    }

    private func negated(_ value: FieldValue) -> FieldValue {
        switch value {
        case .int64(let number): .int64(-number)
        case .uint64(let number):
            number == UInt64(Int64.max) + 1 ? .int64(.min) : .float64(-Double(number))
        case .float64(let number): .float64(-number)
        default: value
        }
    }

    /// `left` with the next operator and its right side, or `nil` when the next token binds more weakly than `floor`.
    private mutating func parseSuffix(
        of left: ExpressionSyntax, floor: Precedence
    ) throws(MartletError) -> ExpressionSyntax? {
        let token = peek
        let offset = Int(token.start)
        if token.kind == .sign {
            guard let (precedence, symbol) = Self.binary(token.sign), precedence >= floor else {
                if token.sign == .doubleColon {
                    advance()
                    let type = try parseType()
                    return ExpressionSyntax(kind: .cast(left, type, isTry: false), offset: offset)
                }
                return nil
            }
            advance()
            let right = try parseExpression(precedence.next)
            if precedence == .comparison, peek.kind == .sign, Self.binary(peek.sign)?.0 == .comparison {
                throw source.error(
                    .syntax, "comparisons cannot be chained", at: Int(peek.start), hint: "join two of them with AND")
            }
            return ExpressionSyntax(kind: .operation(symbol, [left, right]), offset: offset)
        }
        guard token.kind == .word, token.keyword != .none else { return nil }
        switch token.keyword {
        case .or where floor <= .or:
            var parts = [left]
            while take(.or) { parts.append(try parseExpression(.and)) }
            return ExpressionSyntax(kind: .or(parts), offset: offset)
        case .and where floor <= .and:
            var parts = [left]
            while take(.and) { parts.append(try parseExpression(.not)) }
            return ExpressionSyntax(kind: .and(parts), offset: offset)
        case .is where floor <= .is: return try parseIs(left)
        case .isnull where floor <= .is:
            advance()
            return ExpressionSyntax(kind: .isNull(left, negated: false), offset: offset)
        case .notnull where floor <= .is:
            advance()
            return ExpressionSyntax(kind: .isNull(left, negated: true), offset: offset)
        case .not where floor <= .membership:
            guard [.between, .in, .like, .ilike].contains(ahead(1).keyword) else { return nil }
            advance()
            return try parseMembership(left, negated: true, offset: offset)
        case .between, .in, .like, .ilike:
            guard floor <= .membership else { return nil }
            return try parseMembership(left, negated: false, offset: offset)
        case .at where ahead(1).keyword == .time && floor <= .cast:
            advance()
            advance()
            try expect(.zone)
            let zone = try parseExpression(.cast)
            let name = Name(text: "timezone", isQuoted: false, offset: offset)
            return ExpressionSyntax(kind: .call(CallSyntax(name: name, arguments: [zone, left])), offset: offset)
        default: return nil
        }
    }

    private static func binary(_ sign: Sign) -> (Precedence, String)? {
        switch sign {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: (.comparison, sign.text)
        case .concat, .matches, .matchesInsensitive, .notMatches, .notMatchesInsensitive, .bitAnd, .bitOr, .shiftLeft,
            .shiftRight:
            (.other, sign.text)
        case .plus, .minus: (.sum, sign.text)
        case .star, .slash, .doubleSlash, .percent: (.product, sign.text)
        case .caret: (.power, "^")
        default: nil
        }
    }

    private mutating func parseIs(_ left: ExpressionSyntax) throws(MartletError) -> ExpressionSyntax {
        let offset = Int(peek.start)
        try expect(.is)
        let negated = take(.not)
        if take(.null) || take(.unknown) {
            return ExpressionSyntax(kind: .isNull(left, negated: negated), offset: offset)
        }
        if take(.true) { return ExpressionSyntax(kind: .isTruth(left, true, negated: negated), offset: offset) }
        if take(.false) { return ExpressionSyntax(kind: .isTruth(left, false, negated: negated), offset: offset) }
        if take(.distinct) {
            try expect(.from)
            let right = try parseExpression(.comparison)
            return ExpressionSyntax(kind: .isDistinct(left, right, negated: negated), offset: offset)
        }
        throw unexpected("NULL, TRUE, FALSE or DISTINCT FROM after IS")
    }

    private mutating func parseMembership(
        _ left: ExpressionSyntax, negated: Bool, offset: Int
    ) throws(MartletError) -> ExpressionSyntax {
        if take(.between) {
            _ = take(.symmetric)
            let low = try parseExpression(.other)
            try expect(.and)
            let high = try parseExpression(.other)
            return ExpressionSyntax(kind: .between(left, low, high, negated: negated), offset: offset)
        }
        if at(.like) || at(.ilike) {
            let name = at(.like) ? "like" : "ilike"
            advance()
            var operands = [left, try parseExpression(.other)]
            if take(.escape) { operands.append(try parseExpression(.other)) }
            let like = ExpressionSyntax(kind: .operation(name, operands), offset: offset)
            return negated ? ExpressionSyntax(kind: .not(like), offset: offset) : like
        }
        try expect(.in)
        try expect(.leftParenthesis)
        if at(.select) || at(.with) || at(.values) {
            let query = try parseQuery()
            try expect(.rightParenthesis)
            return ExpressionSyntax(kind: .inQuery(left, query, negated: negated), offset: offset)
        }
        if at(.rightParenthesis) { throw unexpected("at least one value") }
        let list = try parseExpressions()
        try expect(.rightParenthesis)
        return ExpressionSyntax(kind: .inList(left, list, negated: negated), offset: offset)
    }

    mutating func parseExpressions() throws(MartletError) -> [ExpressionSyntax] {
        var list = [try parseExpression()]
        while take(.comma) { list.append(try parseExpression()) }
        return list
    }

    // MARK: Types

    mutating func parseType() throws(MartletError) -> TypeSyntax {
        let token = peek
        guard token.kind == .word || token.kind == .quotedWord else { throw unexpected("a type") }
        var word = name(token).text.lowercased()
        advance()
        if word == "double", peek.kind == .word, text(peek).lowercased() == "precision" { advance() }
        if word == "character", peek.kind == .word, text(peek).lowercased() == "varying" { advance() }
        if word == "unsigned", peek.kind == .word {
            word = "u" + text(peek).lowercased()
            advance()
        }
        guard let type = Self.types[word] else {
            throw source.error(
                .semantic, "there is no type '\(text(token))'", at: Int(token.start),
                hint: "types are DOUBLE, BIGINT, UBIGINT, BOOLEAN, VARCHAR, TIMESTAMP and INTERVAL")
        }
        if take(.leftParenthesis) {
            // VARCHAR(20), TIMESTAMP(9), DECIMAL(10, 2): lengths and precisions are read and have no effect.
            repeat {
                guard peek.kind == .number else { throw unexpected("a number") }
                advance()
            } while take(.comma)
            try expect(.rightParenthesis)
        }
        if type == .timestamp && (at(.with, .time) || at(.without, .time)) {
            advance()
            advance()
            try expect(.zone)
        }
        return TypeSyntax(type: type, isDate: word == "date", offset: Int(token.start))
    }

    static let types: [String: ColumnType] = [
        "double": .float64, "float": .float64, "float8": .float64, "float4": .float64, "real": .float64,
        "decimal": .float64, "numeric": .float64,
        "bigint": .int64, "int": .int64, "integer": .int64, "int8": .int64, "int4": .int64, "int2": .int64,
        "smallint": .int64, "tinyint": .int64, "long": .int64, "hugeint": .int64,
        "ubigint": .uint64, "uinteger": .uint64, "uint64": .uint64, "usmallint": .uint64, "utinyint": .uint64,
        "uint": .uint64, "int64": .int64, "int32": .int64,
        "boolean": .bool, "bool": .bool,
        "varchar": .string, "text": .string, "string": .string, "char": .string, "character": .string,
        "bpchar": .string,
        "timestamp": .timestamp, "timestamptz": .timestamp, "timestamp_ns": .timestamp, "timestamp_ms": .timestamp,
        "timestamp_s": .timestamp, "datetime": .timestamp, "date": .timestamp,
        "interval": .interval,
    ]
}
