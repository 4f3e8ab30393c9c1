import MartletModel

/// SQL text, with the arithmetic from byte offsets to lines and columns that errors need.
struct SourceText: Sendable {
    let bytes: [UInt8]

    init(_ sql: String) { bytes = Array(sql.utf8) }

    /// The place of byte `offset`.
    func location(_ offset: Int) -> MartletError.Location {
        let offset = min(max(offset, 0), bytes.count)
        var line = 1
        var lineStart = 0
        for index in 0..<offset where bytes[index] == 0x0a {
            line += 1
            lineStart = index + 1
        }
        return .statement(offset: offset, line: line, column: offset - lineStart + 1)
    }

    /// An error at byte `offset`.
    func error(_ code: MartletError.Code, _ message: String, at offset: Int, hint: String? = nil) -> MartletError {
        MartletError(code, message, at: location(offset), hint: hint)
    }

    /// `error` with a place, where it has none of its own.
    func locate(_ error: MartletError, at offset: Int) -> MartletError {
        if error.location != nil { return error }
        return MartletError(error.code, error.message, at: location(offset), hint: error.hint)
    }

    /// The text between two offsets.
    func text(_ start: Int, _ end: Int) -> String { String(decoding: bytes[start..<end], as: UTF8.self) }
}

extension MartletError {
    /// The line of `sql` that the error points at, with a caret under the place, as two lines of text; `nil` when the
    /// error does not point into a statement.
    ///
    ///     SELECT hots FROM cpu
    ///            ^
    public func excerpt(of sql: String) -> String? {
        guard case .statement(let offset, _, let column) = location else { return nil }
        let bytes = Array(sql.utf8)
        guard offset <= bytes.count, column >= 1, offset - (column - 1) >= 0 else { return nil }
        let start = offset - (column - 1)
        var end = offset
        while end < bytes.count && bytes[end] != 0x0a && bytes[end] != 0x0d { end += 1 }
        let line = String(decoding: bytes[start..<end], as: UTF8.self)
        let before = String(decoding: bytes[start..<offset], as: UTF8.self)
        return Self.clip(line, before: before)
    }

    /// Keeps some 100 characters around the caret.
    private static func clip(_ line: String, before: String) -> String {
        let characters = Array(line)
        let caret = min(before.count, characters.count)
        let from = caret > 70 ? caret - 60 : 0
        let to = min(characters.count, from + 100)
        let head = from > 0 ? "..." : ""
        let tail = to < characters.count ? "..." : ""
        let padding = characters[from..<caret].map { $0 == "\t" ? "\t" : " " }.joined()
        return head + String(characters[from..<to]) + tail + "\n" + String(repeating: " ", count: head.count) + padding
            + "^"
    }
}
