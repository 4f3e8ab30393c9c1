import Foundation
import Martlet
import MartletTestSupport
import Testing

/// The detectors in SQL.
@Suite struct AnomalyFunctionTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("db-\(UUID().uuidString)").path

    /// Two hosts, 600 rows of one minute each; host `a` jumps at row 500.
    private func withRows(_ options: Database.Options = .init(), _ body: (Namespace) throws -> Void) throws {
        let database = try Database.open(at: path, options: options)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let namespace = try database.namespace()
        var random = SeededGenerator(seed: 4)
        var rows: [Row] = []
        for host in ["a", "b"] {
            for row in 0..<600 {
                let jump = host == "a" && row == 500 ? 40.0 : 0
                rows.append(
                    Row(
                        "cpu", tags: ["host": host],
                        fields: ["usage": .float64(20 + LabelledSeries.normal(&random) + jump), "jobs": .int64(3)],
                        time: Timestamp(nanoseconds: Int64(row) * 60_000_000_000)))
            }
        }
        try namespace.append(rows)
        try body(namespace)
        try database.close()
    }

    private let over = "OVER (PARTITION BY host ORDER BY time)"

    @Test func `anomaly_score judges each row by those before it, series by series`() throws {
        try withRows { namespace in
            let found = try namespace.query(
                """
                SELECT host, time FROM (
                    SELECT host, time, anomaly_score(usage, 'zscore') \(over) AS score FROM cpu
                ) WHERE score > 0.9999 ORDER BY host
                """
            ).rows()
            #expect(found == [["a", .timestamp(Timestamp(nanoseconds: 500 * 60_000_000_000))]])
        }
    }

    @Test func `rows that come later change nothing about a row`() throws {
        try withRows { namespace in
            let statement = "SELECT host, time, anomaly_score(usage, 'robust_z') \(over) FROM cpu"
            let all = try namespace.query(statement + " ORDER BY host, time").rows()
            let early = try namespace.query(
                statement + " WHERE time < '1970-01-01T05:00:00Z' ORDER BY host, time"
            ).rows()
            #expect(early.count == 600)
            #expect(Array(early[..<300]) == Array(all[..<300]))
            #expect(Array(early[300...]) == Array(all[600..<900]))
        }
    }

    @Test func `the score is NULL until the past is long enough`() throws {
        try withRows { namespace in
            let missing = try namespace.query(
                "SELECT count(*) FROM (SELECT anomaly_score(usage, 'zscore', 'warmup = 50') \(over) AS s FROM cpu) "
                    + "WHERE s IS NULL", as: Int.self)
            // 8 rows without a raw score and 50 without a judgement, of each host.
            #expect(missing == [116])
        }
    }

    @Test func `an anomaly has a severity, a reason and an expected value`() throws {
        try withRows { namespace in
            let rows = try namespace.query(
                """
                SELECT * FROM (
                    SELECT host, is_anomaly(usage, 'zscore') \(over) AS anomalous,
                        is_anomaly_alarm(usage, 'zscore') \(over) AS alarm,
                        anomaly_severity(usage, 'zscore') \(over) AS severity,
                        anomaly_reason(usage, 'zscore') \(over) AS reason,
                        anomaly_expected(usage, 'zscore') \(over) AS expected,
                        anomaly_significance(usage, 'zscore') \(over) AS significance
                    FROM cpu
                ) WHERE anomalous
                """
            ).rows()
            #expect(rows.count == 1)
            let row = try #require(rows.first)
            #expect(row[0] == "a" && row[1] == true && row[2] == true && row[3] == "high")
            guard case .string(let reason)? = row[4], case .float64(let expected)? = row[5],
                case .float64(let significance)? = row[6]
            else {
                Issue.record("\(row)")
                return
            }
            #expect(reason.contains("standard deviations above the mean"))
            #expect(abs(expected - 20) < 0.5)
            #expect(significance > 6)
        }
    }

    @Test(arguments: [
        ("anomaly_score(usage, 'zscor') OVER (ORDER BY time)", "column 8: anomaly_score: there is no detector 'zscor'"),
        ("anomaly_score(usage, 'zscore', 'spam = 3') OVER (ORDER BY time)", "there is no parameter 'spam'"),
        ("anomaly_score(usage, 'zscore', 'span = 3') OVER (ORDER BY time)", "span = 3 is not accepted"),
        ("anomaly_score(usage, jobs, 'zscore') OVER (ORDER BY time)", "looks at exactly 1 values a row, not 2"),
        ("anomaly_score(usage) OVER (PARTITION BY host)", "ORDER BY one TIMESTAMP"),
        ("anomaly_score(usage) OVER (ORDER BY time DESC)", "ORDER BY one TIMESTAMP"),
        ("anomaly_score(usage) OVER (ORDER BY usage)", "ORDER BY one TIMESTAMP"),
        ("anomaly_score('zscore') OVER (ORDER BY time)", "a value comes first"),
        ("anomaly_score(time) OVER (ORDER BY time)", "a value cannot be a TIMESTAMP"),
        ("anomaly_score(usage, host) OVER (ORDER BY time)", "constant texts"),
        ("anomaly_score(usage) OVER (ORDER BY time ROWS 3 PRECEDING)", "takes no frame"),
        ("anomaly_score(usage)", "is a window function and needs OVER"),
        ("anomly_score(usage) OVER (ORDER BY time)", "did you mean 'anomaly_score'?"),
    ]) func `a wrong call is told what is wrong and where`(call: String, expected: String) throws {
        try withRows { namespace in
            let error = #expect(throws: MartletError.self) { try namespace.query("SELECT \(call) FROM cpu").rows() }
            #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        }
    }

    @Test func `EXPLAIN shows the call`() throws {
        try withRows { namespace in
            let lines = try namespace.query("EXPLAIN SELECT anomaly_score(usage, 'zscore') \(over) FROM cpu").rows()
            let text = lines.flatMap { $0 }.map { if case .string(let text)? = $0 { text } else { "" } }.joined()
            #expect(
                text.contains("anomaly_score(usage, 'zscore') OVER (PARTITION BY host ORDER BY time)"), "\(text)")
        }
    }

    @Test func `a stranger's detector is called by its name`() throws {
        final class Parity: Detector {
            func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double { row[0] > 50 ? 100 : 1 }
            var explanation: Explanation { Explanation(reason: "it is above 50") }
            func transfer(_ archive: inout StateArchive) throws(MartletError) {}
            var stateBytes: Int { 0 }
        }
        var detectors = DetectorRegistry.builtIn
        detectors.register(DetectorMethod("above50", "test") { (_, _) throws(MartletError) in Parity() })
        var options = Database.Options()
        options.functions.registerDetectors(detectors)
        try withRows(options) { namespace in
            let reasons = try namespace.query(
                "SELECT reason FROM (SELECT anomaly_reason(usage, 'above50') \(over) AS reason FROM cpu) "
                    + "WHERE reason IS NOT NULL", as: String.self)
            #expect(reasons == ["it is above 50"])
        }
    }

    @Test func `docs name every function and every detector`() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let functions = try String(contentsOf: root.appendingPathComponent("docs/sql-functions.md"), encoding: .utf8)
        for name in FunctionRegistry.builtInWithDetectors.names where FunctionRegistry.builtIn.window(name) == nil {
            if FunctionRegistry.builtInWithDetectors.window(name) != nil { #expect(functions.contains("`\(name)(")) }
        }
        let page = try String(contentsOf: root.appendingPathComponent("docs/detectors.md"), encoding: .utf8)
        for name in DetectorRegistry.builtIn.names { #expect(page.contains("| `\(name)` |"), "\(name)") }
    }
}
