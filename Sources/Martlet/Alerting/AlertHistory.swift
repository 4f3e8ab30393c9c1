import MartletAlerting
import MartletModel
import MartletQuery
import MartletStream

/// Transitions as `_alerts` keeps them.
enum AlertHistory {
    /// The notifications of an alert's transitions from a time on.
    static func notifications(
        of alert: String, since time: Int64, _ host: StreamContext
    ) throws(MartletError) -> [AlertNotification] {
        guard try host.namespace.snapshot().schema(of: AlertTask.table) != nil else { return [] }
        let query = try StandingQuery(
            "SELECT time, state, severity, labels, annotations, active_since, fingerprint, value FROM \(AlertTask.table) "
                + "WHERE alert = $1 AND time >= $2 AND state IN ('firing', 'resolved') ORDER BY time")
        let rows = try host.queries.run(
            query, in: host.namespace,
            parameters: [.string(alert), .timestamp(Timestamp(nanoseconds: time))]
        ).rows()
        return rows.compactMap { row in
            guard case .timestamp(let at)? = row[0], case .string(let state)? = row[1],
                case .string(let severity)? = row[2], case .string(let labels)? = row[3],
                case .string(let annotations)? = row[4], case .int64(let since)? = row[5],
                case .string(let fingerprint)? = row[6]
            else { return nil }
            var value: Double?
            if case .float64(let number)? = row[7] { value = number }
            return AlertNotification(
                AlertTransition(
                    rule: alert, labels: JSONText.pairs(labels), fingerprint: UInt64(fingerprint, radix: 16) ?? 0,
                    from: .inactive, to: AlertTransition.State(rawValue: state) ?? .firing, at: at.nanoseconds,
                    activeSince: since, value: value, severity: AlertSeverity(rawValue: severity) ?? .medium,
                    annotations: JSONText.pairs(annotations), isFlapping: false),
                namespace: host.namespace.name)
        }
    }
}
