import MartletModel

/// What detectors look at and how, and DETECT; docs/streams.md has the grammar.
extension Parser {
    mutating func parseDetector() throws(MartletError) -> DetectorDefinition {
        let name = try parseName("the detector's name").text
        try expect(.on)
        var definition = try parseJudgement(name, table: try parseDetectedTable())
        if takeWord("LATENESS") { definition.lateness = try parseStreamSpan("'10 seconds'") }
        if atWord("RETRAIN") { definition.retraining = try parseRetraining(definition.baseline) }
        definition.start = try parseStart()
        return definition
    }

    private mutating func parseDetectedTable() throws(MartletError) -> String {
        let table = try parseTableName()
        guard table.parts.count == 1 else {
            throw source.error(.unsupported, "a detector reads a table of its own namespace", at: table.offset)
        }
        return table.parts[0].text
    }

    /// `(value, ...) [WHERE ...] [PER (...)] [USING ...] [BASELINE ...]`: what is judged, and how.
    private mutating func parseJudgement(_ name: String, table: String) throws(MartletError) -> DetectorDefinition {
        try expect(.leftParenthesis)
        var values: [String] = []
        repeat { values.append(try parseExpressionText()) } while take(.comma)
        try expect(.rightParenthesis)
        var definition = DetectorDefinition(
            name: name, table: table, values: values, filter: nil, groups: nil, method: "auto",
            parameters: "", baseline: nil, lateness: 0, retraining: .init(onDrift: true), start: .now)
        if take(.where) { definition.filter = try parseExpressionText() }
        if takeWord("PER") {
            try expect(.leftParenthesis)
            definition.groups = at(.rightParenthesis) ? [] : try parseNames("a tag's name").map(\.text)
            try expect(.rightParenthesis)
        }
        if take(.using) {
            definition.method = try parseName("a detector's method").text
            if take(.leftParenthesis) { definition.parameters = try parseParameters() }
        }
        if takeWord("BASELINE") {
            definition.baseline = try parseRange()
            // Whoever says what is normal is not overruled by what comes.
            definition.retraining.onDrift = false
        }
        return definition
    }

    /// `RETRAIN NEVER | [ON DRIFT] [EVERY 'span']`.
    private mutating func parseRetraining(
        _ baseline: TimeRange?
    ) throws(MartletError) -> DetectorDefinition.Retraining {
        advance()
        var result = DetectorDefinition.Retraining(onDrift: false)
        if takeWord("NEVER") { return result }
        if take(.on) {
            guard takeWord("DRIFT") else { throw unexpected("DRIFT after RETRAIN ON") }
            result.onDrift = true
        }
        let offset = Int(peek.start)
        if takeWord("EVERY") {
            let interval = try parseStreamSpan("'7 days'")
            if interval < 60_000_000_000 {
                throw source.error(.outOfRange, "a detector learns anew once a minute at most", at: offset)
            }
            if baseline != nil {
                throw source.error(
                    .semantic, "what BASELINE names stays the same: there is nothing to learn anew every time",
                    at: offset,
                    hint: "leave BASELINE out, and it learns from the last 14 days")
            }
            result.interval = interval
        } else if !result.onDrift {
            throw unexpected("NEVER, ON DRIFT or EVERY after RETRAIN", hint: "RETRAIN ON DRIFT EVERY '7 days'")
        }
        return result
    }

    /// `DETECT [ANOMALIES] IN table(value, ...) | (SELECT ...)(value, ...) [WHERE ...] [PER (...)] [USING ...] [BASELINE
    /// ...] [FROM 'time' TO 'time']`.
    mutating func parseDetect() throws(MartletError) -> StatementSyntax {
        advance()
        _ = takeWord("ANOMALIES")
        guard take(.in) || take(.on) else { throw unexpected("IN and a table or a query after DETECT ANOMALIES") }
        var query: StandingQuery?
        var table = ""
        if take(.leftParenthesis) {
            let start = Int(peek.start)
            _ = try parseQuery()
            query = try standingQuery(start)
            try expect(.rightParenthesis)
        } else {
            table = try parseDetectedTable()
        }
        let definition = try parseJudgement("", table: table)
        let time = at(.from) ? try parseRange() : .all
        return .stream(.detect(AdHocDetection(definition: definition, query: query, time: time)))
    }

    /// `name = number, ...)`, as the registry of detectors reads it.
    private mutating func parseParameters() throws(MartletError) -> String {
        var parts: [String] = []
        if take(.rightParenthesis) { return "" }
        repeat {
            let name = try parseName("a parameter's name").text
            try expect(.equal)
            let sign = take(.minus) ? "-" : ""
            guard peek.kind == .number else { throw unexpected("a number") }
            parts.append("\(name) = \(sign)\(text(peek))")
            advance()
        } while take(.comma)
        try expect(.rightParenthesis)
        return parts.joined(separator: ", ")
    }
}
