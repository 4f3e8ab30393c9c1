import MartletDetectors
import MartletModel
import MartletQuery
import MartletStorage

/// `DETECT ANOMALIES IN ...`: judges stored rows once, for one answer, and keeps nothing.
struct DetectionRunner {
    /// Rows of a table that are read together, about, and at most.
    private static let rowsPerSlice = 200_000
    private static let mostRows = 4_000_000
    private static let mostAnomalies = 1_000_000

    private let detection: AdHocDetection
    private let namespace: any NamespaceEngine
    private let registry: DetectorRegistry
    private let reader: DetectorReader
    private var definition: DetectorDefinition { detection.definition }

    init(
        _ detection: AdHocDetection, _ namespace: any NamespaceEngine, _ queries: QueryEngine,
        _ registry: DetectorRegistry
    ) throws(MartletError) {
        self.detection = detection
        self.namespace = namespace
        self.registry = registry
        let groups = try DetectorReader.groups(detection.definition, source: detection.query, namespace, queries)
        reader = try DetectorReader(
            detection.definition, detection.definition.values, source: detection.query, groups, namespace, queries)
        _ = try registry.scorer(
            definition.method, definition.parameters, dimensions: definition.values.count)
    }

    private final class Series {
        let name: String
        let scorer: AnomalyScorer
        var baseline: Baseline?
        var last = Int64.min
        var rowCount = 0
        var isJudged = false

        init(_ name: String, _ scorer: AnomalyScorer, learns: Bool) {
            self.name = name
            self.scorer = scorer
            baseline = learns ? Baseline(dimensions: scorer.dimensions) : nil
        }
    }

    private typealias Finding = (time: Int64, series: String, values: [FieldValue?])

    private static let columns = [
        ColumnDescription("time", .timestamp), ColumnDescription("series", .string),
        ColumnDescription("value", .float64), ColumnDescription("expected", .float64),
        ColumnDescription("lower", .float64), ColumnDescription("upper", .float64),
        ColumnDescription("score", .float64), ColumnDescription("severity", .string),
        ColumnDescription("is_alarm", .bool), ColumnDescription("contributors", .string),
        ColumnDescription("reason", .string),
    ]

    /// The anomalous rows of the time that is spoken of, by time and series.
    ///
    /// - Throws: `.resourceExhausted` for a query of more than 4 million rows and for more than a million anomalies; what
    ///   queries throw; what `check` throws.
    func run(_ check: QueryCancellation) throws(MartletError) -> StreamAnswer {
        var answer: [Finding] = []
        var series: [Int: Series] = [:]
        var rest = try times()
        // A query over buckets must not be cut; a table is read in slices.
        var slice = detection.query == nil ? Int64(3_600_000_000_000) : .max
        while !rest.isEmpty {
            try check()
            let (end, overflow) = rest.lowerBound.addingReportingOverflow(slice - 1)
            let range = TimeRange(rest.lowerBound, overflow ? rest.upperBound : min(end, rest.upperBound))
            guard let read = try reader.rows(of: range, limit: Self.mostRows) else {
                if detection.query != nil || slice == 1 {
                    throw MartletError(
                        .resourceExhausted, "there are more than \(Self.mostRows) rows to judge at once",
                        hint: "FROM 'time' TO 'time' narrows them")
                }
                slice = max(1, slice / 8)
                continue
            }
            try judge(read, &series, &answer, check)
            if range.upperBound == rest.upperBound { break }
            rest = TimeRange(range.upperBound + 1, rest.upperBound)
            if read.rowCount < Self.rowsPerSlice / 4 { slice = slice > Int64.max / 4 ? .max : slice * 4 }
            if read.rowCount > Self.rowsPerSlice * 4 { slice = max(1, slice / 2) }
        }
        try checkJudged(series.values)
        answer.sort { ($0.time, $0.series) < ($1.time, $1.series) }
        return StreamAnswer(columns: Self.columns, rows: answer.map(\.values))
    }

    /// That nothing was found must not mean that nothing was looked at.
    private func checkJudged(_ series: some Collection<Series>) throws(MartletError) {
        guard let longest = series.max(by: { $0.rowCount < $1.rowCount }), !series.contains(where: \.isJudged) else {
            return
        }
        let parameters = longest.scorer.parameters
        let wanted = parameters.integer("baseline") + parameters.integer("warmup")
        throw MartletError(
            .invalidArgument,
            "no row could be judged: '\(definition.method)' learns from at least \(wanted) rows first, and the longest of "
                + "\(series.count) series has \(longest.rowCount)",
            hint:
                "\(definition.method)(baseline = ...) learns from fewer; FROM .. TO .. only says what is spoken of, and 14 "
                + "days before it are learnt from")
    }

    /// The times to read: those that are spoken of, and before them those to learn from.
    private func times() throws(MartletError) -> TimeRange {
        var range = detection.time
        range = TimeRange(DetectorDefinition.learningStart(before: range.lowerBound), range.upperBound)
        if let baseline = definition.baseline {
            range = TimeRange(min(range.lowerBound, baseline.lowerBound), max(range.upperBound, baseline.upperBound))
            // What comes before the baseline is neither learnt from nor judged.
            range = TimeRange(max(range.lowerBound, baseline.lowerBound), range.upperBound)
        }
        guard detection.query == nil else { return range }
        return try namespace.snapshot().timesChanged(of: definition.table, after: 0).intersection(range)
    }

    private func judge(
        _ read: DetectorRows, _ series: inout [Int: Series], _ answer: inout [Finding],
        _ check: QueryCancellation
    ) throws(MartletError) {
        var found: [Finding] = []
        var current: (group: Int, state: Series)?
        try read.forEachRow(Array(0..<definition.values.count)) { (group, time, row) throws(MartletError) in
            let state: Series
            if let current, current.group == group {
                state = current.state
            } else {
                try check()
                if let present = series[group] { state = present } else { state = try made(group) }
                series[group] = state
                current = (group, state)
            }
            // Of two rows of one time and series the first is judged.
            if time <= state.last && state.last != .min { return }
            state.last = time
            state.rowCount += 1
            if let baseline = definition.baseline, state.baseline != nil {
                if time <= baseline.upperBound {
                    state.baseline?.append(time, row)
                    return
                }
                if let rows = state.baseline, rows.count > 0 { try state.scorer.train(rows) }
                state.baseline = nil
            }
            let verdict: Verdict?
            do throws(MartletError) { verdict = try state.scorer.score(time, row) } catch {
                throw MartletError(
                    error.code, "\(state.name.isEmpty ? "the rows" : state.name): \(error.message)", hint: error.hint)
            }
            if verdict != nil { state.isJudged = true }
            guard let verdict, let severity = verdict.severity,
                detection.time.contains(time)
            else { return }
            found.append((time, state.name, values(time, row, verdict, severity, state)))
        }
        answer += found
        if answer.count > Self.mostAnomalies {
            throw MartletError(
                .resourceExhausted, "more than \(Self.mostAnomalies) rows are anomalous",
                hint: "FROM 'time' TO 'time' narrows them, and a higher bar = makes fewer")
        }
    }

    private func made(_ group: Int) throws(MartletError) -> Series {
        Series(
            PairList.encode(reader.groups.tags[group].map { ($0.key, $0.value) }),
            try registry.scorer(definition.method, definition.parameters, dimensions: definition.values.count),
            learns: definition.baseline != nil)
    }

    private func values(
        _ time: Int64, _ row: UnsafePointer<Double>, _ verdict: Verdict, _ severity: Severity, _ state: Series
    ) -> [FieldValue?] {
        let explanation = state.scorer.detector.explanation
        return [
            .timestamp(Timestamp(nanoseconds: time)), .string(state.name), row[0].isFinite ? .float64(row[0]) : nil,
            explanation.expected.map { .float64($0) }, explanation.bounds.map { .float64($0.lowerBound) },
            explanation.bounds.map { .float64($0.upperBound) }, .float64(verdict.score), .string(severity.name),
            .bool(verdict.isAlarm),
            .string(explanation.contributors.map { definition.values[$0] }.joined(separator: ", ")),
            .string(explanation.reason),
        ]
    }
}
