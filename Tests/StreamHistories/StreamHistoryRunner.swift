import Martlet
import MartletModel
import MartletTestSupport

/// Runs a history, and compares what the streams made of it with what they have to.
///
/// - The continuous query's table holds what the query gives.
/// - The detector's anomalies, events and models are those of a run in which nothing failed.
/// - An alert whose condition stays once it holds has the transitions of a run in which nothing failed; one whose condition
///   comes and goes fires and is resolved in turn.
struct StreamHistoryRunner {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private static let start: Int64 = 1_700_000_000_000_000_000
    private static let second: Int64 = 1_000_000_000
    private static let query =
        "SELECT time_bucket('1 minute', time) AS time, host, count(*) AS n, sum(value) AS total FROM load GROUP BY 1, 2"

    private let history: StreamHistory
    private let clock = ManualClock(now: Timestamp(nanoseconds: Self.start))
    private var disk: SimulatedFileSystem
    private var database: Database?

    private init(_ history: StreamHistory) {
        self.history = history
        disk = SimulatedFileSystem(seed: history.seed)
    }

    /// Why the history of a seed fails; nil where it ends well.
    static func failure(of history: StreamHistory) -> String? {
        do {
            var disturbed = StreamHistoryRunner(history)
            let found = try disturbed.run(isDisturbed: true)
            var undisturbed = StreamHistoryRunner(history)
            let expected = try undisturbed.run(isDisturbed: false)
            for (name, rows) in expected where found[name] != rows {
                return "\(name): \(difference(found[name] ?? [], rows))"
            }
            return nil
        } catch { return "\(error)" }
    }

    private static func difference(_ found: [[FieldValue?]], _ expected: [[FieldValue?]]) -> String {
        func text(_ rows: [[FieldValue?]], without others: [[FieldValue?]]) -> String {
            rows.filter { !others.contains($0) }.prefix(3)
                .map { row in row.map { $0.map { "\($0)" } ?? "NULL" }.joined(separator: " ") }.joined(separator: "; ")
        }
        return "\(found.count) rows instead of \(expected.count); missing: \(text(expected, without: found)); surplus: "
            + text(found, without: expected)
    }

    /// - Returns: what has to be the same whatever failed.
    private mutating func run(isDisturbed: Bool) throws -> [String: [[FieldValue?]]] {
        try open()
        try append("load", [StreamRow(host: "a", second: 0, value: 1)])
        try append("meter", [StreamRow(host: "a", second: -2, value: 50), StreamRow(host: "b", second: -2, value: 50)])
        try sql("CREATE CONTINUOUS QUERY minutes AS \(Self.query) INTO load_minutes WITH BACKFILL")
        try sql("CREATE DETECTOR odd ON meter(value) USING zscore(warmup = 16) WITH BACKFILL")
        try sql(
            "CREATE ALERT high AS SELECT host, last(value) AS value FROM meter GROUP BY host HAVING last(value) > 90")
        try sql(
            "CREATE ALERT ever AS SELECT host, max(value) AS value FROM meter GROUP BY host HAVING max(value) > 90 "
                + "FOR '30 seconds'")
        for step in history.steps { try run(step, isDisturbed) }
        disk.clearFaults()
        if database == nil || disk.isOff { try restart(disk.crash()) }
        try sql("ALTER CONTINUOUS QUERY minutes ENABLE")
        // A row that ends whatever is open, and time for retries and open buckets.
        let last = history.steps.reduce(Int64(0)) { last, step in
            if case .meter(let rows) = step { max(last, rows.last?.second ?? 0) } else { last }
        }
        try append(
            "meter",
            ["a", "b"].flatMap { host in
                (1...8).map { StreamRow(host: host, second: last + $0, value: 50) }
            })
        for _ in 0..<40 {
            clock.advance(by: 100 * Self.second)
            database?.settleStreams(rounds: 200)
        }
        return try verdict()
    }

    private mutating func run(_ step: StreamStep, _ isDisturbed: Bool) throws {
        switch step {
        case .load(let rows): try append("load", rows)
        case .meter(let rows): try append("meter", rows)
        case .erase(let host, let from, let to):
            let (lower, upper) = (Self.start + from * 60 * Self.second, Self.start + to * 60 * Self.second)
            var condition =
                "time >= TIMESTAMP '\(TimeText.format(lower))' AND time < TIMESTAMP '\(TimeText.format(upper))'"
            if let host { condition += " AND host = '\(host)'" }
            try sql("DELETE FROM load WHERE \(condition)")
        case .wait(let seconds): clock.advance(by: seconds * Self.second)
        case .work(let rounds): if isDisturbed { database?.settleStreams(rounds: rounds) }
        case .fault(let fault, let after):
            if isDisturbed { disk.inject(fault, atOperation: disk.operationCount + after) }
        case .powerCut: if isDisturbed { try restart(disk.crash()) }
        case .kill: if isDisturbed { try restart(disk.killProcess()) }
        case .reopen:
            guard isDisturbed else { return }
            try? database?.close()
            try restart(disk.isOff ? disk.crash() : disk)
        case .setQueryEnabled(let isEnabled):
            try sql("ALTER CONTINUOUS QUERY minutes \(isEnabled ? "ENABLE" : "DISABLE")")
        case .compact: _ = try? sql("COMPACT")
        }
        // Where nothing is disturbed everything is worked off at once.
        if !isDisturbed { database?.settleStreams(rounds: 200) }
    }

    private mutating func open() throws {
        var options = Database.Options()
        options.fileSystem = disk
        options.clock = clock
        options.retentionInterval = nil
        options.worksInBackground = false
        options.memoryLimit = 64 << 20
        let opened = try Database.open(at: "db", options: options)
        do { try opened.startStreams() } catch {
            try? opened.close()
            throw error
        }
        database = opened
    }

    private mutating func restart(_ disk: SimulatedFileSystem) throws {
        self.disk = disk
        // A disk whose power fails while it is opened is opened once more.
        for _ in 0..<20 {
            do { return try open() } catch {
                if self.disk.isOff { self.disk = self.disk.crash() }
            }
        }
        try open()
    }

    /// Does something until the disk bears it: what was not acknowledged may have happened, and is done again.
    private mutating func persist(_ body: (Namespace) throws -> Void) throws {
        for attempt in 0..<30 {
            do {
                guard let database else { throw Failure(description: "no database") }
                return try body(try database.namespace())
            } catch let error as MartletError {
                if disk.isOff {
                    try restart(disk.crash())
                } else if attempt % 3 == 2 {
                    // A store that a fault has closed for writing is opened anew, as its operator would.
                    try? database?.close()
                    try restart(disk.isOff ? disk.crash() : disk)
                }
                if attempt == 29 { throw error }
            }
        }
    }

    private mutating func append(_ table: String, _ rows: [StreamRow]) throws {
        let rows = rows.map { row in
            Row(
                table, tags: ["host": row.host], fields: ["value": .float64(row.value)],
                time: Timestamp(nanoseconds: Self.start + row.second * Self.second))
        }
        try persist { try $0.append(rows) }
    }

    private mutating func sql(_ text: String) throws {
        let isCreation = text.hasPrefix("CREATE")
        try persist { namespace in
            do { _ = try namespace.query(text).rows() } catch let error as MartletError {
                // It was made by the attempt before.
                if isCreation, error.code == .alreadyExists { return }
                throw error
            }
        }
    }

    private mutating func rows(_ text: String) throws -> [[FieldValue?]] {
        var result: [[FieldValue?]] = []
        try persist { namespace in
            do { result = try namespace.query(text).rows() } catch let error as MartletError {
                // A table that nothing was written to.
                guard error.code == .notFound else { throw error }
                result = []
            }
        }
        return result
    }

    private mutating func verdict() throws -> [String: [[FieldValue?]]] {
        for name in ["CONTINUOUS QUERIES", "DETECTORS", "ALERTS"] {
            for row in try rows("SHOW \(name)") where row[1] != "running" {
                throw Failure(description: "SHOW \(name): \(row.map { $0.map { "\($0)" } ?? "NULL" })")
            }
        }
        let expected = try rows(Self.query + " ORDER BY 1, 2")
        let kept = try rows("SELECT time, host, n, total FROM load_minutes ORDER BY time, host")
        if expected != kept {
            throw Failure(description: "the continuous query: \(Self.difference(kept, expected))")
        }
        if try rows("SELECT count(*) FROM _stream_erasures").first?.first ?? 0 != 0 {
            throw Failure(description: "erasures are still noted that were accounted for")
        }
        try checkAlerts()
        return [
            "_alerts": try rows(
                "SELECT labels, former_state, state, value, count(*) FROM _alerts WHERE alert = 'ever' "
                    + "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3"),
            "_anomalies": try rows(
                "SELECT time, host, value, score, severity, is_alarm, event_start, model_version, reason FROM _anomalies "
                    + "ORDER BY time, host"),
            "_anomaly_events": try rows(
                "SELECT time, host, end_time, peak_time, peak_score, rows, is_over FROM _anomaly_events "
                    + "ORDER BY time, host"),
            "_models": try rows(
                "SELECT time, host, version, cause, trained_from FROM _models "
                    + "ORDER BY time, host"),
        ]
    }

    private mutating func checkAlerts() throws {
        var state: [FieldValue?: String] = [:]
        for row in try rows("SELECT labels, state FROM _alerts WHERE alert = 'high' ORDER BY time") {
            guard case .string(let next)? = row[1] else { continue }
            if state[row[0]] ?? "resolved" == next {
                throw Failure(description: "the alert of \(row[0].map { "\($0)" } ?? "") is \(next) twice")
            }
            state[row[0]] = next
        }
        // The last rows are ordinary.
        if let (host, last) = state.first(where: { $0.value != "resolved" }) {
            throw Failure(description: "the alert of \(host.map { "\($0)" } ?? "") is \(last) at the end")
        }
    }
}
