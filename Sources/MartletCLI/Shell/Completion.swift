/// Completes words of SQL and of the shell's own commands.
struct Completion: Sendable {
    /// Tables and their columns.
    var tables: [String: [String]] = [:]
    /// Functions, lower case.
    var functions: [String] = []

    static let keywords = [
        "ALL", "ALTER", "ANALYZE", "AND", "AS", "ASC", "ASOF", "BETWEEN", "BIGINT", "BOOLEAN", "BY", "CASE", "CAST",
        "COLUMN", "COLUMNS", "COMPACT", "CREATE", "DELETE", "DESC", "DESCRIBE", "DISTINCT", "DOUBLE", "DROP", "ELSE",
        "END", "EXISTS", "EXPLAIN", "EXPORT", "FALSE", "FILTER", "FROM", "GROUP", "HAVING", "IN", "INNER", "INSERT",
        "INTERVAL",
        "INTO", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NAMESPACE", "NAMESPACES", "NOT", "NULL", "OFFSET", "ON", "OR",
        "ORDER", "OVER", "PARTITION", "RANGE", "ROWS", "SEGMENTS", "SELECT", "SERIES", "SHOW", "TABLE", "TABLES", "TAG",
        "TAGS", "THEN", "TIMESTAMP", "TRUE", "UBIGINT", "UNION", "USING", "VALUES", "VARCHAR", "WHEN", "WHERE", "WITH",
    ]

    static let commands = [
        "\\?", "\\d", "\\dt", "\\f", "\\format", "\\n", "\\namespace", "\\plot", "\\q", "\\timing",
    ]

    /// What may stand in place of the word that `text` ends with.
    func candidates(for text: String) -> (replaced: Int, candidates: [String]) {
        let word = String(text.reversed().prefix { $0.isLetter || $0.isNumber || $0 == "_" }.reversed())
        let before = text.dropLast(word.count)
        if text.hasPrefix("\\") && !text.contains(" ") {
            return (text.count, Self.commands.filter { $0.hasPrefix(text) })
        }
        if text.hasPrefix("\\d ") { return (word.count, matching(word, Array(tables.keys))) }
        if text.hasPrefix("\\format ") {
            return (word.count, matching(word, ["table", "csv", "json", "ndjson", "line"]))
        }
        if before.last == "." {
            let table = String(
                before.dropLast().reversed().prefix { $0.isLetter || $0.isNumber || $0 == "_" }.reversed())
            return (word.count, matching(word, tables[table] ?? []))
        }
        let last = before.split(whereSeparator: { $0.isWhitespace || $0 == "," }).last.map { $0.uppercased() }
        let isTablePlace = last.map { ["FROM", "JOIN", "INTO", "TABLE", "DESCRIBE"].contains($0) } ?? false
        if isTablePlace { return (word.count, matching(word, Array(tables.keys))) }
        guard !word.isEmpty else { return (0, []) }
        let names = Set(tables.values.joined()).union(tables.keys).union(functions)
        let isLower = word.first?.isLowercase ?? false
        let keywords = Self.keywords.map { isLower ? $0.lowercased() : $0 }
        return (word.count, matching(word, Array(names.union(keywords))))
    }

    private func matching(_ word: String, _ names: [String]) -> [String] {
        let lower = word.lowercased()
        return Set(names).filter { $0.lowercased().hasPrefix(lower) }.sorted()
    }
}
