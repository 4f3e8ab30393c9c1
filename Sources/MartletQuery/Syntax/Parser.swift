import MartletModel

/// Reads statements: a recursive descent with precedence climbing, no generated tables.
///
/// The grammar is PostgreSQL's with DuckDB's additions; docs/sql.md lists it. Every error points at the token that
/// stopped the parser.
struct Parser {
    /// Nesting that a statement may have: parentheses, subqueries, CASE, operators in a chain.
    static let maximumDepth = 128
    /// Links that a chain of one operator (`a + b + c`, `UNION`, `JOIN`) may have.
    static let maximumChain = 256
    /// The longest statement, in bytes.
    static let maximumLength = 16 << 20

    let source: SourceText
    let tokens: [Token]
    var position = 0
    var depth = 0
    /// `?` parameters seen so far.
    var anonymousParameters = 0
    /// The number of parameters that the statement names.
    var parameterCount = 0
    /// Whether the words that follow a standing query end a relation instead of naming it.
    var stopsAtStreamClauses = false

    /// Cuts `source` into tokens.
    init(_ source: SourceText) throws(MartletError) {
        if source.bytes.count > Self.maximumLength {
            throw MartletError(
                .outOfRange, "a statement of \(source.bytes.count) bytes; the limit is \(Self.maximumLength)",
                at: source.location(0), hint: "send rows as a batch or as line protocol")
        }
        self.source = source
        tokens = try Lexer.tokens(of: source)
    }

    /// The one statement of `source`, which may end with a semicolon.
    static func statement(in source: SourceText) throws(MartletError) -> (StatementSyntax, parameters: Int) {
        var parser = try Parser(source)
        if parser.tokens.count == 1 { throw source.error(.syntax, "the statement is empty", at: 0) }
        let statement = try parser.parseStatement()
        let semicolon = parser.peek
        if parser.take(.semicolon) {
            while parser.take(.semicolon) {}
            if parser.peek.kind != .end {
                throw source.error(
                    .syntax, "a second statement follows", at: Int(parser.peek.start),
                    hint: "send one statement at a time; the first ends at byte \(semicolon.start)")
            }
        }
        if parser.peek.kind != .end { throw parser.unexpected("the end of the statement") }
        return (statement, parser.parameterCount)
    }

    // MARK: Tokens

    var peek: Token { tokens[position] }

    func ahead(_ distance: Int) -> Token { tokens[min(position + distance, tokens.count - 1)] }

    mutating func advance() { if position < tokens.count - 1 { position += 1 } }

    func at(_ keyword: Keyword) -> Bool { peek.keyword == keyword && peek.kind == .word }

    func at(_ sign: Sign) -> Bool { peek.kind == .sign && peek.sign == sign }

    func at(_ first: Keyword, _ second: Keyword) -> Bool { at(first) && ahead(1).keyword == second }

    mutating func take(_ keyword: Keyword) -> Bool {
        if at(keyword) {
            advance()
            return true
        }
        return false
    }

    mutating func take(_ sign: Sign) -> Bool {
        if at(sign) {
            advance()
            return true
        }
        return false
    }

    mutating func expect(_ keyword: Keyword) throws(MartletError) {
        if !take(keyword) { throw unexpected(keyword.spelling) }
    }

    mutating func expect(_ sign: Sign) throws(MartletError) {
        if !take(sign) { throw unexpected("'\(sign.text)'") }
    }

    func text(_ token: Token) -> String { source.text(Int(token.start), Int(token.end)) }

    /// How messages name the token that stands next.
    var describedToken: String {
        let token = peek
        switch token.kind {
        case .end: return "the end of the statement"
        case .word where token.keyword.isReserved: return "the keyword \(token.keyword.spelling)"
        default:
            let text = text(token)
            return text.utf8.count > 40 ? "'\(text.prefix(40))...'" : "'\(text)'"
        }
    }

    func unexpected(_ wanted: String, hint: String? = nil) -> MartletError {
        source.error(.syntax, "expected \(wanted), found \(describedToken)", at: Int(peek.start), hint: hint)
    }

    mutating func nested<Result>(
        _ body: (inout Parser) throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth {
            throw source.error(
                .outOfRange, "the statement nests more than \(Self.maximumDepth) levels deep", at: Int(peek.start))
        }
        return try body(&self)
    }

    // MARK: Names

    /// Whether a name may start at `token`.
    func isName(_ token: Token) -> Bool {
        token.kind == .quotedWord || (token.kind == .word && !token.keyword.isReserved)
    }

    mutating func parseName(_ wanted: String) throws(MartletError) -> Name {
        let token = peek
        guard isName(token) else {
            let hint =
                token.kind == .word
                ? "write \"\(text(token))\" in double quotes to use it as a name"
                : token.kind == .string ? "names take double quotes, strings single ones" : nil
            throw unexpected(wanted, hint: hint)
        }
        advance()
        return name(token)
    }

    func name(_ token: Token) -> Name {
        if token.kind == .quotedWord {
            return Name(
                text: unquoted(token, quote: 0x22, escapes: false, prefix: 1), isQuoted: true, offset: Int(token.start))
        }
        return Name(text: text(token), isQuoted: false, offset: Int(token.start))
    }

    mutating func parseNames(_ wanted: String) throws(MartletError) -> [Name] {
        var names = [try parseName(wanted)]
        while take(.comma) { names.append(try parseName(wanted)) }
        return names
    }

    mutating func parseTableName() throws(MartletError) -> TableNameSyntax {
        var parts = [try parseName("a table's name")]
        while take(.dot) { parts.append(try parseName("a table's name")) }
        if parts.count > 2 {
            throw source.error(.syntax, "a table's name has at most a namespace before it", at: parts[2].offset)
        }
        return TableNameSyntax(parts: parts)
    }

    // MARK: Literals

    /// The text of a quoted token; `prefix` bytes stand before the content, one quote after it.
    func unquoted(_ token: Token, quote: UInt8, escapes: Bool, prefix: Int) -> String {
        let content = source.bytes[Int(token.start) + prefix..<Int(token.end) - 1]
        if !content.contains(quote) && !(escapes && content.contains(0x5c)) {
            return String(decoding: content, as: UTF8.self)
        }
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        var index = content.startIndex
        while index < content.endIndex {
            let byte = content[index]
            index += 1
            if byte == quote {
                index += 1
                text.append(quote)
            } else if escapes && byte == 0x5c && index < content.endIndex {
                let escape = content[index]
                index += 1
                switch escape {
                case 0x6e: text.append(0x0a)
                case 0x74: text.append(0x09)
                case 0x72: text.append(0x0d)
                default: text.append(escape)
                }
            } else {
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The string that stands next, if one does.
    mutating func takeString() -> String? {
        let token = peek
        switch token.kind {
        case .string:
            advance()
            return unquoted(token, quote: 0x27, escapes: false, prefix: 1)
        case .escapeString:
            advance()
            return unquoted(token, quote: 0x27, escapes: true, prefix: 2)
        default: return nil
        }
    }

    /// The value of a number token: BIGINT where it fits, else UBIGINT, else DOUBLE.
    func number(_ token: Token) throws(MartletError) -> FieldValue {
        var text = text(token)
        if text.utf8.contains(0x5f) { text.removeAll { $0 == "_" } }
        if text.hasPrefix("0x") || text.hasPrefix("0X") {
            guard let bits = UInt64(text.dropFirst(2), radix: 16) else {
                throw source.error(.outOfRange, "\(text) has more than 64 bits", at: Int(token.start))
            }
            return bits <= UInt64(Int64.max) ? .int64(Int64(bits)) : .uint64(bits)
        }
        if let integer = Int64(text) { return .int64(integer) }
        if let integer = UInt64(text) { return .uint64(integer) }
        if text.hasSuffix(".") { text.removeLast() }
        guard let number = Double(text), number.isFinite else {
            throw source.error(.outOfRange, "\(text) is beyond the range of DOUBLE", at: Int(token.start))
        }
        return .float64(number)
    }
}
