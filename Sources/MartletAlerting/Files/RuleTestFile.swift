import MartletModel
import Yams

/// A file of unit tests for rules, in promtool's layout.
package struct RuleTestFile: Sendable {
    /// A series and its values, one an interval from time 0 on; `nil` where there is none.
    package struct Input: Sendable {
        package var table: String
        package var field: String
        package var tags: [String: String]
        package var values: [Double?]
        package var line: Int
    }

    /// What must fire at a moment.
    package struct Expectation: Sendable {
        package struct Alert: Sendable, Hashable {
            package var labels: [String: String]
            /// `nil` where the file says nothing of annotations.
            package var annotations: [String: String]?
        }

        /// Nanoseconds after the start.
        package var time: Int64
        package var alert: String
        package var alerts: [Alert]
        package var line: Int
    }

    package struct Test: Sendable {
        package var name: String
        /// Nanoseconds between two values of a series.
        package var interval: Int64
        package var inputs: [Input]
        package var expectations: [Expectation]
    }

    /// The most evaluations of a test, and values of a series.
    private static let mostSteps: Int64 = 1_000_000
    /// The longest interval and the latest evaluation, in nanoseconds: a hundred years.
    private static let longest: Int64 = 3_153_600_000_000_000_000

    /// Paths as they are written, relative to the file.
    package var ruleFiles: [String] = []
    /// Nanoseconds between evaluations.
    package var evaluationInterval: Int64
    package var tests: [Test] = []

    /// Reads a file.
    ///
    /// - Throws: `.syntax` and `.invalidArgument` with line and column.
    package init(_ text: String, name: String) throws(MartletError) {
        let yaml = YAMLReading(file: name)
        let root = try yaml.root(text)
        let top = try yaml.mapping(root, of: "a test file", known: ["rule_files", "evaluation_interval", "tests"])
        for node in try yaml.list(top["rule_files"], of: "rule_files") {
            ruleFiles.append(try yaml.text(node, "a rule file"))
        }
        evaluationInterval = try yaml.duration(top["evaluation_interval"], "evaluation_interval") ?? 60_000_000_000
        guard (1...Self.longest).contains(evaluationInterval) else {
            throw yaml.error("evaluation_interval is positive, and a hundred years at most", at: root)
        }
        for node in try yaml.list(top["tests"], of: "tests") {
            let test = try Self.test(node, yaml)
            let end = test.expectations.map(\.time).max() ?? 0
            guard end / evaluationInterval <= Self.mostSteps, end / test.interval <= Self.mostSteps else {
                throw yaml.error(
                    "a test of more than \(Self.mostSteps) evaluations or values", at: node,
                    hint: "an earlier eval_time, or a longer interval and evaluation_interval")
            }
            tests.append(test)
        }
    }

    private static func test(_ node: Node, _ yaml: YAMLReading) throws(MartletError) -> Test {
        let entries = try yaml.mapping(
            node, of: "a test", known: ["name", "interval", "input_series", "alert_rule_test"],
            hints: ["promql_expr_test": "PromQL is not spoken here; alert_rule_test tests rules"])
        var test = Test(
            name: try entries["name"].map { (node) throws(MartletError) in try yaml.text(node, "name") }
                ?? "test at line \(node.mark?.line ?? 0)",
            interval: try yaml.duration(entries["interval"], "interval") ?? 60_000_000_000, inputs: [],
            expectations: [])
        guard (1...longest).contains(test.interval) else {
            throw yaml.error("interval is positive, and a hundred years at most", at: node)
        }
        for node in try yaml.list(entries["input_series"], of: "input_series") {
            test.inputs.append(try input(node, yaml))
        }
        for node in try yaml.list(entries["alert_rule_test"], of: "alert_rule_test") {
            test.expectations.append(try expectation(node, yaml))
        }
        return test
    }

    private static func input(_ node: Node, _ yaml: YAMLReading) throws(MartletError) -> Input {
        let entries = try yaml.mapping(node, of: "an input series", known: ["series", "values"])
        guard let seriesNode = entries["series"], let valuesNode = entries["values"] else {
            throw yaml.error("an input series has series and values", at: node)
        }
        guard let series = SeriesNotation(try yaml.text(seriesNode, "series")) else {
            throw yaml.error(
                "this is no series", at: seriesNode,
                hint: "table.field{tag=\"value\", ...}, such as cpu.usage{host=\"a\"}")
        }
        let values: [Double?]
        do throws(MartletError) {
            values = try ValueNotation.values(try yaml.text(valuesNode, "values"))
        } catch { throw yaml.located(error, at: valuesNode) }
        return Input(
            table: series.table, field: series.field, tags: series.tags, values: values, line: node.mark?.line ?? 0)
    }

    private static func expectation(_ node: Node, _ yaml: YAMLReading) throws(MartletError) -> Expectation {
        let entries = try yaml.mapping(
            node, of: "an alert test", known: ["eval_time", "alertname", "exp_alerts"])
        guard let name = entries["alertname"] else { throw yaml.error("an alert test has an alertname", at: node) }
        var expectation = Expectation(
            time: try yaml.duration(entries["eval_time"], "eval_time") ?? 0, alert: try yaml.text(name, "alertname"),
            alerts: [], line: node.mark?.line ?? 0)
        guard expectation.time <= longest else { throw yaml.error("eval_time is a hundred years at most", at: node) }
        for node in try yaml.list(entries["exp_alerts"], of: "exp_alerts") {
            let parts = try yaml.mapping(node, of: "an expected alert", known: ["exp_labels", "exp_annotations"])
            let labels = try yaml.texts(parts["exp_labels"], "exp_labels")
            let annotations = try parts["exp_annotations"].map { (node) throws(MartletError) in
                try yaml.texts(node, "exp_annotations")
            }
            expectation.alerts.append(
                .init(
                    labels: Dictionary(labels.map { ($0.key, $0.value) }) { $1 },
                    annotations: annotations.map { Dictionary($0.map { ($0.key, $0.value) }) { $1 } }))
        }
        return expectation
    }
}
