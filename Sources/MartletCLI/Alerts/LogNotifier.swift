import Logging
import Martlet
import MartletModel

/// Writes alerts into the daemon's log.
struct LogNotifier: Notifier {
    let name = "log"
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func deliver(_ notifications: [AlertNotification]) throws(MartletError) {
        for alert in notifications {
            var metadata: Logger.Metadata = [
                "alert": "\(alert.alert)", "namespace": "\(alert.namespace)", "severity": "\(alert.severity.rawValue)",
                "fingerprint": "\(alert.fingerprint)",
            ]
            if let value = alert.value { metadata["value"] = "\(value)" }
            for (key, value) in alert.labels where key != "alertname" && key != "severity" {
                metadata["label.\(key)"] = "\(value)"
            }
            if let summary = alert.annotations["summary"] { metadata["summary"] = "\(summary)" }
            let level: Logger.Level =
                alert.status == .resolved ? .notice : alert.severity >= .high ? .error : .warning
            logger.log(level: level, "alert \(alert.status.rawValue)", metadata: metadata)
        }
    }
}
