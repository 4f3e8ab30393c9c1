import MartletDetectors
import MartletModel
import MartletQuery

/// The rows that a detector writes about anomalous rows and about the events that they make up.
struct AnomalyRows {
    static let table = "_anomalies"
    static let eventTable = "_anomaly_events"
    static let modelTable = "_models"
    /// Normal rows after which an event is over.
    private static let quietRows: Int64 = 5

    /// What subscribers get of an anomalous row.
    static let columns = [
        ColumnDescription("time", .timestamp), ColumnDescription("detector", .string),
        ColumnDescription("series", .string), ColumnDescription("value", .float64),
        ColumnDescription("expected", .float64), ColumnDescription("score", .float64),
        ColumnDescription("severity", .string), ColumnDescription("is_alarm", .bool),
        ColumnDescription("reason", .string),
    ]

    private let definition: DetectorDefinition
    private var made: [Row] = []
    private var told: [[FieldValue?]] = []
    /// Events that changed, by series.
    private var events: [ObjectIdentifier: (state: SeriesState, event: SeriesState.Event, isOver: Bool)] = [:]
    private(set) var anomalyCount = 0

    init(_ definition: DetectorDefinition) { self.definition = definition }

    /// Takes note of what was said about a row.
    ///
    /// - Parameter speaks: Whether anything is written; a detector that still learns from the past says nothing of it.
    mutating func add(
        _ time: Int64, _ row: UnsafePointer<Double>, _ verdict: Verdict, _ state: SeriesState, speaks: Bool
    ) {
        guard let severity = verdict.severity else {
            guard var event = state.event else { return }
            event.quiet += 1
            state.event = event.quiet >= Self.quietRows ? nil : event
            if state.event == nil && speaks { note(event, state, isOver: true) }
            return
        }
        var event =
            state.event
            ?? SeriesState.Event(
                start: time, end: time, peakTime: time, peakSignificance: -1, peakScore: 0, peakValue: row[0],
                severity: severity, rowCount: 0, quiet: 0)
        event.end = time
        event.rowCount += 1
        event.quiet = 0
        event.severity = max(event.severity, severity)
        if verdict.significance > event.peakSignificance {
            event.peakSignificance = verdict.significance
            event.peakScore = verdict.score
            event.peakValue = row[0]
            event.peakTime = time
        }
        state.event = event
        if !speaks { return }
        note(event, state, isOver: false)
        anomalyCount += 1
        write(time, row, verdict, severity, event, state)
    }

    private mutating func note(_ event: SeriesState.Event, _ state: SeriesState, isOver: Bool) {
        // An event that ended and one that began within one step are two rows.
        if let former = events[ObjectIdentifier(state)], former.event.start != event.start {
            made.append(row(of: former.event, former.state, isOver: former.isOver))
        }
        events[ObjectIdentifier(state)] = (state, event, isOver)
    }

    private mutating func write(
        _ time: Int64, _ row: UnsafePointer<Double>, _ verdict: Verdict, _ severity: Severity,
        _ event: SeriesState.Event, _ state: SeriesState
    ) {
        let explanation = state.scorer.scorer.detector.explanation
        var fields: [String: FieldValue] = [
            "series": .string(state.name), "score": .float64(verdict.score),
            "significance": .float64(verdict.significance), "severity": .string(severity.name),
            "is_alarm": .bool(verdict.isAlarm), "method": .string(definition.method),
            "model_version": .int64(state.version), "reason": .string(explanation.reason),
            "event_start": .int64(event.start),
        ]
        if row[0].isFinite { fields["value"] = .float64(row[0]) }
        if let expected = explanation.expected { fields["expected"] = .float64(expected) }
        if let bounds = explanation.bounds {
            fields["lower"] = .float64(bounds.lowerBound)
            fields["upper"] = .float64(bounds.upperBound)
        }
        if definition.values.count > 1 {
            fields["values"] = .string((0..<definition.values.count).map { "\(row[$0])" }.joined(separator: ", "))
            fields["contributors"] = .string(
                explanation.contributors.map { definition.values[$0] }.joined(separator: ", "))
        }
        made.append(
            Row(
                Self.table, tags: Self.tags(definition.name, state.tags), fields: fields,
                time: Timestamp(nanoseconds: time)))
        told.append([
            .timestamp(Timestamp(nanoseconds: time)), .string(definition.name), .string(state.name), fields["value"],
            fields["expected"], fields["score"], fields["severity"], fields["is_alarm"], fields["reason"],
        ])
    }

    private func row(of event: SeriesState.Event, _ state: SeriesState, isOver: Bool) -> Row {
        var fields: [String: FieldValue] = [
            "series": .string(state.name), "end_time": .int64(event.end), "peak_time": .int64(event.peakTime),
            "peak_score": .float64(event.peakScore), "peak_significance": .float64(event.peakSignificance),
            "severity": .string(event.severity.name), "rows": .int64(event.rowCount), "is_over": .bool(isOver),
            "model_version": .int64(state.version),
        ]
        if event.peakValue.isFinite { fields["peak_value"] = .float64(event.peakValue) }
        return Row(
            Self.eventTable, tags: Self.tags(definition.name, state.tags), fields: fields,
            time: Timestamp(nanoseconds: event.start))
    }

    /// Takes note of what a row changed about a series' model: `_models` gets a row for each model, at the time from which
    /// it judges, and the model's accuracy when that is known.
    mutating func noteModel(_ change: AdaptiveScorer.Change, _ state: SeriesState) {
        guard change != .relearnt, let since = state.scorer.judgesSince else { return }
        let model = state.scorer
        var fields: [String: FieldValue] = [
            "series": .string(state.name), "version": .int64(state.version),
        ]
        if change == .learnt {
            fields["method"] = .string(definition.method)
            fields["parameters"] = .string(model.scorer.parameters.text)
            fields["cause"] = .string(model.relearnings > 0 ? "drift" : state.version > 1 ? "training" : "creation")
            fields["trained_from"] = .int64(model.learntFrom ?? since)
            fields["trained_at"] = .int64(state.trainedAt ?? since)
            fields["remarks"] = .string(model.scorer.detector.remarks.joined(separator: "; "))
        } else if let accuracy = model.accuracy {
            fields["held_back_rows"] = .int64(Int64(accuracy.rows))
            fields["false_share"] = .float64(accuracy.falseShare)
            fields["recall_spikes"] = .float64(accuracy.spikes.share)
            fields["recall_shifts"] = .float64(accuracy.shifts.share)
            fields["recall_flat_lines"] = .float64(accuracy.flatLines.share)
        }
        made.append(
            Row(
                Self.modelTable, tags: Self.tags(definition.name, state.tags, model: state.version), fields: fields,
                time: Timestamp(nanoseconds: since)))
    }

    /// The tags of what is written about a series: its own, the detector's name, and the version of a model.
    static func tags(
        _ detector: String, _ tags: [(key: String, value: String)], model version: Int64? = nil
    ) -> [String: String] {
        var result = ["detector": detector]
        if let version { result["model"] = "\(version)" }
        for (key, value) in tags { result[result[key] == nil ? key : key + "_"] = value }
        return result
    }

    /// Everything that is to be appended.
    var rows: [Row] {
        made
            + events.values.sorted { $0.event.start < $1.event.start }.map {
                row(of: $0.event, $0.state, isOver: $0.isOver)
            }
    }

    /// The anomalous rows for subscribers, `nil` where there are none.
    func batch() throws(MartletError) -> RecordBatch? {
        if told.isEmpty { return nil }
        var columns: [Column] = []
        for (place, column) in Self.columns.enumerated() {
            columns.append(try Column(column.type, told.map { $0[place] }))
        }
        return RecordBatch(schema: Self.columns, columns: columns, rowCount: told.count)
    }
}
