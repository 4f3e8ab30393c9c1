import Martlet
import MartletModel

/// Errors of statements as people read them: the message, the place in the text with a mark under it, the hint.
enum ErrorText {
    static func describe(_ error: MartletError, in sql: String) -> String {
        var text = "error: "
        if case .statement(let offset, let line, let column)? = error.location {
            text += "line \(line), column \(column): \(error.message)\n"
            text += excerpt(of: sql, offset: offset, line: line)
        } else {
            text += MartletError(error.code, error.message, at: error.location).description + "\n"
        }
        if let hint = error.hint { text += "hint: \(hint)\n" }
        return text
    }

    /// The line that holds the byte at `offset`, cut around it, and a mark below it.
    private static func excerpt(of sql: String, offset: Int, line: Int) -> String {
        let bytes = Array(sql.utf8)
        guard offset >= 0, offset <= bytes.count else { return "" }
        let start = bytes[..<offset].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let end = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        var before = DisplayWidth.printable(String(decoding: bytes[start..<offset], as: UTF8.self))
        let after = DisplayWidth.printable(String(decoding: bytes[offset..<end], as: UTF8.self))
        if before.count > 60 { before = "…" + before.suffix(59) }
        let shownAfter = DisplayWidth.truncate(after, to: 40)
        let label = "\(line) | "
        let indent = String(repeating: " ", count: label.count + DisplayWidth.of(before))
        return "  \(label)\(before)\(shownAfter)\n  \(indent)^\n"
    }
}
