import MartletAlerting
import MartletModel
import MartletQuery

/// Carries out the unit tests of alert rules: loads the input series step by step into an empty database and evaluates the
/// rules as time goes on.
package struct RuleTester {
    private let database: Database
    private let rules: [FileRule]

    /// - Parameter database: empty, and for this alone.
    package init(_ database: Database, rules: [FileRule]) {
        self.database = database
        self.rules = rules
    }

    /// Runs a test in a namespace of its own.
    ///
    /// - Returns: what came out otherwise than expected, each with the line of the expectation; empty when all is well.
    /// - Throws: what a rule's query throws, where it is not that a table is not there yet.
    package func run(
        _ test: RuleTestFile.Test, evaluationInterval: Int64, number: Int
    ) throws(MartletError) -> [(line: Int, message: String)] {
        let space = try database.createNamespace("test-\(number)")
        var failures: [(line: Int, message: String)] = []
        let named = Set(rules.map(\.rule.name))
        for expectation in test.expectations where !named.contains(expectation.alert) {
            failures.append((expectation.line, "there is no rule '\(expectation.alert)'"))
        }
        var states = rules.map { _ in RuleState() }
        let end = test.expectations.map(\.time).max() ?? 0
        var next = 0
        var time: Int64 = 0
        while time <= end {
            while Int64(next) * test.interval <= time {
                try append(test.inputs, next, test.interval, to: space)
                next += 1
            }
            for (index, rule) in rules.enumerated() {
                try evaluate(rule, at: time, space, &states[index])
            }
            for expectation in test.expectations
            where expectation.time >= time && expectation.time < time + evaluationInterval {
                guard let index = rules.firstIndex(where: { $0.rule.name == expectation.alert }) else { continue }
                failures += states[index].differences(from: expectation)
            }
            time += evaluationInterval
        }
        return failures.sorted { $0.line < $1.line }
    }

    private func append(
        _ inputs: [RuleTestFile.Input], _ index: Int, _ interval: Int64, to space: Namespace
    ) throws(MartletError) {
        let rows = inputs.compactMap { input -> Row? in
            guard index < input.values.count, let value = input.values[index] else { return nil }
            return Row(
                input.table, tags: input.tags, fields: [input.field: .float64(value)],
                time: Timestamp(nanoseconds: Int64(index) * interval))
        }
        if rows.isEmpty { return }
        let result = try space.append(rows)
        if let refused = result.rejected.first { throw refused.error }
    }

    private func evaluate(
        _ rule: FileRule, at time: Int64, _ space: Namespace, _ state: inout RuleState
    ) throws(MartletError) {
        func samples(_ sql: String) throws(MartletError) -> [AlertSample] {
            let query = try StandingQuery(sql)
            let result: QueryResult
            do throws(MartletError) {
                result = try database.queries.run(
                    query, in: space.engine, now: Timestamp(nanoseconds: time - rule.rule.lateness))
            } catch {
                // A table appears with its first row.
                if error.code == .notFound { return [] }
                throw error
            }
            var samples: [AlertSample] = []
            while let batch = try result.next() {
                for row in 0..<batch.rowCount { samples.append(AlertSample(batch, row, groups: rule.rule.groups)) }
            }
            return samples
        }
        let active = try samples(rule.sql)
        let uncleared = try rule.clearSQL.map { (sql) throws(MartletError) in try samples(sql).map(\.labels) }
        let transitions = try state.instances.evaluate(
            rule.rule, AlertEvaluation(active: active, uncleared: uncleared), at: time)
        for transition in transitions {
            state.firing[transition.fingerprint] = transition.to == .firing ? transition : nil
        }
    }

    /// A rule in the course of a test.
    private struct RuleState {
        var instances = AlertInstances()
        var firing: [UInt64: AlertTransition] = [:]

        func differences(from expectation: RuleTestFile.Expectation) -> [(line: Int, message: String)] {
            func labels(_ alert: [String: String], _ name: String) -> [String: String] {
                var all = alert
                all["alertname"] = name
                return all
            }
            var open = Array(firing.values)
            var messages: [String] = []
            for wanted in expectation.alerts {
                let expected = labels(wanted.labels, expectation.alert)
                let match = open.firstIndex { alert in
                    // A severity that the file does not name is not asked for.
                    var given = alert.labels
                    if expected["severity"] == nil { given["severity"] = nil }
                    if let severity = expected["severity"], (try? AlertSeverity(word: severity)) == alert.severity {
                        given["severity"] = severity
                    }
                    return given == expected && (wanted.annotations ?? alert.annotations) == alert.annotations
                }
                if let match {
                    open.remove(at: match)
                } else {
                    messages.append("  expected " + Self.text(expected, wanted.annotations))
                }
            }
            messages += open.sorted { $0.fingerprint < $1.fingerprint }.map {
                "  got " + Self.text($0.labels, $0.annotations)
            }
            if messages.isEmpty { return [] }
            let time = TimeText.format(Interval(nanoseconds: expectation.time))
            return [
                (
                    expectation.line,
                    "\(expectation.alert) at \(time):\n" + messages.joined(separator: "\n")
                )
            ]
        }

        private static func text(_ labels: [String: String], _ annotations: [String: String]?) -> String {
            AlertInstances.text(labels) + (annotations.map { " annotations " + AlertInstances.text($0) } ?? "")
        }
    }
}
