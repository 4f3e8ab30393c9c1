import MartletModel
import Yams

/// A rule of a file.
package struct FileRule: Sendable {
    package var group: String
    package var rule: AlertRule
    package var sql: String
    package var clearSQL: String?
    /// Nanoseconds between evaluations, as the group says; `nil`: with every commit.
    package var interval: Int64?
    /// The texts of labels and annotations as they were written.
    package var labels: [(key: String, value: String)]
    package var annotations: [(key: String, value: String)]
    package var isEnabled = true
    /// Nanoseconds without a row after which there is no data; `nil`: five minutes.
    package var noDataAfter: Int64?
    /// Where the rule stands in its file.
    package var line: Int
}

/// Alert rules in the layout that Prometheus' users know, with `sql` where theirs has `expr`, and all that theirs lacks
/// under `ext`. docs/streams.md has the keys.
package struct RuleFile: Sendable {
    package var rules: [FileRule] = []

    /// Reads a file.
    ///
    /// - Parameter name: the file's name, for messages.
    /// - Throws: `.syntax` for what is no YAML, `.invalidArgument` for what is no rule file, with line and column.
    package init(_ text: String, name: String) throws(MartletError) {
        let yaml = YAMLReading(file: name)
        let root = try yaml.root(text)
        let top = try yaml.mapping(root, of: "a rule file", known: ["groups"])
        var names: Set<String> = []
        for group in try yaml.list(top["groups"], of: "groups") {
            for rule in try Self.rules(of: group, yaml) {
                guard names.insert(rule.rule.name).inserted else {
                    throw yaml.error("there are two rules '\(rule.rule.name)'", at: group)
                }
                rules.append(rule)
            }
        }
    }

    private static func rules(of node: Node, _ yaml: YAMLReading) throws(MartletError) -> [FileRule] {
        let group = try yaml.mapping(
            node, of: "a group", known: ["name", "interval", "limit", "labels", "rules"],
            hints: ["query_offset": "late rows are the business of ext.lateness"])
        guard let nameNode = group["name"] else { throw yaml.error("a group has a name", at: node) }
        let name = try yaml.text(nameNode, "a group's name")
        let interval = try yaml.duration(group["interval"], "interval")
        let limit = try yaml.number(group["limit"], "limit")
        let labels = try yaml.texts(group["labels"], "labels")
        var rules: [FileRule] = []
        for entry in try yaml.list(group["rules"], of: "rules") {
            var rule = try self.rule(entry, labels, yaml)
            rule.group = name
            rule.interval = interval
            if let limit, limit > 0, rule.rule.limit == 1000 { rule.rule.limit = limit }
            rules.append(rule)
        }
        return rules
    }

    private static let keys = ["alert", "sql", "for", "keep_firing_for", "labels", "annotations", "ext"]
    private static let extensionKeys = [
        "clear_sql", "no_data", "no_data_after", "lateness", "group_by", "limit", "flap_limit", "flap_window",
        "enabled", "severity",
    ]

    private static func rule(
        _ node: Node, _ groupLabels: [(key: String, value: String)], _ yaml: YAMLReading
    ) throws(MartletError) -> FileRule {
        let entries = try yaml.mapping(
            node, of: "a rule", known: keys,
            hints: [
                "expr": "expr is reserved for PromQL; write the condition as a query under sql",
                "record": "a recording rule is a continuous query: CREATE CONTINUOUS QUERY",
            ])
        guard let nameNode = entries["alert"] else { throw yaml.error("a rule has a name under alert", at: node) }
        guard let sqlNode = entries["sql"] else { throw yaml.error("a rule has a query under sql", at: node) }
        let ext =
            try entries["ext"].map { (node) throws(MartletError) in
                try yaml.mapping(node, of: "ext", known: extensionKeys)
            } ?? [:]
        var labels = groupLabels
        for pair in try yaml.texts(entries["labels"], "labels") {
            labels.removeAll { $0.key == pair.key }
            labels.append(pair)
        }
        var severity = "medium"
        var severityNode = node
        if let place = labels.firstIndex(where: { $0.key == "severity" }) {
            severity = labels.remove(at: place).value
            severityNode = entries["labels"] ?? node
        }
        if let given = ext["severity"] {
            severity = try yaml.text(given, "severity")
            severityNode = given
        }
        let annotations = try yaml.texts(entries["annotations"], "annotations")
        var rule: AlertRule
        do throws(MartletError) {
            rule = try AlertRule(
                name: try yaml.text(nameNode, "alert"), severity: severity, labels: labels, annotations: annotations)
        } catch { throw yaml.located(error, at: error.message.contains("severity") ? severityNode : node) }
        rule.duration = try yaml.duration(entries["for"], "for") ?? 0
        rule.keepFiring = try yaml.duration(entries["keep_firing_for"], "keep_firing_for") ?? 0
        if let node = ext["no_data"] {
            guard let choice = AlertRule.NoData(rawValue: try yaml.text(node, "no_data")) else {
                throw yaml.error("no_data is keep, alert or resolve", at: node)
            }
            rule.noData = choice
        }
        if let node = ext["group_by"] {
            rule.groups = []
            for entry in try yaml.list(node, of: "group_by") { rule.groups?.append(try yaml.text(entry, "a column")) }
        }
        rule.lateness = try yaml.duration(ext["lateness"], "lateness") ?? 0
        if let limit = try yaml.number(ext["limit"], "limit") { rule.limit = limit }
        if let limit = try yaml.number(ext["flap_limit"], "flap_limit") { rule.flapLimit = limit }
        if let window = try yaml.duration(ext["flap_window"], "flap_window") { rule.flapWindow = window }
        var result = FileRule(
            group: "", rule: rule, sql: try yaml.text(sqlNode, "sql"), clearSQL: nil, interval: nil, labels: labels,
            annotations: annotations, line: node.mark?.line ?? 0)
        if let clear = ext["clear_sql"] { result.clearSQL = try yaml.text(clear, "clear_sql") }
        result.noDataAfter = try yaml.duration(ext["no_data_after"], "no_data_after")
        result.isEnabled = try yaml.truth(ext["enabled"], "enabled") ?? true
        return result
    }
}
