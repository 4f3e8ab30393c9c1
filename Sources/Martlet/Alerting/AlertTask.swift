import MartletAlerting
import MartletModel
import MartletQuery
import MartletStorage
import MartletStream

/// Evaluates an alert rule as rows are committed and as time passes, and writes each change of an alert's state into
/// `_alerts`, together with the state that it leaves, in one commit.
final class AlertTask: StreamTask {
    /// Nanoseconds between evaluations of a rule that says nothing else and whose tables rest: what depends on `now()`
    /// changes without a commit.
    private static let heartbeat: Int64 = 15_000_000_000
    /// Of the time, the share that a rule may take is one in so many; and the least and the longest it rests.
    private static let restFactor: Int64 = 9
    private static let leastPause: Int64 = 5_000_000
    private static let longestPause: Int64 = 10_000_000_000
    /// Missed evaluations that are made up for at most.
    private static let mostMissed = 240
    /// Nanoseconds after which the state is written although no alert changed.
    private static let stateInterval: Int64 = 60_000_000_000
    private static let statePart = "alert"
    /// The table of transitions.
    static let table = "_alerts"

    private let definition: AlertDefinition
    private let host: StreamContext
    private let rule: AlertRule
    private let dispatcher: AlertDispatcher
    private let shape: StandingQueryShape
    private var own = StreamFigures()

    var figures: StreamFigures {
        var figures = own
        figures.remark = dispatcher.troubles.first
        return figures
    }

    private var instances = AlertInstances()
    private var seenCommit: UInt64
    /// By the clock: when rows last came, and until when the rule rests.
    private var lastData: Int64
    private var restUntil = Int64.min
    private var isDirty = true
    /// Times that were missed and are still to be evaluated.
    private var missed: [Int64] = []
    private var lastWritten: Int64?
    private var lastTransition = Int64.min

    init(_ definition: AlertDefinition, _ host: StreamContext, dispatcher: AlertDispatcher) throws(MartletError) {
        self.definition = definition
        self.host = host
        self.dispatcher = dispatcher
        rule = try AlertRule(definition)
        shape = try host.queries.shape(of: definition.query, in: host.namespace)
        if let clear = definition.clear { _ = try host.queries.shape(of: clear, in: host.namespace) }
        seenCommit = host.createdAtCommit
        lastData = host.namespace.clock.now().nanoseconds
        if let text = try host.storedState()[Self.statePart] { try restore(text, now: lastData) }
        own.series = instances.activeCount
    }

    // MARK: Working

    func step(_ moment: StreamMoment) throws(MartletError) -> StreamStep {
        for table in shape.tables where try !moment.snapshot.timesChanged(of: table, after: seenCommit).isEmpty {
            isDirty = true
            lastData = moment.now
        }
        seenCommit = moment.snapshot.commit
        if let time = missed.first {
            try evaluate(at: time, now: moment.now)
            missed.removeFirst()
            return StreamStep(hasMore: true)
        }
        let next = due(moment.now)
        if next > moment.now { return StreamStep(due: next) }
        let clock = host.namespace.clock
        let begun = clock.monotonicNanoseconds()
        defer {
            let spent = clock.monotonicNanoseconds() - begun
            own.nanoseconds += spent
            restUntil = moment.now + min(max(Self.leastPause, spent * Self.restFactor), Self.longestPause)
        }
        try evaluate(at: max(moment.now, (instances.lastEvaluation ?? .min) &+ 1), now: moment.now)
        isDirty = false
        return StreamStep(due: due(moment.now))
    }

    /// When the rule is evaluated next.
    private func due(_ now: Int64) -> Int64 {
        guard let evaluated = instances.lastEvaluation else { return now }
        // A clock that was set back holds nothing up.
        let last = min(evaluated, now - 1)
        let soonest = max(last + 1, restUntil)
        if let interval = definition.interval { return max(soonest, last + interval) }
        if isDirty { return soonest }
        let change = instances.due(rule).map { max($0, last + 1_000_000_000) } ?? .max
        return max(soonest, min(change, last + Self.heartbeat))
    }

    private func evaluate(at time: Int64, now: Int64) throws(MartletError) {
        let moment = Timestamp(nanoseconds: time - definition.lateness)
        let active = try samples(of: definition.query, at: moment)
        var uncleared: [[String: String]]?
        if let clear = definition.clear, instances.isFiring {
            uncleared = try samples(of: clear, at: moment).map(\.labels)
        }
        own.rowsIn += 1
        // States change once the commit that says so has succeeded, and not before.
        var next = instances
        let transitions: [AlertTransition]
        do throws(MartletError) {
            transitions = try next.evaluate(
                rule,
                AlertEvaluation(
                    active: active, uncleared: uncleared, hasData: time - lastData <= definition.noDataAfter),
                at: time)
        } catch {
            // The rule's own fault: its alerts stay, and the next evaluation may be better.
            own.error = error
            instances.noteFailure(at: time)
            return
        }
        if !transitions.isEmpty {
            // They are not told yet: after a crash from here on they are told again.
            try host.commit(try transitions.map(row) + [stateRow(next, untoldSince: time)])
            lastTransition = time
            lastWritten = now
        }
        instances = next
        own.error = nil
        own.series = instances.activeCount
        own.rowsOut += transitions.count
        if transitions.isEmpty {
            if instances.activeCount > 0 || definition.interval != nil, now - (lastWritten ?? 0) >= Self.stateInterval {
                try checkpoint()
            }
            return
        }
        dispatcher.submit(transitions.compactMap { AlertNotification($0, namespace: host.namespace.name) })
        if host.hasSubscribers { host.publish(try batch(transitions)) }
    }

    private func samples(of query: StandingQuery, at time: Timestamp) throws(MartletError) -> [AlertSample] {
        let result = try host.queries.run(query, in: host.namespace, now: time)
        var samples: [AlertSample] = []
        while let batch = try result.next() {
            for row in 0..<batch.rowCount { samples.append(AlertSample(batch, row, groups: rule.groups)) }
            // One more than the limit is enough to know.
            if samples.count > rule.limit { result.cancel() }
            if samples.count > rule.limit { break }
        }
        return samples
    }

    // MARK: Rows

    private func row(_ transition: AlertTransition) throws(MartletError) -> Row {
        let digits = String(transition.fingerprint, radix: 16)
        var fields: [String: FieldValue] = [
            "state": .string(transition.to.rawValue), "former_state": .string(transition.from.rawValue),
            "severity": .string(transition.severity.rawValue), "labels": .string(JSONText.object(transition.labels)),
            "annotations": .string(JSONText.object(transition.annotations)),
            "active_since": .int64(transition.activeSince), "flapping": .bool(transition.isFlapping),
        ]
        if let value = transition.value, value.isFinite { fields["value"] = .float64(value) }
        return Row(
            Self.table,
            tags: ["alert": definition.name, "fingerprint": String(repeating: "0", count: 16 - digits.count) + digits],
            fields: fields, time: Timestamp(nanoseconds: transition.at))
    }

    let outputColumns = [
        ColumnDescription("time", .timestamp), ColumnDescription("alert", .string), ColumnDescription("state", .string),
        ColumnDescription("severity", .string), ColumnDescription("value", .float64),
        ColumnDescription("labels", .string), ColumnDescription("annotations", .string),
    ]

    private func batch(_ transitions: [AlertTransition]) throws(MartletError) -> RecordBatch {
        let rows = transitions.map { transition -> [FieldValue?] in
            [
                .timestamp(Timestamp(nanoseconds: transition.at)), .string(transition.rule),
                .string(transition.to.rawValue), .string(transition.severity.rawValue),
                transition.value.map { .float64($0) }, .string(JSONText.object(transition.labels)),
                .string(JSONText.object(transition.annotations)),
            ]
        }
        var columns: [Column] = []
        for (place, column) in outputColumns.enumerated() {
            columns.append(try Column(column.type, rows.map { $0[place] }))
        }
        return RecordBatch(schema: outputColumns, columns: columns, rowCount: rows.count)
    }

    func run(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer? {
        guard case .show(.activeAlerts, _) = statement else { return nil }
        let columns = [
            ColumnDescription("alert", .string), ColumnDescription("state", .string),
            ColumnDescription("severity", .string), ColumnDescription("labels", .string),
            ColumnDescription("value", .float64), ColumnDescription("active_since", .timestamp),
            ColumnDescription("flapping", .bool),
        ]
        return StreamAnswer(
            columns: columns,
            rows: instances.active.map { instance in
                [
                    .string(definition.name), .string(instance.state.rawValue), .string(rule.severity.rawValue),
                    .string(AlertInstances.text(instance.labels)), instance.value.map { .float64($0) },
                    .timestamp(Timestamp(nanoseconds: instance.activeSince)), .bool(instance.isFlapping),
                ]
            })
    }

    // MARK: State

    var initialRows: [Row] { [stateRow(instances)] }

    /// - Parameter untoldSince: transitions from this time on are not yet handed to the notifiers.
    private func stateRow(_ instances: AlertInstances, untoldSince: Int64 = .max) -> Row {
        let queued = dispatcher.oldestUntold(of: definition.name, in: host.namespace.name)
        let untold = min(queued ?? .max, untoldSince)
        let since = untold == .max ? lastTransition &+ 1 : untold
        return host.stateRow(Self.statePart, "1;\(seenCommit);\(since);\(Base64.encode(instances.bytes))")
    }

    func checkpoint() throws(MartletError) {
        try host.commit([stateRow(instances)])
        lastWritten = host.namespace.clock.now().nanoseconds
    }

    private func restore(_ text: String, now: Int64) throws(MartletError) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "1", let commit = UInt64(parts[1]), let untold = Int64(parts[2]),
            let bytes = Base64.decode(parts[3])
        else {
            throw MartletError(
                .corrupt, "the stored state of the alert '\(definition.name)' is not one that this version wrote",
                hint: "CREATE OR REPLACE ALERT begins anew")
        }
        seenCommit = commit
        instances = try AlertInstances(bytes)
        lastTransition = untold &- 1
        if dispatcher.hasReceivers, untold > .min + 1 {
            dispatcher.submit(try AlertHistory.notifications(of: definition.name, since: untold, host))
        }
        guard let last = instances.lastEvaluation else { return }
        // What would have been evaluated is made up for in order, so that durations come out as if nothing had happened.
        let step = definition.interval ?? Self.heartbeat
        let count = (now - last - 1) / step
        guard count > 0 else { return }
        let first = max(1, count - Int64(Self.mostMissed) + 1)
        missed = (first...count).map { last + $0 * step }
    }
}

extension AlertRule {
    /// The rule that a statement defines.
    init(_ definition: AlertDefinition) throws(MartletError) {
        try self.init(
            name: definition.name, severity: definition.severity, labels: definition.labels,
            annotations: definition.annotations)
        duration = definition.duration
        keepFiring = definition.keepFiring
        groups = definition.groups
        limit = definition.limit
        flapLimit = definition.flapLimit
        flapWindow = definition.flapWindow
        noData = AlertRule.NoData(rawValue: definition.noData.rawValue) ?? .keep
    }
}

extension AlertSample {
    /// A row of a rule's query: texts are labels, all of them or those among `groups`; the column `value`, or else the
    /// first number, is the value.
    init(_ batch: RecordBatch, _ row: Int, groups: [String]?) {
        self.init(labels: [:], value: nil)
        var first: Double?
        for (column, values) in zip(batch.schema, batch.columns) {
            guard let value = values.value(at: row) else { continue }
            var number: Double?
            switch value {
            case .string(let text):
                if groups?.contains(column.name) ?? true { labels[column.name] = text }
                columns[column.name] = text
            case .float64(let value): number = value
            case .int64(let value): number = Double(value)
            case .uint64(let value): number = Double(value)
            case .bool(let value): columns[column.name] = "\(value)"
            case .timestamp(let time): columns[column.name] = TimeText.format(time.nanoseconds)
            case .interval(let interval): columns[column.name] = TimeText.format(interval)
            }
            guard let number else { continue }
            columns[column.name] = number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
            if column.name == "value" { self.value = number }
            first = first ?? number
        }
        value = value ?? first
    }
}
