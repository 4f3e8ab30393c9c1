/// Cuts text into SQL statements at each `;` outside of quotes and comments.
enum StatementSplitter {
    /// A statement and where it begins in the text.
    struct Statement: Equatable {
        /// The statement without its `;` and the white space around it.
        var sql: String
        /// Whether a `;` ended it.
        var isEnded: Bool
    }

    /// The statements of `text`. Pieces of nothing but white space and comments are left out; the last statement may
    /// lack its `;`.
    static func split(_ text: String) -> [Statement] {
        let bytes = Array(text.utf8)
        var statements: [Statement] = []
        var start = 0
        var hasContent = false
        var index = 0
        func take(to end: Int, isEnded: Bool) {
            if hasContent {
                let sql = trimmed(bytes[start..<end])
                statements.append(Statement(sql: sql, isEnded: isEnded))
            }
            hasContent = false
        }
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                hasContent = true
                index = endOfQuote(bytes, index)
            case UInt8(ascii: "-") where next == UInt8(ascii: "-"):
                while index < bytes.count && bytes[index] != UInt8(ascii: "\n") { index += 1 }
            case UInt8(ascii: "/") where next == UInt8(ascii: "*"): index = endOfComment(bytes, index)
            case UInt8(ascii: ";"):
                take(to: index, isEnded: true)
                index += 1
                start = index
            default:
                if !isSpace(byte) { hasContent = true }
                index += 1
            }
        }
        take(to: bytes.count, isEnded: false)
        return statements
    }

    /// Whether `text` holds a statement that no `;` has ended yet, or an open quote or comment.
    static func isIncomplete(_ text: String) -> Bool { split(text).last.map { !$0.isEnded } ?? false }

    /// The index behind a quoted text; a doubled quote inside stands for itself.
    private static func endOfQuote(_ bytes: [UInt8], _ start: Int) -> Int {
        var index = start + 1
        while index < bytes.count {
            if bytes[index] == bytes[start] {
                guard index + 1 < bytes.count, bytes[index + 1] == bytes[start] else { return index + 1 }
                index += 1
            }
            index += 1
        }
        return index
    }

    /// The index behind a block comment; such comments nest, as in PostgreSQL.
    private static func endOfComment(_ bytes: [UInt8], _ start: Int) -> Int {
        var depth = 0
        var index = start
        while index + 1 < bytes.count {
            if bytes[index] == UInt8(ascii: "/") && bytes[index + 1] == UInt8(ascii: "*") {
                depth += 1
                index += 2
            } else if bytes[index] == UInt8(ascii: "*") && bytes[index + 1] == UInt8(ascii: "/") {
                depth -= 1
                index += 2
                if depth == 0 { return index }
            } else {
                index += 1
            }
        }
        return bytes.count
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}
