import MartletAlerting
import MartletQuery

extension FileRule {
    /// The statement that makes the rule, or changes it where there is one of its name.
    package var statement: String {
        func span(_ nanoseconds: Int64) -> String { SQLText.literal("\(nanoseconds / 1_000_000) milliseconds") }
        func pairs(_ pairs: [(key: String, value: String)]) -> String {
            "(" + pairs.map { "\(SQLText.name($0.key)) = \(SQLText.literal($0.value))" }.joined(separator: ", ") + ")"
        }
        var query = Substring(sql)
        while let last = query.last, last.isWhitespace || last == ";" { query.removeLast() }
        var parts = ["CREATE OR REPLACE ALERT \(SQLText.name(rule.name)) AS \(query)"]
        if rule.duration > 0 { parts.append("FOR \(span(rule.duration))") }
        if rule.keepFiring > 0 { parts.append("KEEP FIRING FOR \(span(rule.keepFiring))") }
        if let interval { parts.append("EVERY \(span(interval))") }
        if let clearSQL {
            var clear = Substring(clearSQL)
            while let last = clear.last, last.isWhitespace || last == ";" { clear.removeLast() }
            parts.append("CLEAR WHEN (\(clear))")
        }
        if let groups = rule.groups { parts.append("PER (\(groups.map(SQLText.name).joined(separator: ", ")))") }
        if rule.lateness > 0 { parts.append("LATENESS \(span(rule.lateness))") }
        if rule.noData != .keep || noDataAfter != nil {
            let after = noDataAfter.map { "FOR \(span($0)) " } ?? ""
            parts.append("NO DATA \(after)\(rule.noData.rawValue.uppercased())")
        }
        if rule.limit != 1000 { parts.append("MAXIMUM \(rule.limit)") }
        if rule.flapLimit > 0 { parts.append("FLAPPING \(rule.flapLimit) WITHIN \(span(rule.flapWindow))") }
        parts.append("SEVERITY \(rule.severity.rawValue)")
        if !labels.isEmpty { parts.append("LABELS \(pairs(labels))") }
        if !annotations.isEmpty { parts.append("ANNOTATIONS \(pairs(annotations))") }
        return parts.joined(separator: " ")
    }
}
