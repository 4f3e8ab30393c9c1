import MartletModel

/// What an alert looks for, and when it fires. Times are in nanoseconds.
package struct AlertRule: Sendable {
    /// What becomes of an alert while there is no data.
    package enum NoData: String, Sendable, CaseIterable {
        /// It stays as it is.
        case keep
        /// An alert of its own fires.
        case alert
        /// It is resolved as if its condition had ended.
        case resolve
    }

    /// A text of a label or an annotation.
    package struct Text: Sendable {
        package var key: String
        package var template: AlertTemplate
    }

    package var name: String
    package var severity: AlertSeverity
    /// The condition must hold for so long before the alert fires.
    package var duration: Int64 = 0
    /// It fires for so long after the condition has ended.
    package var keepFiring: Int64 = 0
    package var labels: [Text] = []
    package var annotations: [Text] = []
    package var noData = NoData.keep
    /// The columns that tell instances apart; `nil`: all that are texts.
    package var groups: [String]?
    /// Nanoseconds by which the queries' `now()` lies behind the evaluation.
    package var lateness: Int64 = 0
    /// More instances than this are an error of the rule.
    package var limit = 1000
    /// An instance that has begun to fire so often within `flapWindow` goes on firing until it was quiet for as long; 0:
    /// never.
    package var flapLimit = 0
    package var flapWindow: Int64 = 3_600_000_000_000

    /// A rule whose texts are read.
    ///
    /// - Throws: `.invalidArgument` for a severity or a template that cannot be read.
    package init(
        name: String, severity: String, labels: [(key: String, value: String)] = [],
        annotations: [(key: String, value: String)] = []
    ) throws(MartletError) {
        self.name = name
        self.severity = try AlertSeverity(word: severity)
        for (key, value) in labels { self.labels.append(Text(key: key, template: try AlertTemplate(value))) }
        for (key, value) in annotations { self.annotations.append(Text(key: key, template: try AlertTemplate(value))) }
    }
}

/// A row of a rule's query: something that is wrong.
package struct AlertSample: Sendable, Hashable {
    /// What tells it from the rule's other instances.
    package var labels: [String: String]
    package var value: Double?
    /// All columns, for templates.
    package var columns: [String: String]

    package init(labels: [String: String], value: Double?, columns: [String: String] = [:]) {
        self.labels = labels
        self.value = value
        self.columns = columns
    }
}

/// What a rule's queries gave at a moment.
package struct AlertEvaluation: Sendable {
    /// What is wrong.
    package var active: [AlertSample]
    /// What keeps a firing alert up although it is not active; `nil` where the rule has no query for that.
    package var uncleared: [[String: String]]?
    /// Whether there was anything to look at.
    package var hasData: Bool

    package init(active: [AlertSample], uncleared: [[String: String]]? = nil, hasData: Bool = true) {
        self.active = active
        self.uncleared = uncleared
        self.hasData = hasData
    }
}

/// A change of an alert's state.
package struct AlertTransition: Sendable, Hashable {
    package enum State: String, Sendable { case inactive, pending, firing, resolved }

    package var rule: String
    /// The instance's labels with those of the rule.
    package var labels: [String: String]
    /// Identifies the instance within its rule, across restarts.
    package var fingerprint: UInt64
    package var from: State
    package var to: State
    /// When it changed, and since when the condition holds.
    package var at: Int64
    package var activeSince: Int64
    package var value: Double?
    package var severity: AlertSeverity
    package var annotations: [String: String]
    /// Whether it was held back from resolving because it keeps coming back.
    package var isFlapping: Bool

    package init(
        rule: String, labels: [String: String], fingerprint: UInt64, from: State, to: State, at: Int64,
        activeSince: Int64, value: Double?, severity: AlertSeverity, annotations: [String: String], isFlapping: Bool
    ) {
        self.rule = rule
        self.labels = labels
        self.fingerprint = fingerprint
        self.from = from
        self.to = to
        self.at = at
        self.activeSince = activeSince
        self.value = value
        self.severity = severity
        self.annotations = annotations
        self.isFlapping = isFlapping
    }
}
