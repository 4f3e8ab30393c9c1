import MartletModel
import MartletTestSupport
import Testing

@testable import MartletAlerting

/// When alerts are pending, firing and resolved.
@Suite struct AlertInstancesTests {
    private static let second: Int64 = 1_000_000_000

    private func rule(
        for duration: Int64 = 0, keepFiring: Int64 = 0, _ change: (inout AlertRule) -> Void = { _ in }
    ) throws -> AlertRule {
        var rule = try AlertRule(
            name: "Hot", severity: "page", labels: [("team", "{{ $labels.site }}-ops")],
            annotations: [("summary", "{{ $labels.host }} is at {{ $value | printf \"%.1f\" }}")])
        rule.duration = duration * Self.second
        rule.keepFiring = keepFiring * Self.second
        change(&rule)
        return rule
    }

    private func sample(_ host: String, _ value: Double = 90) -> AlertSample {
        AlertSample(labels: ["host": host, "site": "north"], value: value)
    }

    /// Runs a timeline of `seconds: hosts that are active`, and gives what changed as `seconds host state`.
    private func run(
        _ rule: AlertRule, _ timeline: [(Int64, [String])], data: Bool = true, restarting: Bool = false
    ) throws -> [String] {
        var instances = AlertInstances()
        var changes: [String] = []
        for (second, hosts) in timeline {
            if restarting { instances = try AlertInstances(instances.bytes) }
            let transitions = try instances.evaluate(
                rule, AlertEvaluation(active: hosts.map { sample($0) }, hasData: data || !hosts.isEmpty),
                at: second * Self.second)
            changes += transitions.map { "\(second) \($0.labels["host"] ?? "no data") \($0.to.rawValue)" }
        }
        return changes
    }

    @Test func withoutADurationAnAlertFiresAtOnceAndIsResolvedAtOnce() throws {
        #expect(try run(rule(), [(0, ["a"]), (10, ["a"]), (20, [])]) == ["0 a firing", "20 a resolved"])
    }

    @Test func theConditionMustHoldForTheWholeDuration() throws {
        let timeline: [(Int64, [String])] = [
            (0, ["a"]), (30, ["a"]), (40, []), (50, ["a"]), (109, ["a"]), (110, ["a"]),
        ]
        #expect(
            try run(rule(for: 60), timeline) == ["0 a pending", "40 a inactive", "50 a pending", "110 a firing"])
    }

    @Test func anAlertGoesOnFiringForTheTimeThatTheRuleSays() throws {
        let timeline: [(Int64, [String])] = [(0, ["a"]), (10, []), (39, []), (40, ["a"]), (50, []), (80, [])]
        #expect(try run(rule(keepFiring: 30), timeline) == ["0 a firing", "80 a resolved"])
    }

    @Test func eachSetOfLabelsIsAnInstanceOfItsOwn() throws {
        #expect(
            try run(rule(), [(0, ["a", "b"]), (10, ["b", "c"])]) == [
                "0 a firing", "0 b firing", "10 a resolved", "10 c firing",
            ])
    }

    @Test func withAClearingQueryAnAlertStaysUntilThatIsEmptyToo() throws {
        let rule = try rule()
        var instances = AlertInstances()
        _ = try instances.evaluate(rule, AlertEvaluation(active: [sample("a")], uncleared: []), at: 1)
        let held = try instances.evaluate(
            rule, AlertEvaluation(active: [], uncleared: [["host": "a", "site": "north"]]), at: 2)
        #expect(held.isEmpty)
        let cleared = try instances.evaluate(rule, AlertEvaluation(active: [], uncleared: []), at: 3)
        #expect(cleared.map(\.to) == [.resolved])
    }

    @Test func twoRowsWithTheSameLabelsAreAnErrorThatChangesNothing() throws {
        let rule = try rule()
        var instances = AlertInstances()
        _ = try instances.evaluate(rule, AlertEvaluation(active: [sample("a")]), at: 1)
        let before = instances
        let error = #expect(throws: MartletError.self) {
            try instances.evaluate(rule, AlertEvaluation(active: [sample("b"), sample("b", 3)]), at: 2)
        }
        #expect(error?.message.contains("two rows with the labels {host=\"b\"") == true)
        #expect(instances == before)
    }

    @Test func moreRowsThanTheLimitAreAnErrorThatResolvesNothing() throws {
        let rule = try rule { $0.limit = 2 }
        var instances = AlertInstances()
        _ = try instances.evaluate(rule, AlertEvaluation(active: [sample("a")]), at: 1)
        let error = #expect(throws: MartletError.self) {
            try instances.evaluate(
                rule, AlertEvaluation(active: [sample("b"), sample("c"), sample("d")]), at: 2)
        }
        #expect(error?.code == .resourceExhausted)
        #expect(instances.isFiring)
    }

    @Test(arguments: [
        (AlertRule.NoData.keep, ["0 a firing"]),
        (.alert, ["0 a firing", "10 no data firing"]),
        (.resolve, ["0 a firing", "10 a resolved"]),
    ])
    func theRuleSaysWhatNoDataMeans(_ choice: AlertRule.NoData, _ changes: [String]) throws {
        #expect(try run(rule { $0.noData = choice }, [(0, ["a"]), (10, [])], data: false) == changes)
    }

    @Test func whatKeepsComingBackStaysUntilItIsQuiet() throws {
        let rule = try rule {
            $0.flapLimit = 3
            $0.flapWindow = 100 * Self.second
        }
        let timeline: [(Int64, [String])] = [
            (0, ["a"]), (10, []), (20, ["a"]), (30, []), (40, ["a"]), (50, []), (60, ["a"]), (70, []), (150, []),
            (170, []),
        ]
        #expect(
            try run(rule, timeline) == [
                "0 a firing", "10 a resolved", "20 a firing", "30 a resolved", "40 a firing", "170 a resolved",
            ])
    }

    @Test func labelsAndAnnotationsAreFilled() throws {
        var instances = AlertInstances()
        let transition = try #require(
            try instances.evaluate(rule(), AlertEvaluation(active: [sample("a", 90.26)]), at: 1).first)
        #expect(
            transition.labels == [
                "host": "a", "site": "north", "team": "north-ops", "alertname": "Hot", "severity": "critical",
            ])
        #expect(transition.annotations == ["summary": "a is at 90.3"])
    }

    @Test func timeOnlyGoesForward() throws {
        var instances = AlertInstances()
        _ = try instances.evaluate(rule(), AlertEvaluation(active: []), at: 5)
        #expect(throws: MartletError.self) { try instances.evaluate(rule(), AlertEvaluation(active: []), at: 5) }
    }

    @Test func whatIsDueNextIsKnown() throws {
        var instances = AlertInstances()
        let rule = try rule(for: 60, keepFiring: 30)
        _ = try instances.evaluate(rule, AlertEvaluation(active: [sample("a")]), at: 10 * Self.second)
        #expect(instances.due(rule) == 70 * Self.second)
        _ = try instances.evaluate(rule, AlertEvaluation(active: [sample("a")]), at: 70 * Self.second)
        #expect(instances.due(rule) == nil)
        _ = try instances.evaluate(rule, AlertEvaluation(active: []), at: 80 * Self.second)
        #expect(instances.due(rule) == 110 * Self.second)
    }

    // MARK: State

    @Test(arguments: 1...30)
    func aRestartBetweenAnyTwoEvaluationsChangesNothing(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let rule = try rule(for: 20, keepFiring: 15) {
            $0.flapLimit = seed % 3
            $0.flapWindow = 200 * Self.second
        }
        var timeline: [(Int64, [String])] = []
        for step in Int64(0)..<200 {
            timeline.append((step * 10, ["a", "b", "c"].filter { _ in Int.random(in: 0..<3, using: &generator) > 0 }))
        }
        let undisturbed = try run(rule, timeline)
        #expect(!undisturbed.isEmpty)
        #expect(try run(rule, timeline, restarting: true) == undisturbed, "seed \(seed)")
    }

    @Test func damagedStatesAreErrorsAndNeverMore() throws {
        var instances = AlertInstances()
        _ = try instances.evaluate(
            rule(for: 10), AlertEvaluation(active: [sample("a"), sample("b", .nan)]), at: 1)
        let bytes = instances.bytes
        for length in 0..<bytes.count {
            #expect(throws: MartletError.self) { try AlertInstances(Array(bytes[..<length])) }
        }
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            // What can be read can be worked with, whatever its times are.
            guard var read = try? AlertInstances(damaged) else { continue }
            _ = try? read.evaluate(rule(for: 10, keepFiring: 5), AlertEvaluation(active: [sample("a")]), at: .max)
        }
    }
}
