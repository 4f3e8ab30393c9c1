import MartletDetectors
import MartletModel
import MartletQuery
import MartletStorage
import MartletStream

/// Judges the rows of a table by a detector for each series, and writes what is anomalous into `_anomalies` and
/// `_anomaly_events`.
///
/// Rows of one series are judged in order of time, each once: the series' cursor stands at the last one that was. What
/// a commit brings is found by its range of time and read from storage. The learnt states are written down from time to
/// time together with the position that they belong to; after a crash the rows since are judged again and give the same
/// rows with the same keys.
final class DetectorTask: StreamTask {
    /// Rows that a step wants to judge: a slice of time is made longer or shorter until it has about so many.
    private static let rowsPerStep = 40_000
    /// The most rows of one step, beyond which the slice is cut instead.
    private static let mostRows = 250_000
    private static let firstSlice: Int64 = 60_000_000_000
    /// Rows for each series after which states are written down, and nanoseconds.
    private static let rowsPerCheckpoint = 2_000
    private static let checkpointInterval: Int64 = 3_600_000_000_000
    /// 16 KiB a second.
    private static let nanosecondsPerStateByte: Int64 = 61_035
    private static let statePart = "detector"
    /// A detector rests where it judged less than one row in so many that it read, and so long at most.
    private static let leastShare = 8
    private static let longestRest: Int64 = 10_000_000_000

    let definition: DetectorDefinition
    private let host: StreamContext
    private let registry: DetectorRegistry
    private let reads: SharedDetectorReads
    private var hasJoined = false
    /// Reads this detector's values alone.
    private let reader: DetectorReader
    private let clock: any Clock
    private(set) var figures = StreamFigures()
    private var series: [SeriesState] = []
    /// The place in `series` of each group; -1 for one without rows so far.
    private var places: [Int] = []

    private var seenCommit: UInt64 = 0
    private var pending = TimeRanges()
    private var newest = Int64.min
    /// Rows before `reads` are not read, and those before `speaks` are learnt from in silence.
    private var start: (reads: Int64, speaks: Int64) = (.min, .min)
    private var baseline: TimeRange?
    private var modelVersion: Int64 = 1
    /// When all series last began to learn anew.
    private var trainedAt: Int64
    private var slice = DetectorTask.firstSlice
    private var rowsSinceCheckpoint = 0
    /// Rows that the last slice judged, of those that it read, and until when the detector rests.
    private var judgedRows = 0
    private var restUntil = Int64.min
    private var lastCheckpoint: Int64?
    /// Whether rows were judged whose verdicts could not be written: the states are then ahead of what is stored.
    private var isAhead = false

    init(
        _ definition: DetectorDefinition, _ host: StreamContext, registry: DetectorRegistry, pool: DetectorReadsPool
    ) throws(MartletError) {
        self.definition = definition
        self.host = host
        self.registry = registry
        clock = host.namespace.clock
        baseline = definition.baseline
        trainedAt = clock.now().nanoseconds
        reads = try pool.reads(for: definition, host.namespace, host.queries)
        reader = try DetectorReader(definition, definition.values, reads.groups, host.namespace, host.queries)
        _ = try registry.scorer(definition.method, definition.parameters, dimensions: definition.values.count)
        if try !restore() {
            let stored = try host.namespace.snapshot().timesChanged(of: definition.table, after: 0)
            if !stored.isEmpty { start = firstLook(at: stored) }
        }
        reads.join(definition.values)
        hasJoined = true
    }

    deinit { if hasJoined { reads.leave(definition.values) } }

    var outputColumns: [ColumnDescription] { AnomalyRows.columns }

    // MARK: Working

    func step(_ moment: StreamMoment) throws(MartletError) -> StreamStep {
        if isAhead {
            // As after a crash: the rows since the stored states are judged again.
            _ = try restore()
            isAhead = false
        }
        let changed = try moment.snapshot.timesChanged(of: definition.table, after: seenCommit)
        if !changed.isEmpty {
            newest = max(newest, changed.upperBound)
            pending.add(TimeRange(max(changed.lowerBound, start.reads), changed.upperBound))
        }
        seenCommit = moment.snapshot.commit
        figures.lag = pending.ranges.first.map { max(0, newest - $0.lowerBound) } ?? 0
        guard let first = pending.ranges.first else {
            guard let interval = definition.retraining.interval else { return StreamStep() }
            if moment.now - trainedAt < interval { return StreamStep(due: trainedAt + interval) }
            try train(nil)
            return StreamStep(hasMore: true)
        }
        if moment.now < restUntil { return StreamStep(due: restUntil) }
        var upper = first.upperBound
        if definition.lateness > 0 {
            // Rows wait until later ones, or the clock, say that those before them are there.
            let (ripe, overflow) = max(newest, moment.now).subtractingReportingOverflow(definition.lateness)
            if overflow || ripe < first.lowerBound { return StreamStep(due: first.lowerBound + definition.lateness) }
            upper = min(upper, ripe)
        }
        let (end, overflow) = first.lowerBound.addingReportingOverflow(slice - 1)
        try judge(TimeRange(first.lowerBound, overflow ? upper : min(upper, end)), now: moment.now)
        let rest = pending.ranges.first
        return StreamStep(hasMore: rest.map { $0.lowerBound <= upper } ?? false, due: rest.map { _ in moment.now })
    }

    /// From where a new detector reads, and from where it speaks: by default it learns from what is stored, and speaks
    /// of what comes.
    private func firstLook(at stored: TimeRange) -> (reads: Int64, speaks: Int64) {
        func before(_ time: Int64) -> Int64 { baseline?.lowerBound ?? DetectorDefinition.learningStart(before: time) }
        switch definition.start {
        case .everything: return (.min, .min)
        case .from(let time): return (before(time), time)
        case .now: return (before(stored.upperBound), stored.upperBound == .max ? .max : stored.upperBound + 1)
        }
    }

    /// The rows of a range, with what other detectors of the table want of them, and the places of this one's values; nil
    /// where there are too many.
    private func rows(of range: TimeRange) throws(MartletError) -> (rows: DetectorRows, places: [Int])? {
        do throws(MartletError) {
            guard let rows = try reads.rows(of: range, at: seenCommit, limit: Self.mostRows) else { return nil }
            if let places = rows.places(of: definition.values) { return (rows, places) }
        } catch {
            // Another's value cannot be read, or this one's, which then says so by itself.
        }
        return try reader.rows(of: range, limit: Self.mostRows).map { ($0, Array(0..<definition.values.count)) }
    }

    private func judge(_ range: TimeRange, now: Int64) throws(MartletError) {
        let begun = clock.monotonicNanoseconds()
        guard let (read, places) = try rows(of: range) else {
            slice = max(1, slice / 8)
            return
        }
        var output = AnomalyRows(definition)
        judgedRows = 0
        isAhead = true
        var current: (group: Int, state: SeriesState)?
        try read.forEachRow(places) { (group, time, row) throws(MartletError) in
            let state: SeriesState
            if let current, current.group == group {
                state = current.state
            } else {
                state = try self.state(of: group)
                current = (group, state)
            }
            try judge(time, row, state, into: &output)
        }
        pending.remove(range)
        figures.rowsIn += read.rowCount
        figures.rowsOut += output.anomalyCount
        rowsSinceCheckpoint += read.rowCount
        figures.series = series.count
        var rows = output.rows
        if isCheckpointDue(now) {
            rows += try checkpointRows()
            lastCheckpoint = now
        }
        try host.commit(rows)
        isAhead = false
        if host.hasSubscribers, let batch = try output.batch() { host.publish(batch) }
        let spent = clock.monotonicNanoseconds() - begun
        figures.nanoseconds += spent
        // Late rows have it read much again that it has judged: it lets some of them come together then.
        if judgedRows * Self.leastShare < read.rowCount { restUntil = now + min(spent * 9, Self.longestRest) }
        let whole = range.upperBound &- range.lowerBound &+ 1
        if read.rowCount < Self.rowsPerStep / 4, whole >= slice {
            slice = slice.multipliedReportingOverflow(by: 4).overflow ? slice : slice * 4
        } else if read.rowCount > Self.rowsPerStep * 4 {
            slice = max(1, slice / 2)
        }
    }

    private func state(of group: Int) throws(MartletError) -> SeriesState {
        if group < places.count, places[group] >= 0 { return series[places[group]] }
        let scorer = try registry.scorer(
            definition.method, definition.parameters, dimensions: definition.values.count)
        let state = SeriesState(
            tags: reads.groups.tags[group],
            scorer: AdaptiveScorer(scorer, registry: registry, followsDrift: definition.retraining.onDrift),
            firstVersion: modelVersion)
        add(state, group)
        return state
    }

    private func judge(
        _ time: Int64, _ row: UnsafePointer<Double>, _ state: SeriesState, into output: inout AnomalyRows
    ) throws(MartletError) {
        if time <= state.cursor { return }
        judgedRows += 1
        state.cursor = time
        state.isChanged = true
        state.rowCount += 1
        if state.firstTime == nil { state.firstTime = time }
        if let baseline, !state.isTrained {
            if time < baseline.lowerBound { return }
            if time <= baseline.upperBound {
                state.learning.append(time, row)
                return
            }
            try train(state)
        }
        let verdict: Verdict?
        do throws(MartletError) { verdict = try state.scorer.score(time, row) } catch {
            // One series that nothing can be learnt from holds up no other; it tries again with its next rows.
            figures.remark = "\(state.name): \(error.message)"
            return
        }
        if let change = state.scorer.change {
            if change == .learnt { state.trainedAt = clock.now().nanoseconds }
            output.noteModel(change, state)
        }
        if let verdict { output.add(time, row, verdict, state, speaks: time >= start.speaks) }
    }

    private func add(_ state: SeriesState, _ group: Int) {
        while places.count <= group { places.append(-1) }
        places[group] = series.count
        series.append(state)
    }

    private func train(_ state: SeriesState) throws(MartletError) {
        state.isTrained = true
        let rows = state.learning
        state.learning = Baseline(dimensions: definition.values.count)
        if rows.count == 0 { return }
        do throws(MartletError) { try state.scorer.train(rows) } catch {
            // A series without a usable baseline learns as it goes on.
            figures.remark = "\(state.name): \(error.message)"
        }
    }

    // MARK: State

    private func isCheckpointDue(_ now: Int64) -> Bool {
        // Rows that are still collected for a baseline are in no state: they are read again.
        if series.contains(where: { $0.learning.count > 0 }) { return false }
        guard let last = lastCheckpoint else { return pending.isEmpty }
        // Large states are written seldom: a byte a row, and so many a second.
        return rowsSinceCheckpoint >= max(Self.rowsPerCheckpoint * max(series.count, 1), figures.stateBytes)
            || (rowsSinceCheckpoint > 0
                && now - last >= max(Self.checkpointInterval, Int64(figures.stateBytes) * Self.nanosecondsPerStateByte))
    }

    func checkpoint() throws(MartletError) {
        if isAhead { return }
        if series.contains(where: { $0.learning.count > 0 }) { return }
        isAhead = true
        try host.commit(try checkpointRows())
        isAhead = false
    }

    private func checkpointRows() throws(MartletError) -> [Row] {
        rowsSinceCheckpoint = 0
        var bytes = 0
        var rows: [Row] = []
        for state in series {
            bytes += state.scorer.stateBytes
            if !state.isChanged { continue }
            state.isChanged = false
            rows.append(host.stateRow(state.name.isEmpty ? "series" : "series " + state.name, state.encoded))
        }
        figures.stateBytes = bytes
        rows.append(positionRow)
        return rows
    }

    /// From where a new detector speaks is known when it is made, and not from what is stored later.
    var initialRows: [Row] { [positionRow] }

    private var positionRow: Row {
        let position = [
            "2", "\(seenCommit)", pending.text, "\(newest)", "\(start.reads)", "\(start.speaks)",
            "\(modelVersion)", baseline.map { "\($0.lowerBound):\($0.upperBound)" } ?? "",
            "\(trainedAt)",
        ]
        return host.stateRow(Self.statePart, position.joined(separator: ";"))
    }

    /// - Returns: whether there was a state.
    private func restore() throws(MartletError) -> Bool {
        let stored = try host.storedState()
        guard let position = stored[Self.statePart] else { return false }
        let parts = position.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 9, parts[0] == "2", let commit = UInt64(parts[1]), let ranges = TimeRanges(text: parts[2]),
            let newest = Int64(parts[3]), let reads = Int64(parts[4]), let speaks = Int64(parts[5]),
            let version = Int64(parts[6]), let baseline = TimeRanges(text: parts[7]), let trainedAt = Int64(parts[8])
        else { throw SeriesState.corrupt(definition.name) }
        series = []
        places = []
        rowsSinceCheckpoint = 0
        seenCommit = commit
        pending = ranges
        self.newest = newest
        start = (reads, speaks)
        modelVersion = version
        self.baseline = baseline.ranges.first
        self.trainedAt = trainedAt
        for (part, text) in stored.sorted(by: { $0.key < $1.key }) where part != Self.statePart {
            let state = try SeriesState(
                decoding: text, of: definition.name, registry: registry, followsDrift: definition.retraining.onDrift)
            // What was learnt before TRAIN is not the model's any more, and may not be erased yet.
            if state.firstVersion != modelVersion { continue }
            add(state, self.reads.groups.number(of: state.tags))
        }
        return true
    }

    // MARK: Statements

    /// Forgets what was learnt and learns anew, from the range or from the last 14 days, as the next version.
    private func train(_ range: TimeRange?) throws(MartletError) {
        isAhead = true
        modelVersion = series.reduce(modelVersion) { max($0, $1.version) } + 1
        series = []
        places = []
        baseline = range
        let speaks = newest == .min ? Int64.min : newest &+ 1
        start = (range?.lowerBound ?? DetectorDefinition.learningStart(before: newest), speaks)
        pending = TimeRanges()
        seenCommit = 0
        rowsSinceCheckpoint = 0
        lastCheckpoint = nil
        trainedAt = clock.now().nanoseconds
        try host.commit(initialRows)
        isAhead = false
        try host.eraseState(except: Self.statePart)
    }

    func run(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer? {
        switch statement {
        case .train(_, let range):
            try train(range ?? definition.baseline)
            return StreamAnswer(
                columns: [
                    ColumnDescription("statement", .string), ColumnDescription("name", .string),
                    ColumnDescription("model_version", .int64),
                ], rows: [[.string("TRAIN DETECTOR"), .string(definition.name), .int64(modelVersion)]])
        case .show(.models, _): return models()
        case .show(.anomalies, _): return try AnomalyEvents(definition, host).list()
        case .acknowledge(_, let tags, let start, let who, let note):
            return try AnomalyEvents(definition, host).acknowledge(tags, start, by: who, note)
        default: return nil
        }
    }

    private func models() -> StreamAnswer {
        let columns = [
            ColumnDescription("detector", .string), ColumnDescription("series", .string),
            ColumnDescription("method", .string), ColumnDescription("version", .int64),
            ColumnDescription("rows", .int64), ColumnDescription("trained_from", .timestamp),
            ColumnDescription("trained_to", .timestamp), ColumnDescription("bytes", .int64),
            ColumnDescription("remarks", .string), ColumnDescription("trained_at", .timestamp),
            ColumnDescription("recall_spikes", .float64), ColumnDescription("recall_shifts", .float64),
            ColumnDescription("recall_flat_lines", .float64), ColumnDescription("false_share", .float64),
        ]
        func moment(_ time: Int64?) -> FieldValue? { time.map { .timestamp(Timestamp(nanoseconds: $0)) } }
        let rows = series.sorted { $0.name < $1.name }.map { state -> [FieldValue?] in
            [
                .string(definition.name), .string(state.name), .string(definition.method), .int64(state.version),
                .int64(state.rowCount), moment(state.scorer.learntFrom ?? state.firstTime),
                moment(state.firstTime == nil ? nil : state.cursor), .int64(Int64(state.scorer.stateBytes)),
                .string(state.scorer.scorer.detector.remarks.joined(separator: "; ")), moment(state.trainedAt),
                state.scorer.accuracy.map { .float64($0.spikes.share) },
                state.scorer.accuracy.map { .float64($0.shifts.share) },
                state.scorer.accuracy.map { .float64($0.flatLines.share) },
                state.scorer.accuracy.map { .float64($0.falseShare) },
            ]
        }
        return StreamAnswer(columns: columns, rows: rows)
    }
}
