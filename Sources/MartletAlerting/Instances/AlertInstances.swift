import MartletModel

/// The instances of one rule, one for each set of labels, and their states: inactive, pending, firing, resolved.
///
/// The semantics are those of Prometheus' `for` and `keep_firing_for`, with hysteresis, damping of flapping alerts and a
/// choice of what no data means. A value: the same evaluations at the same times give the same transitions.
package struct AlertInstances: Sendable, Equatable {
    struct Instance: Sendable, Equatable {
        var labels: [String: String]
        var columns: [String: String]
        var value: Double?
        /// `nil` while only the history of firings is remembered.
        var state: AlertTransition.State?
        var activeSince: Int64
        /// The first evaluation at which the condition no longer held.
        var endedAt: Int64?
        /// When it began to fire, within the flap window.
        var firings: [Int64] = []
        var isFlapping = false
    }

    /// By fingerprint.
    var instances: [UInt64: Instance] = [:]
    /// The time of the last evaluation.
    package internal(set) var lastEvaluation: Int64?

    package init() {}

    /// The label of an alert about missing data.
    static let noDataLabels = ["no_data": "true"]

    /// Instances that are pending or firing.
    package var activeCount: Int { instances.values.count { $0.state != nil } }

    /// Whether any instance fires.
    package var isFiring: Bool { instances.values.contains { $0.state == .firing } }

    /// When a state changes although nothing else does.
    package func due(_ rule: AlertRule) -> Int64? {
        instances.values.compactMap { instance -> Int64? in
            switch instance.state {
            case .pending: instance.activeSince &+ rule.duration
            case .firing:
                instance.endedAt.map {
                    $0 &+ (instance.isFlapping ? max(rule.flapWindow, rule.keepFiring) : rule.keepFiring)
                }
            default: nil
            }
        }.min()
    }

    /// Instances that are pending or firing, in the order of their labels.
    package var active:
        [(
            labels: [String: String], state: AlertTransition.State, value: Double?, activeSince: Int64,
            isFlapping: Bool
        )]
    {
        instances.values.compactMap { instance in
            instance.state.map {
                (instance.labels, $0, instance.value, instance.activeSince, instance.isFlapping)
            }
        }.sorted { Self.text($0.labels) < Self.text($1.labels) }
    }

    /// The queries of a rule failed: its alerts stay as they are, and the time counts as evaluated.
    package mutating func noteFailure(at time: Int64) { lastEvaluation = max(lastEvaluation ?? .min, time) }

    /// Takes an evaluation at time `at` and gives the transitions, in the order of their labels.
    ///
    /// - Throws: `.invalidArgument` where two rows have the same labels, `.resourceExhausted` where there are more than
    ///   the rule's limit, `.outOfRange` where the time is not after that of the last evaluation. All alerts stay as they
    ///   are then: an error of the rule never resolves anything.
    package mutating func evaluate(
        _ rule: AlertRule, _ evaluation: AlertEvaluation, at: Int64
    ) throws(MartletError) -> [AlertTransition] {
        if let last = lastEvaluation, at <= last {
            throw MartletError(.outOfRange, "an evaluation of '\(rule.name)' at \(at) after one at \(last)")
        }
        var active: [UInt64: AlertSample] = [:]
        for sample in evaluation.active {
            if active.updateValue(sample, forKey: Self.fingerprint(sample.labels)) != nil {
                throw MartletError(
                    .invalidArgument,
                    "the alert '\(rule.name)' gives two rows with the labels \(Self.text(sample.labels))",
                    hint: "GROUP BY the columns that are texts, or leave out those that are not meant as labels")
            }
        }
        let isMissing = active.isEmpty && !evaluation.hasData
        if isMissing, rule.noData == .alert {
            active[Self.fingerprint(Self.noDataLabels)] = AlertSample(labels: Self.noDataLabels, value: nil)
        }
        guard active.count <= rule.limit else {
            throw MartletError(
                .resourceExhausted,
                "the alert '\(rule.name)' gives \(active.count) rows, and its limit is \(rule.limit)",
                hint: "its alerts stay as they are; narrow the query or raise the limit")
        }
        let held = Set((evaluation.uncleared ?? []).map(Self.fingerprint))
        var transitions: [AlertTransition] = []
        for (key, sample) in active where instances[key]?.state == nil {
            var instance =
                instances[key]
                ?? Instance(labels: sample.labels, columns: [:], value: nil, state: nil, activeSince: at)
            instance.activeSince = at
            instances[key] = instance
        }
        for key in instances.keys.sorted() {
            guard var instance = instances[key] else { continue }
            let former = instance.state
            if let sample = active[key] {
                instance.value = sample.value
                instance.columns = sample.columns
                instance.endedAt = nil
                if former == nil { instance.state = .pending }
                if instance.state == .pending, Self.elapsed(instance.activeSince, at) >= rule.duration {
                    instance.state = .firing
                    instance.firings.append(at)
                }
            } else if isMissing, rule.noData != .resolve {
                // Nothing is known: nothing changes.
            } else if former == .pending {
                instance.state = nil
            } else if former == .firing {
                let ended = held.contains(key) ? at : instance.endedAt ?? at
                instance.endedAt = held.contains(key) ? nil : ended
                if Self.elapsed(ended, at) >= rule.keepFiring, !held.contains(key) {
                    instance.isFlapping = Self.isFlapping(instance, rule, at)
                    if !instance.isFlapping { instance.state = nil }
                }
            }
            instance.firings.removeAll { Self.elapsed($0, at) > rule.flapWindow }
            if former != instance.state {
                let from = former ?? .inactive
                transitions.append(
                    Self.transition(
                        rule, key, instance, from: from,
                        to: instance.state ?? (from == .firing ? .resolved : .inactive), at))
            }
            if instance.state == nil { instance.endedAt = nil }
            let isRemembered = rule.flapLimit > 0 && !instance.firings.isEmpty
            instances[key] = instance.state == nil && !isRemembered ? nil : instance
        }
        lastEvaluation = at
        return transitions.sorted { (Self.text($0.labels), $0.fingerprint) < (Self.text($1.labels), $1.fingerprint) }
    }

    /// Nanoseconds between two moments, the most that can be said where they are further apart.
    private static func elapsed(_ start: Int64, _ end: Int64) -> Int64 {
        let (span, overflow) = end.subtractingReportingOverflow(start)
        return overflow ? (end > start ? .max : .min) : span
    }

    private static func isFlapping(_ instance: Instance, _ rule: AlertRule, _ at: Int64) -> Bool {
        guard rule.flapLimit > 0 else { return false }
        let recent = instance.firings.count { elapsed($0, at) <= rule.flapWindow }
        if recent >= rule.flapLimit { return true }
        // One that flapped resolves when its condition has not held for the whole window.
        return instance.isFlapping && elapsed(instance.endedAt ?? at, at) < rule.flapWindow
    }

    private static func transition(
        _ rule: AlertRule, _ key: UInt64, _ instance: Instance, from: AlertTransition.State,
        to: AlertTransition.State, _ at: Int64
    ) -> AlertTransition {
        func filled(_ text: AlertRule.Text) -> String {
            text.template.filled(labels: instance.labels, value: instance.value, columns: instance.columns)
        }
        var labels = instance.labels
        for text in rule.labels { labels[text.key] = filled(text) }
        labels["alertname"] = rule.name
        labels["severity"] = rule.severity.rawValue
        var annotations: [String: String] = [:]
        for text in rule.annotations { annotations[text.key] = filled(text) }
        return AlertTransition(
            rule: rule.name, labels: labels, fingerprint: key, from: from, to: to, at: at,
            activeSince: instance.activeSince, value: instance.value, severity: rule.severity,
            annotations: annotations, isFlapping: instance.isFlapping)
    }

    // MARK: Labels

    /// FNV-1a, 64 bits, over the sorted labels: http://www.isthe.com/chongo/tech/comp/fnv/.
    static func fingerprint(_ labels: [String: String]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            for text in [key, value] {
                for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
                // 0xff is in no UTF-8 text: it keeps what follows each other apart.
                hash = (hash ^ 0xff) &* 0x100_0000_01b3
            }
        }
        return hash
    }

    /// `{a="1", b="2"}`.
    package static func text(_ labels: [String: String]) -> String {
        "{" + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ", ") + "}"
    }
}
