import MartletModel

/// Cuts SQL text into tokens. Comments (`-- ...` and nested `/* ... */`) and white space fall out here.
struct Lexer {
    private let source: SourceText
    private let bytes: UnsafeBufferPointer<UInt8>
    private var offset = 0
    private var tokens: [Token] = []

    /// The tokens of `source`, closed by one of kind `.end`.
    ///
    /// - Throws: `.syntax` for a character that starts no token, and for unterminated quotes and comments.
    static func tokens(of source: SourceText) throws(MartletError) -> [Token] {
        var failure: MartletError?
        let tokens = source.bytes.withUnsafeBufferPointer { bytes -> [Token] in
            var lexer = Lexer(source: source, bytes: bytes)
            do throws(MartletError) { try lexer.run() } catch { failure = error }
            return lexer.tokens
        }
        if let failure { throw failure }
        return tokens
    }

    private init(source: SourceText, bytes: UnsafeBufferPointer<UInt8>) {
        self.source = source
        self.bytes = bytes
        tokens.reserveCapacity(bytes.count / 4 + 2)
    }

    private func byte(at index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }

    private mutating func run() throws(MartletError) {
        while true {
            try skipBlanks()
            if offset >= bytes.count { break }
            let start = offset
            let first = bytes[offset]
            if Self.startsWord(first) {
                if (first == 0x45 || first == 0x65) && byte(at: offset + 1) == 0x27 {
                    offset += 1
                    try quoted(0x27, escapes: true)
                    append(.escapeString, from: start)
                } else {
                    word()
                }
            } else if Self.isDigit(first) || (first == 0x2e && Self.isDigit(byte(at: offset + 1))) {
                try number()
            } else if first == 0x27 {
                try quoted(0x27, escapes: false)
                append(.string, from: start)
            } else if first == 0x22 {
                try quoted(0x22, escapes: false)
                if offset - start == 2 { throw source.error(.syntax, "a quoted name is empty", at: start) }
                append(.quotedWord, from: start)
            } else if first == 0x3f {
                offset += 1
                append(.parameter, from: start)
            } else if first == 0x24 && Self.isDigit(byte(at: offset + 1)) {
                offset += 1
                while Self.isDigit(byte(at: offset)) { offset += 1 }
                append(.parameter, from: start)
            } else {
                try sign()
            }
        }
        append(.end, from: offset)
    }

    private mutating func append(_ kind: Token.Kind, from start: Int, keyword: Keyword = .none, sign: Sign = .none) {
        tokens.append(
            Token(kind: kind, keyword: keyword, sign: sign, start: Int32(start), end: Int32(offset)))
    }

    private mutating func skipBlanks() throws(MartletError) {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0a, 0x0d, 0x0b, 0x0c: offset += 1
            case 0x2d where byte(at: offset + 1) == 0x2d:
                while offset < bytes.count && bytes[offset] != 0x0a { offset += 1 }
            case 0x2f where byte(at: offset + 1) == 0x2a: try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(MartletError) {
        let start = offset
        var depth = 0
        repeat {
            if offset >= bytes.count { throw source.error(.syntax, "a comment is not closed with */", at: start) }
            if bytes[offset] == 0x2f && byte(at: offset + 1) == 0x2a {
                depth += 1
                offset += 2
            } else if bytes[offset] == 0x2a && byte(at: offset + 1) == 0x2f {
                depth -= 1
                offset += 2
            } else {
                offset += 1
            }
        } while depth > 0
    }

    private mutating func word() {
        let start = offset
        while offset < bytes.count && Self.continuesWord(bytes[offset]) { offset += 1 }
        append(.word, from: start, keyword: Keyword.of(UnsafeBufferPointer(rebasing: bytes[start..<offset])))
    }

    private mutating func number() throws(MartletError) {
        let start = offset
        if bytes[offset] == 0x30 && byte(at: offset + 1) | 0x20 == 0x78 {
            offset += 2
            while Self.isHexDigit(byte(at: offset)) { offset += 1 }
            if offset == start + 2 { throw source.error(.syntax, "0x without digits", at: start) }
        } else {
            while Self.isDigit(byte(at: offset)) || (byte(at: offset) == 0x5f && Self.isDigit(byte(at: offset + 1))) {
                offset += 1
            }
            if byte(at: offset) == 0x2e {
                offset += 1
                while Self.isDigit(byte(at: offset)) { offset += 1 }
            }
            if byte(at: offset) | 0x20 == 0x65 {
                var ahead = offset + 1
                if byte(at: ahead) == 0x2b || byte(at: ahead) == 0x2d { ahead += 1 }
                if Self.isDigit(byte(at: ahead)) {
                    offset = ahead
                    while Self.isDigit(byte(at: offset)) { offset += 1 }
                }
            }
        }
        if Self.startsWord(byte(at: offset)) {
            throw source.error(
                .syntax, "a number runs into a word", at: offset, hint: "put a space between them, or quote the name")
        }
        append(.number, from: start)
    }

    private mutating func quoted(_ quote: UInt8, escapes: Bool) throws(MartletError) {
        let start = offset
        offset += 1
        while true {
            if offset >= bytes.count {
                throw source.error(
                    .syntax, quote == 0x27 ? "a string is not closed" : "a quoted name is not closed", at: start)
            }
            if escapes && bytes[offset] == 0x5c {
                offset += 2
            } else if bytes[offset] == quote {
                if byte(at: offset + 1) != quote { break }
                offset += 2
            } else {
                offset += 1
            }
        }
        offset += 1
    }

    private mutating func sign() throws(MartletError) {
        let start = offset
        let (sign, length) = try signAhead()
        offset += length
        append(.sign, from: start, sign: sign)
    }

    private func signAhead() throws(MartletError) -> (Sign, Int) {
        let second = byte(at: offset + 1)
        switch bytes[offset] {
        case 0x2c: return (.comma, 1)
        case 0x3b: return (.semicolon, 1)
        case 0x28: return (.leftParenthesis, 1)
        case 0x29: return (.rightParenthesis, 1)
        case 0x5b: return (.leftBracket, 1)
        case 0x5d: return (.rightBracket, 1)
        case 0x2e: return (.dot, 1)
        case 0x3a where second == 0x3a: return (.doubleColon, 2)
        case 0x2b: return (.plus, 1)
        case 0x2d: return (.minus, 1)
        case 0x2a: return second == 0x2a ? (.caret, 2) : (.star, 1)
        case 0x2f: return second == 0x2f ? (.doubleSlash, 2) : (.slash, 1)
        case 0x25: return (.percent, 1)
        case 0x5e: return (.caret, 1)
        case 0x7c: return second == 0x7c ? (.concat, 2) : (.bitOr, 1)
        case 0x26: return (.bitAnd, 1)
        case 0x3d: return second == 0x3d ? (.equal, 2) : (.equal, 1)
        case 0x3c:
            if second == 0x3d { return (.lessOrEqual, 2) }
            if second == 0x3c { return (.shiftLeft, 2) }
            return second == 0x3e ? (.notEqual, 2) : (.less, 1)
        case 0x3e:
            if second == 0x3e { return (.shiftRight, 2) }
            return second == 0x3d ? (.greaterOrEqual, 2) : (.greater, 1)
        case 0x7e: return second == 0x2a ? (.matchesInsensitive, 2) : (.matches, 1)
        case 0x21:
            if second == 0x3d { return (.notEqual, 2) }
            if second == 0x7e { return byte(at: offset + 2) == 0x2a ? (.notMatchesInsensitive, 3) : (.notMatches, 2) }
        default: break
        }
        throw source.error(.syntax, "unexpected character \(described(bytes[offset]))", at: offset)
    }

    private func described(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7f ? "'\(Character(UnicodeScalar(byte)))'" : "of code \(byte)"
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66)
    }

    private static func startsWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == 0x5f || byte >= 0x80
    }

    private static func continuesWord(_ byte: UInt8) -> Bool { startsWord(byte) || isDigit(byte) || byte == 0x24 }
}
