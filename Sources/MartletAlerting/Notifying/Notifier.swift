import MartletModel

/// An alert that began to fire or was resolved, as those are told who are to act.
public struct AlertNotification: Sendable, Hashable {
    /// What happened.
    public enum Status: String, Sendable { case firing, resolved }

    /// The namespace of the rule.
    public var namespace: String
    /// The rule's name.
    public var alert: String
    /// What happened.
    public var status: Status
    /// How grave the rule says that it is.
    public var severity: AlertSeverity
    /// The instance's labels, with those of its rule, `alertname` and `severity`.
    public var labels: [String: String]
    /// The rule's annotations, filled.
    public var annotations: [String: String]
    /// The query's value at the transition, where it has one.
    public var value: Double?
    /// Since when the condition holds.
    public var activeSince: Timestamp
    /// When the alert changed.
    public var at: Timestamp
    /// The same for every notification of one instance: what a receiver deduplicates by.
    public var fingerprint: String

    /// A notification of a transition; `nil` for one that nobody has to hear of.
    package init?(_ transition: AlertTransition, namespace: String) {
        switch transition.to {
        case .firing: status = .firing
        case .resolved: status = .resolved
        case .pending, .inactive: return nil
        }
        self.namespace = namespace
        alert = transition.rule
        severity = transition.severity
        labels = transition.labels
        annotations = transition.annotations
        value = transition.value
        activeSince = Timestamp(nanoseconds: transition.activeSince)
        at = Timestamp(nanoseconds: transition.at)
        let digits = String(transition.fingerprint, radix: 16)
        fingerprint = String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Where alerts are told: a pager, a chat, a command.
///
/// Built-ins and a stranger's are registered alike. A notification may come twice after a crash, with the same
/// fingerprint, status and time, and never not at all.
public protocol Notifier: Sendable {
    /// The name, for messages.
    var name: String { get }
    /// Delivers notifications, in their order. Called again with the same ones, later, when it throws.
    func deliver(_ notifications: [AlertNotification]) throws(MartletError)
}
