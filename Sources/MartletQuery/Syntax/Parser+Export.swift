import MartletModel

extension Parser {
    /// Whether the next token is this word, which is no keyword.
    func atWord(_ word: String) -> Bool {
        peek.kind == .word && !peek.keyword.isReserved && text(peek).uppercased() == word
    }

    mutating func takeWord(_ word: String) -> Bool {
        guard atWord(word) else { return false }
        advance()
        return true
    }

    /// `EXPORT (SELECT ... | TABLE name [WHERE ...] | NAMESPACE [name] | COLD) [BEFORE time] TO ... [[WITH] (...)]`.
    mutating func parseExport() throws(MartletError) -> StatementSyntax {
        advance()
        var before: ExpressionSyntax?
        let source: ExportSyntax.Source
        // Parentheses may stand around any source.
        let inner = ahead(1)
        if at(.leftParenthesis), inner.keyword == .table || inner.keyword == .namespace || isCold(inner) {
            advance()
            source = try parseExportSource(&before)
            try expect(.rightParenthesis)
        } else {
            source = try parseExportSource(&before)
        }
        try expect(.to)
        let offset = Int(peek.start)
        let destination: ExportSyntax.Destination
        if let path = takeString() {
            destination = .path(path)
        } else if takeWord("STDOUT") {
            destination = .standardOutput
        } else {
            throw unexpected("a path in single quotes, or STDOUT", hint: "EXPORT TABLE cpu TO 'backup/cpu.parquet'")
        }
        _ = take(.with)
        var options: [ExportSyntax.Option] = []
        if take(.leftParenthesis) {
            repeat { options.append(try parseExportOption()) } while take(.comma)
            try expect(.rightParenthesis)
        }
        return .export(
            ExportSyntax(
                source: source, before: before, destination: destination, destinationOffset: offset, options: options))
    }

    private func isCold(_ token: Token) -> Bool { token.kind == .word && text(token).uppercased() == "COLD" }

    private mutating func parseExportSource(
        _ before: inout ExpressionSyntax?
    ) throws(MartletError) -> ExportSyntax.Source {
        if isCold(peek) {
            advance()
            guard takeWord("BEFORE") else { throw unexpected("BEFORE and a time") }
            before = try parseExpression()
            if at(.table) { return try parseExportTable() }
            return at(.namespace) ? try parseExportNamespace() : .namespace(nil)
        }
        let source: ExportSyntax.Source
        if at(.table) {
            source = try parseExportTable()
        } else if at(.namespace) {
            source = try parseExportNamespace()
        } else if at(.select) || at(.with) || at(.values) || at(.from) || at(.leftParenthesis) {
            source = .query(try parseQuery())
        } else {
            throw unexpected(
                "a query, TABLE, NAMESPACE or COLD BEFORE",
                hint: "EXPORT (SELECT ...) TO 'cpu.parquet' (FORMAT parquet)")
        }
        if takeWord("BEFORE") { before = try parseExpression() }
        return source
    }

    private mutating func parseExportTable() throws(MartletError) -> ExportSyntax.Source {
        advance()
        let name = try parseTableName()
        return .table(name, filter: take(.where) ? try parseExpression() : nil)
    }

    private mutating func parseExportNamespace() throws(MartletError) -> ExportSyntax.Source {
        advance()
        guard isName(peek), !atWord("BEFORE") else { return .namespace(nil) }
        return .namespace(try parseName("a namespace's name"))
    }

    private mutating func parseExportOption() throws(MartletError) -> ExportSyntax.Option {
        let token = peek
        // TABLE is reserved elsewhere.
        let name: Name
        if at(.table) {
            advance()
            name = Name(text: "TABLE", isQuoted: false, offset: Int(token.start))
        } else {
            name = try parseName("an option's name")
        }
        let offset = Int(peek.start)
        if let text = takeString() { return .init(name: name, value: .text(text), offset: offset) }
        if peek.kind == .number {
            let value = try number(peek)
            advance()
            return .init(name: name, value: .number(value), offset: offset)
        }
        return .init(name: name, value: .text(try parseName("the option's value").text), offset: offset)
    }
}
