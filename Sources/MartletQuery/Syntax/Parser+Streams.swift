import MartletModel

/// Statements on continuous queries, detectors and alerts; docs/streams.md has the grammar.
extension Parser {
    /// Words that follow a standing query and so are no aliases in it.
    static let streamClauses: Set<String> = [
        "KEEP", "EVERY", "SEVERITY", "LABELS", "ANNOTATIONS", "NO", "CLEAR", "LATENESS",
        "MAXIMUM", "FLAPPING", "PER", "RETRAIN",
    ]

    /// The kind of stream that stands next, if one does.
    func atStreamKind() -> StreamKind? {
        if atWord("CONTINUOUS") { return .continuousQuery }
        if atWord("DETECTOR") { return .detector }
        if atWord("ALERT") { return .alert }
        return nil
    }

    private mutating func takeStreamKind() throws(MartletError) -> StreamKind {
        guard let kind = atStreamKind() else { throw unexpected("CONTINUOUS QUERY, DETECTOR or ALERT") }
        advance()
        if kind == .continuousQuery, !takeWord("QUERY") { throw unexpected("QUERY after CONTINUOUS") }
        return kind
    }

    /// CREATE [OR REPLACE], from the kind on.
    mutating func parseCreateStream(replaces: Bool) throws(MartletError) -> StatementSyntax {
        let definition: StreamDefinition
        switch try takeStreamKind() {
        case .continuousQuery: definition = .continuousQuery(try parseContinuousQuery())
        case .detector: definition = .detector(try parseDetector())
        case .alert: definition = .alert(try parseAlert())
        }
        return .stream(
            .create(definition, text: source.text(0, Int(peek.start)).trimmed, replaces: replaces))
    }

    mutating func parseDropStream() throws(MartletError) -> StatementSyntax {
        let kind = try takeStreamKind()
        let ifExists = try takeIfExists()
        return .stream(.drop(kind, try parseName("a name").text, ifExists: ifExists))
    }

    /// `ALTER DETECTOR name ENABLE | DISABLE`, from the kind on.
    mutating func parseAlterStream() throws(MartletError) -> StatementSyntax {
        let kind = try takeStreamKind()
        let name = try parseName("a name").text
        if takeWord("ENABLE") { return .stream(.setEnabled(kind, name, true)) }
        if takeWord("DISABLE") { return .stream(.setEnabled(kind, name, false)) }
        throw unexpected("ENABLE or DISABLE", hint: "CREATE OR REPLACE \(kind.words) changes its definition")
    }

    /// What SHOW lists of streams, from its first word on; `nil` where it is something else.
    mutating func parseShowStreams() throws(MartletError) -> StatementSyntax? {
        let listing: StreamStatement.Listing
        if takeWord("CONTINUOUS") {
            guard takeWord("QUERIES") else { throw unexpected("QUERIES after CONTINUOUS") }
            listing = .continuousQueries
        } else if takeWord("DETECTORS") {
            listing = .detectors
        } else if takeWord("ACTIVE") {
            guard takeWord("ALERTS") else { throw unexpected("ALERTS after ACTIVE") }
            listing = .activeAlerts
        } else if takeWord("ALERTS") {
            listing = .alerts
        } else if takeWord("ANOMALIES") {
            listing = .anomalies
        } else if takeWord("MODELS") {
            listing = .models
        } else {
            return nil
        }
        let name = take(.for) || take(.of) || take(.from) ? try parseName("a name").text : nil
        return .stream(.show(listing, of: name))
    }

    // MARK: Definitions

    private mutating func parseStandingQuery() throws(MartletError) -> StandingQuery {
        let start = Int(peek.start)
        stopsAtStreamClauses = true
        defer { stopsAtStreamClauses = false }
        _ = try parseQuery()
        return try standingQuery(start)
    }

    func standingQuery(_ start: Int) throws(MartletError) -> StandingQuery {
        try StandingQuery(source.text(start, Int(peek.start)).trimmed)
    }

    private mutating func parseContinuousQuery() throws(MartletError) -> ContinuousQueryDefinition {
        let name = try parseName("the continuous query's name").text
        try expect(.as)
        let query = try parseStandingQuery()
        try expect(.into)
        let target = try parseTableName()
        guard target.parts.count == 1 else {
            throw source.error(.unsupported, "rows go into a table of the same namespace", at: target.offset)
        }
        let lateness = takeWord("LATENESS") ? try parseStreamSpan("'10 seconds'") : 0
        return ContinuousQueryDefinition(
            name: name, query: query, target: target.parts[0].text, lateness: lateness, start: try parseStart())
    }

    private mutating func parseAlert() throws(MartletError) -> AlertDefinition {
        let name = try parseName("the alert's name").text
        try expect(.as)
        var alert = AlertDefinition(
            name: name, query: try parseStandingQuery(), clear: nil, duration: 0, keepFiring: 0, interval: nil,
            severity: "medium", labels: [], annotations: [], noData: .keep, groups: nil, lateness: 0, limit: 1000,
            flapLimit: 0, flapWindow: 3_600_000_000_000, noDataAfter: 300_000_000_000)
        while true {
            if take(.for) {
                alert.duration = try parseStreamSpan("'5 minutes'")
            } else if takeWord("KEEP") {
                guard takeWord("FIRING") else { throw unexpected("FIRING after KEEP") }
                try expect(.for)
                alert.keepFiring = try parseStreamSpan("'5 minutes'")
            } else if takeWord("EVERY") {
                let offset = Int(peek.start)
                alert.interval = try parseStreamSpan("'10 seconds'")
                if alert.interval == 0 {
                    throw source.error(.outOfRange, "the time between evaluations is positive", at: offset)
                }
            } else if takeWord("CLEAR") {
                try expect(.when)
                try expect(.leftParenthesis)
                let start = Int(peek.start)
                _ = try parseQuery()
                alert.clear = try standingQuery(start)
                try expect(.rightParenthesis)
            } else if takeWord("SEVERITY") {
                if let word = takeString() {
                    alert.severity = word
                } else {
                    alert.severity = try parseName("a severity").text
                }
            } else if takeWord("PER") {
                try expect(.leftParenthesis)
                alert.groups = at(.rightParenthesis) ? [] : try parseNames("a column's name").map(\.text)
                try expect(.rightParenthesis)
            } else if takeWord("LATENESS") {
                alert.lateness = try parseStreamSpan("'10 seconds'")
            } else if takeWord("MAXIMUM") {
                alert.limit = try parseCount()
            } else if takeWord("FLAPPING") {
                alert.flapLimit = try parseCount()
                try expect(.within)
                alert.flapWindow = try parseStreamSpan("'1 hour'")
            } else if takeWord("LABELS") {
                alert.labels = try parseTexts()
            } else if takeWord("ANNOTATIONS") {
                alert.annotations = try parseTexts()
            } else if takeWord("NO") {
                try expect(.data)
                if take(.for) { alert.noDataAfter = try parseStreamSpan("'5 minutes'") }
                let offset = peek
                let word = try parseName("KEEP, ALERT or RESOLVE").text.lowercased()
                guard let choice = AlertDefinition.NoData(rawValue: word) else {
                    throw source.error(.syntax, "expected KEEP, ALERT or RESOLVE after NO DATA", at: Int(offset.start))
                }
                alert.noData = choice
            } else {
                return alert
            }
        }
    }

    private mutating func parseCount() throws(MartletError) -> Int {
        guard peek.kind == .number, case .int64(let count) = try number(peek), count > 0, count <= 1 << 20 else {
            throw unexpected("a whole number from 1 to 1048576")
        }
        advance()
        return Int(count)
    }

    private mutating func parseTexts() throws(MartletError) -> [(key: String, value: String)] {
        try expect(.leftParenthesis)
        var pairs: [(key: String, value: String)] = []
        repeat {
            let key = try parseName("a name").text
            guard take(.equal), let value = takeString() else {
                throw unexpected("= and a text in single quotes", hint: "LABELS (team = 'ops', site = 'north')")
            }
            pairs.append((key, value))
        } while take(.comma)
        try expect(.rightParenthesis)
        return pairs
    }

    // MARK: Parts

    /// The text of an expression.
    mutating func parseExpressionText() throws(MartletError) -> String {
        let start = Int(peek.start)
        _ = try parseExpression()
        return source.text(start, Int(peek.start)).trimmed
    }

    mutating func parseStart() throws(MartletError) -> StreamStart {
        guard take(.with) else { return .now }
        guard takeWord("BACKFILL") else { throw unexpected("BACKFILL after WITH") }
        return take(.from) ? .from(try parseMoment()) : .everything
    }

    /// `FROM '...' TO '...'`: the second is not part of the range.
    mutating func parseRange() throws(MartletError) -> TimeRange {
        try expect(.from)
        let start = try parseMoment()
        try expect(.to)
        let offset = Int(peek.start)
        let end = try parseMoment()
        guard start < end else { throw source.error(.outOfRange, "the range ends before it begins", at: offset) }
        return TimeRange(start, end - 1)
    }

    mutating func parseMoment() throws(MartletError) -> Int64 {
        _ = take(.timestamp)
        let offset = Int(peek.start)
        guard var text = takeString() else {
            throw unexpected("a time in single quotes", hint: "'2026-01-31 12:00:00'")
        }
        guard let time = text.withUTF8({ TimeText.parse(UnsafeRawBufferPointer($0)) }) else {
            throw source.error(.semantic, "'\(text)' is not a time", at: offset, hint: "'2026-01-31 12:00:00'")
        }
        return time
    }

    /// A span of fixed length in single quotes, in nanoseconds.
    mutating func parseStreamSpan(_ example: String) throws(MartletError) -> Int64 {
        _ = take(.interval)
        let offset = Int(peek.start)
        guard var text = takeString() else { throw unexpected("a span of time in single quotes", hint: example) }
        let interval = text.withUTF8 { TimeText.parseInterval(UnsafeRawBufferPointer($0)) }
        guard let interval, interval.months == 0 else {
            throw source.error(
                .semantic, "'\(text)' is not a span of days, hours, minutes or seconds", at: offset, hint: example)
        }
        let (days, overflow) = Int64(interval.days).multipliedReportingOverflow(by: 86_400_000_000_000)
        let (sum, overflowed) = days.addingReportingOverflow(interval.nanoseconds)
        guard !overflow, !overflowed, sum >= 0, sum < Int64.max / 4 else {
            throw source.error(.outOfRange, "'\(text)' is no span of time that can be waited for", at: offset)
        }
        return sum
    }

    // MARK: Other statements

    /// `TRAIN DETECTOR name [FROM ... TO ...]`.
    mutating func parseTrain() throws(MartletError) -> StatementSyntax {
        advance()
        _ = takeWord("DETECTOR")
        let name = try parseName("a detector's name").text
        return .stream(.train(name, at(.from) ? try parseRange() : nil))
    }

    /// `SUBSCRIBE [TO] name`.
    mutating func parseSubscribe() throws(MartletError) -> StatementSyntax {
        advance()
        _ = take(.to)
        return .stream(.subscribe(try parseName("the name of a continuous query, detector or alert").text))
    }

    /// `ACKNOWLEDGE ANOMALY OF detector [WHERE tag = 'value' ...] [AT 'start'] BY 'who' [NOTE 'text']`.
    mutating func parseAcknowledge() throws(MartletError) -> StatementSyntax {
        advance()
        guard takeWord("ANOMALY") || takeWord("ANOMALIES") else { throw unexpected("ANOMALY after ACKNOWLEDGE") }
        _ = take(.of)
        let detector = try parseName("a detector's name").text
        let tags = take(.where) ? try parseTagPairs().map { ($0.key.text, $0.value) } : []
        let start = take(.at) ? try parseMoment() : nil
        guard take(.by), let who = takeString() else {
            throw unexpected("BY and who acknowledges it, in single quotes", hint: "BY 'Ada' NOTE 'valve replaced'")
        }
        var note = ""
        if takeWord("NOTE") {
            guard let text = takeString() else { throw unexpected("a text in single quotes") }
            note = text
        }
        return .stream(.acknowledge(detector: detector, tags: tags, start: start, by: who, note: note))
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
