import MartletModel

/// `table.field{tag="value", ...}`; without a field's name, the field `value`.
struct SeriesNotation {
    var table: String
    var field: String
    var tags: [String: String] = [:]

    /// `nil` for another text.
    init?(_ text: String) {
        let text = Substring(text).trimmed
        var name = text
        var inner: Substring?
        if let open = text.firstIndex(of: "{") {
            guard text.last == "}" else { return nil }
            name = text[..<open].trimmed
            inner = text[text.index(after: open)...].dropLast().trimmed
        }
        let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty, parts.count == 1 || !parts[1].isEmpty else { return nil }
        table = String(first)
        field = parts.count == 2 ? String(parts[1]) : "value"
        guard var rest = inner else { return }
        while !rest.isEmpty {
            guard let equal = rest.firstIndex(of: "=") else { return nil }
            let key = rest[..<equal].trimmed
            rest = rest[rest.index(after: equal)...].trimmed
            guard !key.isEmpty, rest.popFirst() == "\"" else { return nil }
            var value = ""
            while let character = rest.popFirst(), character != "\"" {
                if character == "\\" {
                    guard let escaped = rest.popFirst() else { return nil }
                    value.append(escaped == "n" ? "\n" : escaped)
                } else {
                    value.append(character)
                }
            }
            if value.isEmpty { return nil }
            tags[String(key)] = value
            rest = rest.trimmed
            if !rest.isEmpty, rest.popFirst() != "," { return nil }
            rest = rest.trimmed
        }
    }
}

/// Values as promtool writes them: `1 2 3`, `1+2x5` (six values from 1 on in steps of 2), `1x3` (four ones), `_x3` (three
/// times nothing), `stale` (nothing from here on until the next value).
enum ValueNotation {
    /// The most values of a series.
    private static let most = 1_000_000

    /// - Throws: `.invalidArgument` with the part that cannot be read.
    static func values(_ text: String) throws(MartletError) -> [Double?] {
        var values: [Double?] = []
        for part in text.split(whereSeparator: \.isWhitespace) {
            guard let next = expanded(part), values.count + next.count <= most else {
                throw MartletError(
                    .invalidArgument, "'\(part)' stands for no values",
                    hint: "1, 1+2x5, 10-1x9, 3x4, _, _x5, stale, NaN and Inf do")
            }
            values += next
        }
        return values
    }

    private static func expanded(_ part: Substring) -> [Double?]? {
        if part == "_" || part == "stale" { return [nil] }
        if part.hasPrefix("_x") {
            return Int(part.dropFirst(2)).flatMap { (0...most).contains($0) ? Array(repeating: nil, count: $0) : nil }
        }
        guard let times = part.lastIndex(of: "x") else { return Double(part).map { [$0] } }
        guard let count = Int(part[part.index(after: times)...]), (0...most).contains(count) else { return nil }
        let head = part[..<times]
        if let value = Double(head) { return Array(repeating: value, count: count + 1) }
        // The sign that divides start and step is not the first character, nor one of an exponent.
        guard !head.isEmpty else { return nil }
        var index = head.index(after: head.startIndex)
        while index < head.endIndex {
            if head[index] == "+" || head[index] == "-", !"eE+-".contains(head[head.index(before: index)]) { break }
            index = head.index(after: index)
        }
        guard index < head.endIndex, let start = Double(head[..<index]),
            let size = Double(head[head.index(after: index)...])
        else { return nil }
        let step = head[index] == "-" ? -size : size
        return (0...count).map { start + Double($0) * step }
    }
}
