/// A word, literal or sign of SQL text.
struct Token: BitwiseCopyable {
    enum Kind: UInt8, BitwiseCopyable {
        /// A bare word: keyword or identifier.
        case word
        /// A double-quoted identifier.
        case quotedWord
        /// A single-quoted string.
        case string
        /// An escape string, `E'...'`.
        case escapeString
        /// Digits, with or without a point and an exponent.
        case number
        /// `$1` or `?`.
        case parameter
        /// An operator or punctuation.
        case sign
        /// The end of the text.
        case end
    }

    var kind: Kind
    /// The keyword that a bare word spells, if any.
    var keyword: Keyword
    /// The operator or punctuation of a `.sign`.
    var sign: Sign
    /// Offsets of the text in UTF-8 bytes.
    var start: Int32
    var end: Int32
}

/// Operators and punctuation.
enum Sign: UInt8, BitwiseCopyable {
    case none
    case comma, semicolon, leftParenthesis, rightParenthesis, leftBracket, rightBracket, dot, doubleColon
    case plus, minus, star, slash, doubleSlash, percent, caret, concat
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    case matches, matchesInsensitive, notMatches, notMatchesInsensitive
    case bitAnd, bitOr, shiftLeft, shiftRight

    /// The text of the sign as it is registered as a function and printed in messages.
    var text: String {
        switch self {
        case .none: ""
        case .comma: ","
        case .semicolon: ";"
        case .leftParenthesis: "("
        case .rightParenthesis: ")"
        case .leftBracket: "["
        case .rightBracket: "]"
        case .dot: "."
        case .doubleColon: "::"
        case .plus: "+"
        case .minus: "-"
        case .star: "*"
        case .slash: "/"
        case .doubleSlash: "//"
        case .percent: "%"
        case .caret: "^"
        case .concat: "||"
        case .equal: "="
        case .notEqual: "<>"
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .matches: "~"
        case .bitAnd: "&"
        case .bitOr: "|"
        case .shiftLeft: "<<"
        case .shiftRight: ">>"
        case .matchesInsensitive: "~*"
        case .notMatches: "!~"
        case .notMatchesInsensitive: "!~*"
        }
    }
}
