import Martlet

/// Queries on the merged store, warm, in process: text in, batches out.
enum Questions {
    static func measure(
        _ namespace: Namespace, workload: CPUWorkload,
        _ report: (_ name: String, _ value: Double, _ unit: String, _ note: String?) -> Void
    ) throws {
        let hour = "time_bucket(INTERVAL '1 hour', time)"
        let everyField = CPUWorkload.fields.map { "avg(\($0))" }.joined(separator: ", ")
        let start = CPUWorkload.start / 1_000_000_000
        let twelveHours = "time >= make_timestamp(\(start)000000) AND time < make_timestamp(\(start + 43_200)000000)"
        let questions = [
            ("sum of one column", "SELECT sum(usage_user) FROM cpu"),
            ("scan and filter one column", "SELECT count(*) FROM cpu WHERE usage_user > 90 AND usage_idle < 10"),
            (
                "mean by host and hour, 1 column, 12 h",
                "SELECT \(hour) AS t, hostname, avg(usage_user) FROM cpu WHERE \(twelveHours) GROUP BY t, hostname"
            ),
            (
                "mean by host and hour, 10 columns, 12 h",
                "SELECT \(hour) AS t, hostname, \(everyField) FROM cpu WHERE \(twelveHours) GROUP BY t, hostname"
            ),
            (
                "maximum by minute, 1 host, 1 h",
                "SELECT time_bucket(INTERVAL '1 minute', time) AS t, max(usage_user) FROM cpu WHERE hostname = 'host_1' AND time >= make_timestamp(\(start)000000) AND time < make_timestamp(\(start + 3600)000000) GROUP BY t"
            ),
            ("latest row of one series", "SELECT * FROM latest(cpu) WHERE hostname = 'host_1'"),
            ("latest row of every series", "SELECT * FROM latest(cpu)"),
        ]
        for (name, text) in questions {
            var rows = 0
            let seconds = try Measurement.medianWall(9) {
                rows = 0
                let result = try namespace.query(text)
                while let batch = try result.next() { rows += batch.rowCount }
            }
            report(name, seconds * 1e3, "ms", "\(rows) rows")
        }
    }
}
