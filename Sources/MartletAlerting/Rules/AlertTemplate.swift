import MartletModel

/// A text with places that an alert fills: `{{ $labels.host }}`, `{{ $value }}`, `{{ $row.column }}`, each with functions
/// behind bars: `{{ $value | printf "%.1f" }}`.
///
/// The part of Go's templates that Prometheus' alerting rules mostly use, and nothing that could loop or fail later.
package struct AlertTemplate: Sendable, Hashable {
    private enum Source: Sendable, Hashable {
        case label(String)
        case column(String)
        case value
        case text(String)
    }

    private enum Function: Sendable, Hashable {
        case humanize, humanizeDuration, humanizePercentage, toUpper, toLower, title
        case printf(before: String, digits: Int?, after: String)
    }

    private enum Part: Sendable, Hashable {
        case text(String)
        case place(Source, [Function])
    }

    /// The text as it was written.
    package let text: String
    private let parts: [Part]

    /// Reads a template.
    ///
    /// - Throws: `.invalidArgument` with the line and column of what cannot be read.
    package init(_ text: String) throws(MartletError) {
        self.text = text
        var parts: [Part] = []
        var rest = Substring(text)
        while let start = rest.firstRange(of: "{{") {
            if start.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<start.lowerBound]))) }
            guard let end = rest[start.upperBound...].firstRange(of: "}}") else {
                throw Self.error("'{{' without '}}'", at: start.lowerBound, in: text)
            }
            parts.append(try Self.place(rest[start.upperBound..<end.lowerBound], in: text))
            rest = rest[end.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    private static func error(_ what: String, at index: String.Index, in text: String) -> MartletError {
        let before = text[..<index]
        let line = before.utf8.count { $0 == 0x0a } + 1
        let column = before.utf8.reversed().prefix { $0 != 0x0a }.count + 1
        return MartletError(
            .invalidArgument, "a template: \(what)", at: .input(line: line, column: column),
            hint: "{{ $labels.NAME }}, {{ $value }} and {{ $row.COLUMN }}, with | humanize, humanizeDuration, "
                + "humanizePercentage, toUpper, toLower, title or printf \"%.2f\"")
    }

    private static func place(_ inner: Substring, in text: String) throws(MartletError) -> Part {
        var pieces = inner.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmed }
        let start = inner.startIndex
        let head = pieces.removeFirst()
        var functions: [Function] = []
        var source = head
        // Go allows the function before its argument: {{ humanize $value }}.
        if !head.hasPrefix("$"), !head.hasPrefix("\""), let space = head.lastIndex(of: " ") {
            functions.append(try function(head[..<space].trimmed, at: start, in: text))
            source = head[head.index(after: space)...].trimmed
        }
        for piece in pieces { functions.append(try function(piece, at: start, in: text)) }
        if source == "$value" { return .place(.value, functions) }
        if source.hasPrefix("$labels.") { return .place(.label(String(source.dropFirst(8))), functions) }
        if source.hasPrefix("$row.") { return .place(.column(String(source.dropFirst(5))), functions) }
        if source.count >= 2, source.hasPrefix("\""), source.hasSuffix("\"") {
            return .place(.text(String(source.dropFirst().dropLast())), functions)
        }
        throw error("'\(source)' is nothing that can stand there", at: start, in: text)
    }

    private static func function(
        _ name: Substring, at index: String.Index, in text: String
    ) throws(MartletError) -> Function {
        switch name {
        case "humanize": return .humanize
        case "humanizeDuration": return .humanizeDuration
        case "humanizePercentage": return .humanizePercentage
        case "toUpper": return .toUpper
        case "toLower": return .toLower
        case "title": return .title
        default: break
        }
        if name.hasPrefix("printf") {
            var format = name.dropFirst(6).trimmed
            if format.count >= 2, format.hasPrefix("\""), format.hasSuffix("\"") {
                format = format.dropFirst().dropLast()
                if let read = printf(format) { return read }
            }
            throw error("printf takes one of \"%v\", \"%s\", \"%d\", \"%f\" and \"%.2f\"", at: index, in: text)
        }
        throw error("there is no function '\(name)'", at: index, in: text)
    }

    /// `before %.2f after`; `nil` for another format.
    private static func printf(_ format: Substring) -> Function? {
        guard let percent = format.firstIndex(of: "%") else { return nil }
        var rest = format[format.index(after: percent)...]
        var digits: Int?
        if rest.first == "." {
            let number = rest.dropFirst().prefix { $0.isNumber }
            guard let value = Int(number), value <= 17 else { return nil }
            digits = value
            rest = rest[number.endIndex...]
        }
        guard let verb = rest.popFirst(), !rest.contains("%") else { return nil }
        switch verb {
        case "f": digits = digits ?? 6
        case "d": digits = 0
        case "v", "s", "g": if digits != nil { return nil }
        default: return nil
        }
        return .printf(before: String(format[..<percent]), digits: digits, after: String(rest))
    }

    // MARK: Filling

    /// The text for an instance; what it lacks is empty.
    package func filled(labels: [String: String], value: Double?, columns: [String: String]) -> String {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .place(let source, let functions):
                var number: Double?
                var text: String
                switch source {
                case .label(let name): text = labels[name] ?? ""
                case .column(let name): text = columns[name] ?? ""
                case .text(let given): text = given
                case .value:
                    number = value
                    text = value.map(NumberWords.plain) ?? ""
                }
                for function in functions {
                    text = Self.apply(function, text, number ?? Double(text))
                    number = nil
                }
                result += text
            }
        }
        return result
    }

    private static func apply(_ function: Function, _ text: String, _ number: Double?) -> String {
        switch function {
        case .humanize: number.map(NumberWords.humanized) ?? text
        case .humanizeDuration: number.map(NumberWords.duration) ?? text
        case .humanizePercentage: number.map { NumberWords.significant($0 * 100) + "%" } ?? text
        case .toUpper: text.uppercased()
        case .toLower: text.lowercased()
        case .title: text.prefix(1).uppercased() + text.dropFirst()
        case .printf(let before, let digits, let after):
            before + (digits.flatMap { digits in number.map { NumberWords.fixed($0, digits) } } ?? text) + after
        }
    }
}

extension Substring {
    /// Without white space at its ends.
    var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
