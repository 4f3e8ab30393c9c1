import Martlet
import MartletTestSupport
import Synchronization
import Testing

/// What CREATE ALERT promises.
@Suite struct AlertStreamTests {
    private let statement =
        "CREATE ALERT hot AS SELECT host, last(usage) AS value FROM cpu GROUP BY host HAVING last(usage) > 80 "
        + "SEVERITY page LABELS (team = 'ops') ANNOTATIONS (summary = '{{ $labels.host }} at {{ $value }}')"
    private let history = "SELECT state, labels, annotations FROM _alerts ORDER BY time"
    private let labels = "{\"alertname\":\"hot\",\"host\":\"a\",\"severity\":\"critical\",\"team\":\"ops\"}"

    @Test func anAlertFiresWithTheCommitThatMakesItTrueAndIsResolvedWithTheOneThatEndsIt() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10, "b": 10])
        try world.run(statement)
        try world.append(1, ["a": 90])
        try world.expect(history, [["firing", .string(labels), "{\"summary\":\"a at 90\"}"]])
        #expect(try world.run("SHOW ACTIVE ALERTS").map { $0[1] } == ["firing"])
        try world.append(2, ["a": 10])
        try world.expect("SELECT state FROM _alerts ORDER BY time", [["firing"], ["resolved"]])
        #expect(try world.run("SHOW ACTIVE ALERTS").isEmpty)
    }

    @Test func itFiresWhenItsDurationHasPassedWithoutAnotherCommit() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10])
        try world.run(statement + " FOR '1 minute'")
        try world.append(1, ["a": 90])
        try world.expect("SELECT state FROM _alerts ORDER BY time", [["pending"]])
        world.clock.advance(by: 61 * StreamWorld.second)
        try world.expect("SELECT state FROM _alerts ORDER BY time", [["pending"], ["firing"]])
    }

    @Test func neitherAnOpeningNorAPowerCutFiresOrResolvesAnythingTwice() throws {
        let world = try StreamWorld(seed: 3)
        try world.append(0, ["a": 10])
        try world.run(statement)
        try world.append(1, ["a": 90])
        try world.expect("SELECT state FROM _alerts", [["firing"]])
        try world.reopen()
        for _ in 0..<10 { try world.wait() }
        try world.crash()
        for _ in 0..<10 { try world.wait() }
        #expect(try world.run("SELECT state FROM _alerts") == [["firing"]])
        try world.append(2, ["a": 10])
        try world.expect("SELECT state FROM _alerts ORDER BY time", [["firing"], ["resolved"]])
    }

    @Test func evaluationsThatWereMissedAreMadeUpFor() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10])
        try world.run(statement + " FOR '2 minutes'")
        try world.append(1, ["a": 90])
        try world.expect("SELECT state FROM _alerts", [["pending"]])
        try world.database.close()
        world.clock.advance(by: 600 * StreamWorld.second)
        try world.reopenClosed()
        try world.expect("SELECT state FROM _alerts ORDER BY time", [["pending"], ["firing"]])
        let times = try world.run("SELECT time FROM _alerts ORDER BY time")
        guard case .timestamp(let pending)? = times[0][0], case .timestamp(let firing)? = times[1][0] else {
            Issue.record("no times")
            return
        }
        // It fired when it would have, not when the process came back.
        #expect(firing.nanoseconds - pending.nanoseconds < 140 * StreamWorld.second)
    }

    @Test func absenceOfRowsIsNoticedByTheClock() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10])
        try world.run(
            "CREATE ALERT silent AS SELECT host, max(time) AS last FROM cpu GROUP BY host "
                + "HAVING max(time) < now() - INTERVAL '1 minute'")
        for _ in 0..<5 { try world.wait() }
        #expect(try world.run("SHOW ACTIVE ALERTS").isEmpty)
        world.clock.advance(by: 120 * StreamWorld.second)
        try world.expect("SELECT state FROM _alerts", [["firing"]])
    }

    @Test func noDataCanBeAnAlertOfItsOwn() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 10])
        try world.run(statement + " NO DATA FOR '2 minutes' ALERT")
        world.clock.advance(by: 300 * StreamWorld.second)
        try world.expect(
            "SELECT state, labels FROM _alerts",
            [["firing", "{\"alertname\":\"hot\",\"no_data\":\"true\",\"severity\":\"critical\",\"team\":\"ops\"}"]])
    }

    @Test func anAlertMayLookAtWhatADetectorFinds() throws {
        let world = try StreamWorld()
        for second in Int64(0)..<300 { try world.append(second, ["a": Double(second % 7)]) }
        try world.run("CREATE DETECTOR spikes ON cpu(usage) USING zscore")
        try world.append(300, ["a": 900])
        try world.expect("SELECT host FROM _anomalies WHERE is_alarm", [["a"]])
        try world.run(
            "CREATE ALERT strange AS SELECT host, max(score) AS value FROM _anomalies "
                + "WHERE time > TIMESTAMP '2023-11-14 22:00:00' GROUP BY host SEVERITY warning")
        try world.expect("SELECT state, severity FROM _alerts", [["firing", "medium"]])
    }

    private final class Receiver: Notifier {
        let name = "receiver"
        let taken = Mutex<[AlertNotification]>([])
        let failures = Mutex(0)

        init(failures: Int = 0) { self.failures.withLock { $0 = failures } }

        func deliver(_ notifications: [AlertNotification]) throws(MartletError) {
            let fails = failures.withLock { count in
                defer { count -= 1 }
                return count > 0
            }
            if fails { throw MartletError(.io, "the line is busy") }
            taken.withLock { $0 += notifications }
        }
    }

    @Test func notifiersAreToldInOrderAndAgainWhereTheyFail() throws {
        let receiver = Receiver(failures: 1)
        let world = try StreamWorld(notifiers: [receiver])
        try world.append(0, ["a": 10])
        try world.run(statement)
        try world.append(1, ["a": 90])
        try world.expect("SELECT state FROM _alerts", [["firing"]])
        try world.append(2, ["a": 10])
        for _ in 0..<1000 where receiver.taken.withLock({ $0.count }) < 2 { try world.wait() }
        let taken = receiver.taken.withLock { $0 }
        #expect(taken.map(\.status) == [.firing, .resolved])
        #expect(taken[0].labels["host"] == "a")
        #expect(taken[0].annotations == ["summary": "a at 90"])
        #expect(Set(taken.map(\.fingerprint)).count == 1)
    }

    @Test func whatWasNotToldBeforeTheEndIsToldAfterTheOpening() throws {
        let world = try StreamWorld(notifiers: [Receiver(failures: .max)])
        try world.append(0, ["a": 10])
        try world.run(statement)
        try world.append(1, ["a": 90])
        try world.expect("SELECT state FROM _alerts", [["firing"]])
        let receiver = Receiver()
        try world.crash(notifiers: [receiver])
        for _ in 0..<1000 where receiver.taken.withLock({ $0.isEmpty }) { try world.wait() }
        #expect(receiver.taken.withLock { $0.map(\.status) } == [.firing])
    }

    @Test(arguments: [
        ("CREATE ALERT x AS SELECT 1 FROM nowhere", "nowhere"),
        ("CREATE ALERT x AS SELECT host FROM cpu SEVERITY loud", "'loud' is no severity"),
        ("CREATE ALERT x AS SELECT host FROM cpu ANNOTATIONS (a = '{{ $x }}')", "nothing that can stand there"),
        ("CREATE ALERT x AS SELECT host FROM cpu EVERY '0 seconds'", "positive"),
        ("CREATE ALERT x AS SELECT host FROM cpu NO DATA PANIC", "KEEP, ALERT or RESOLVE"),
    ])
    func whatCannotWorkIsRefusedWithTheReason(_ sql: String, _ reason: String) throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        let error = #expect(throws: MartletError.self) { try world.run(sql) }
        let text = "\(error?.message ?? "") \(error?.hint ?? "")"
        #expect(text.contains(reason), "\(text)")
    }

    @Test func twoRowsWithTheSameLabelsAreAnErrorThatIsShown() throws {
        let world = try StreamWorld()
        try world.append(0, ["a": 1])
        try world.append(1, ["a": 2])
        try world.run("CREATE ALERT x AS SELECT host, usage FROM cpu")
        for _ in 0..<1000 {
            if try world.run("SHOW ALERTS")[0][1] == "failing" { break }
            try world.wait()
        }
        let row = try world.run("SHOW ALERTS")[0]
        #expect(row[1] == "failing")
        guard case .string(let error)? = row[8] else {
            Issue.record("no error")
            return
        }
        #expect(error.contains("two rows with the labels"))
    }
}
