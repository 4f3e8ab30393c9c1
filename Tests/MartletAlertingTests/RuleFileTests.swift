import MartletModel
import Testing

@testable import MartletAlerting

/// Which files of rules are understood, and what is said of the others.
@Suite struct RuleFileTests {
    private let file = """
        groups:
          - name: machines
            interval: 30s
            labels: {team: ops}
            rules:
              - alert: Hot
                sql: SELECT host, avg(usage) AS value FROM cpu GROUP BY host HAVING avg(usage) > 90
                for: 5m
                keep_firing_for: 1m30s
                labels:
                  severity: page
                  team: night
                annotations:
                  summary: "{{ $labels.host }} is hot"
                ext:
                  clear_sql: SELECT host FROM cpu WHERE usage > 80 GROUP BY host
                  no_data: alert
                  no_data_after: 2m
                  lateness: 10s
                  group_by: [host]
                  limit: 50
                  flap_limit: 4
                  flap_window: 1h
              - alert: Cold
                sql: SELECT host FROM cpu WHERE usage < 1
        """

    @Test func everyKeyIsUnderstood() throws {
        let rules = try RuleFile(file, name: "rules.yml").rules
        #expect(rules.map(\.rule.name) == ["Hot", "Cold"])
        let hot = rules[0]
        #expect(hot.group == "machines")
        #expect(hot.interval == 30_000_000_000)
        #expect(hot.rule.severity == .critical)
        #expect(hot.rule.duration == 300_000_000_000)
        #expect(hot.rule.keepFiring == 90_000_000_000)
        #expect(hot.rule.noData == .alert)
        #expect(hot.noDataAfter == 120_000_000_000)
        #expect(hot.rule.lateness == 10_000_000_000)
        #expect(hot.rule.groups == ["host"])
        #expect(hot.rule.limit == 50)
        #expect(hot.rule.flapLimit == 4)
        #expect(hot.labels.map { "\($0.key)=\($0.value)" } == ["team=night"])
        #expect(rules[1].labels.map { "\($0.key)=\($0.value)" } == ["team=ops"])
        #expect(rules[1].rule.severity == .medium)
        #expect(hot.line == 6)
    }

    @Test(arguments: [
        ("groups:\n  - name: a\n    rulez: []", 3, 5, "did you mean 'rules'?"),
        ("groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up == 0", 5, 9, "reserved for PromQL"),
        ("groups:\n  - name: a\n    rules:\n      - alert: X", 4, 9, "has a query under sql"),
        (
            "groups:\n  - name: a\n    rules:\n      - alert: X\n        sql: SELECT 1\n        for: soon", 6, 14,
            "duration"
        ),
        (
            "groups:\n  - name: a\n    rules:\n      - alert: X\n        sql: SELECT 1\n        labels: {severity: loud}",
            6, 17,
            "no severity"
        ),
        ("groups:\n  - rules: []", 2, 5, "a group has a name"),
        ("groups: [", 2, 1, "did not find expected node content"),
        (
            "groups:\n  - name: a\n    rules:\n      - {alert: X, sql: S}\n      - {alert: X, sql: S}", 2, 5,
            "two rules 'X'"
        ),
    ])
    func whatIsWrongIsSaidWithItsPlace(_ text: String, _ line: Int, _ column: Int, _ words: String) throws {
        let error = try #require(throws: MartletError.self) { try RuleFile(text, name: "r.yml") }
        #expect(error.location == .input(line: line, column: column), "\(error)")
        let message = "\(error)"
        #expect(message.contains(words), "\(message)")
        #expect(message.contains("r.yml"))
    }

    @Test(
        arguments: [
            ("1 2 3", [1, 2, 3]), ("1+2x3", [1, 3, 5, 7]), ("10-5x2", [10, 5, 0]), ("4x2", [4, 4, 4]),
            ("_ 1 _x2 stale", [nil, 1, nil, nil, nil]), ("1e3+1x1", [1000, 1001]), ("-2-1x1", [-2, -3]), ("", []),
        ] as [(String, [Double?])])
    func valuesAreWrittenAsInPromtool(_ text: String, _ values: [Double?]) throws {
        #expect(try ValueNotation.values(text) == values)
    }

    @Test(arguments: ["1+x3", "x", "1+2x", "1+2y3", "1+2x-1", "1x99999999", "x3", "+x3", "_x", "--x1"])
    func otherValuesAreErrors(_ text: String) throws {
        #expect(throws: MartletError.self) { try ValueNotation.values(text) }
    }

    @Test(arguments: [
        "tests:\n  - interval: 290y", "evaluation_interval: 0s",
        "tests:\n  - alert_rule_test: [{alertname: a, eval_time: 290y}]",
        "evaluation_interval: 1ms\ntests:\n  - alert_rule_test: [{alertname: a, eval_time: 1y}]",
    ])
    func testsThatWouldNotEndAreErrors(_ text: String) throws {
        #expect(throws: MartletError.self) { try RuleTestFile(text, name: "t.yml") }
    }

    @Test func aSeriesNamesItsTableFieldAndTags() throws {
        let series = try #require(SeriesNotation("cpu.usage{host=\"a b\", site=\"x\\\"y\"}"))
        #expect(series.table == "cpu")
        #expect(series.field == "usage")
        #expect(series.tags == ["host": "a b", "site": "x\"y"])
        #expect(SeriesNotation("up")?.field == "value")
        for wrong in ["", "{a=\"b\"}", "cpu{", "cpu{a}", "cpu{a=b}", "cpu{a=\"b\" c=\"d\"}"] {
            #expect(SeriesNotation(wrong) == nil, "\(wrong)")
        }
    }
}
