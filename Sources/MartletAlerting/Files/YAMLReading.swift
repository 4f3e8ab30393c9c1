import MartletModel
import Yams

/// A YAML file's nodes with errors that say where.
struct YAMLReading {
    /// The file's name, for messages.
    let file: String

    /// The file's only document.
    ///
    /// - Throws: `.syntax` with line and column.
    func root(_ text: String) throws(MartletError) -> Node {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch let error as YamlError {
            throw syntax(error)
        } catch {
            throw MartletError(.syntax, "\(file): \(error)")
        }
        guard let node else { throw MartletError(.syntax, "\(file): the file is empty") }
        return node
    }

    private func syntax(_ error: YamlError) -> MartletError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            MartletError(.syntax, "\(file): \(problem)", at: .input(line: mark.line, column: mark.column))
        default: MartletError(.syntax, "\(file): \(error)")
        }
    }

    func error(_ message: String, at node: Node, hint: String? = nil) -> MartletError {
        let mark = node.mark
        return MartletError(
            .invalidArgument, "\(file): \(message)", at: mark.map { .input(line: $0.line, column: $0.column) },
            hint: hint)
    }

    /// `error` with the node's place, where it has none.
    func located(_ error: MartletError, at node: Node) -> MartletError {
        self.error(error.message, at: node, hint: error.hint)
    }

    /// A mapping's entries by key.
    ///
    /// - Throws: `.invalidArgument` for another node, for a key that is not among `known`, and for one that is there
    ///   twice.
    func mapping(
        _ node: Node, of what: String, known: [String]? = nil, hints: [String: String] = [:]
    ) throws(MartletError) -> [String: Node] {
        guard let mapping = node.mapping else { throw error("\(what) is a mapping of keys to values", at: node) }
        var entries: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string else { throw error("a key of \(what) is a text", at: key) }
            if let known, !known.contains(name) {
                throw error(
                    "\(what) has no key '\(name)'", at: key,
                    hint: hints[name] ?? Self.suggestion(for: name, in: known)
                        ?? "the keys are \(known.joined(separator: ", "))")
            }
            if entries.updateValue(value, forKey: name) != nil {
                throw error("the key '\(name)' is there twice", at: key)
            }
        }
        return entries
    }

    func list(_ node: Node?, of what: String) throws(MartletError) -> [Node] {
        guard let node else { return [] }
        guard let sequence = node.sequence else { throw error("\(what) is a list", at: node) }
        return Array(sequence)
    }

    func text(_ node: Node, _ what: String) throws(MartletError) -> String {
        guard let scalar = node.scalar else { throw error("\(what) is a text", at: node) }
        return scalar.string
    }

    /// A map of texts, sorted by key.
    func texts(_ node: Node?, _ what: String) throws(MartletError) -> [(key: String, value: String)] {
        guard let node else { return [] }
        var pairs: [(key: String, value: String)] = []
        for (key, value) in try mapping(node, of: what) { pairs.append((key, try text(value, "'\(key)' of \(what)"))) }
        return pairs.sorted { $0.key < $1.key }
    }

    /// A duration in Prometheus' notation, in nanoseconds: `1h30m`, `15s`, `500ms`.
    func duration(_ node: Node?, _ what: String) throws(MartletError) -> Int64? {
        guard let node else { return nil }
        guard let duration = Duration(prometheus: try text(node, what)) else {
            throw error("\(what) is a duration", at: node, hint: "such as 30s, 5m, 1h30m, 1d or 500ms")
        }
        return duration.nanoseconds
    }

    func number(_ node: Node?, _ what: String) throws(MartletError) -> Int? {
        guard let node else { return nil }
        guard let value = Int(try text(node, what)), value >= 0 else {
            throw error("\(what) is a whole number, not negative", at: node)
        }
        return value
    }

    func truth(_ node: Node?, _ what: String) throws(MartletError) -> Bool? {
        guard let node else { return nil }
        switch try text(node, what) {
        case "true": return true
        case "false": return false
        default: throw error("\(what) is true or false", at: node)
        }
    }

    /// A known key that is at most two edits away.
    private static func suggestion(for word: String, in known: [String]) -> String? {
        let best = known.map { ($0, distance(Array(word.utf8), Array($0.utf8))) }.min { $0.1 < $1.1 }
        return best.flatMap { $0.1 <= 2 ? "did you mean '\($0.0)'?" : nil }
    }

    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var before = row[0]
            row[0] = index + 1
            for place in right.indices {
                let cost = min(before + (right[place] == byte ? 0 : 1), row[place] + 1, row[place + 1] + 1)
                before = row[place + 1]
                row[place + 1] = cost
            }
        }
        return row[right.count]
    }
}

/// A duration as Prometheus writes it.
struct Duration {
    let nanoseconds: Int64

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000), ("w", 604_800_000_000_000), ("y", 31_536_000_000_000_000),
    ]

    /// `nil` for another text. A bare `0` is allowed.
    init?(prometheus text: String) {
        var rest = Substring(text)
        var sum: Int64 = 0
        if rest == "0" {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[digits.endIndex...]
            let unit = rest.prefix { $0.isLetter }
            rest = rest[unit.endIndex...]
            guard let count = Int64(digits), let size = Self.units.first(where: { $0.name == unit })?.nanoseconds else {
                return nil
            }
            let (part, overflow) = count.multipliedReportingOverflow(by: size)
            let (total, overflowed) = sum.addingReportingOverflow(part)
            if overflow || overflowed { return nil }
            sum = total
        }
        nanoseconds = sum
    }
}
