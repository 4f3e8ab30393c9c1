/// Names and texts as they stand in a statement.
package enum SQLText {
    /// A name between double quotes.
    package static func name(_ text: String) -> String { enclosed(text, by: "\"") }

    /// A text between single quotes.
    package static func literal(_ text: String) -> String { enclosed(text, by: "'") }

    private static func enclosed(_ text: String, by quote: Character) -> String {
        let parts = text.split(separator: quote, omittingEmptySubsequences: false)
        return "\(quote)" + parts.joined(separator: "\(quote)\(quote)") + "\(quote)"
    }
}
