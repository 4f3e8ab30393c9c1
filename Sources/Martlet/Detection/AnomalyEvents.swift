import MartletModel
import MartletQuery
import MartletStorage
import MartletStream

/// The events that a detector found: listed, and acknowledged by people.
struct AnomalyEvents {
    private let definition: DetectorDefinition
    private let host: StreamContext

    init(_ definition: DetectorDefinition, _ host: StreamContext) {
        self.definition = definition
        self.host = host
    }

    private static let columns: [(name: String, type: ColumnType, sql: String)] = [
        ("start", .timestamp, "time"), ("detector", .string, "detector"), ("series", .string, "series"),
        ("severity", .string, "severity"), ("score", .float64, "peak_score"), ("peak_value", .float64, "peak_value"),
        ("rows", .int64, "rows"), ("end", .timestamp, "end_time"), ("peak", .timestamp, "peak_time"),
        ("is_over", .bool, "is_over"), ("acknowledged_by", .string, "acknowledged_by"),
        ("acknowledged_at", .timestamp, "acknowledged_at"), ("note", .string, "note"),
    ]

    /// The newest events, at most a thousand.
    func list() throws(MartletError) -> StreamAnswer {
        var answer = StreamAnswer(columns: Self.columns.map { ColumnDescription($0.name, $0.type) }, rows: [])
        guard let schema = try host.namespace.snapshot().schema(of: AnomalyRows.eventTable) else { return answer }
        let known = Set(schema.fields.map(\.name) + ["time", "detector"])
        let items = Self.columns.map { known.contains($0.sql) ? $0.sql : "NULL" }
        let query = try StandingQuery(
            "SELECT \(items.joined(separator: ", ")) FROM \(AnomalyRows.eventTable) WHERE detector = $1 "
                + "ORDER BY time DESC LIMIT 1000")
        for row in try host.queries.run(query, in: host.namespace, parameters: [.string(definition.name)]).rows() {
            answer.rows.append(
                zip(row, Self.columns).map { value, column in
                    guard column.type == .timestamp, case .int64(let time)? = value else { return value }
                    return .timestamp(Timestamp(nanoseconds: time))
                })
        }
        return answer
    }

    /// Writes who acknowledged events, when and why, into their rows: those of the series that carry `tags`, which began
    /// at `start`, or all that nobody has acknowledged.
    func acknowledge(
        _ tags: [(key: String, value: String)], _ start: Int64?, by who: String, _ note: String
    ) throws(MartletError) -> StreamAnswer {
        var rows: [Row] = []
        if let schema = try host.namespace.snapshot().schema(of: AnomalyRows.eventTable) {
            let scan = try host.namespace.snapshot().scan(
                ScanRequest(
                    table: AnomalyRows.eventTable,
                    fields: schema.fields.contains { $0.name == "acknowledged_by" } ? ["acknowledged_by"] : [],
                    time: start.map { TimeRange($0, $0) } ?? .all,
                    series: .and(
                        [.equals("detector", definition.name)]
                            + tags.map { .equals($0.key == "detector" ? "detector_" : $0.key, $0.value) })),
                context: QueryContext(memory: MemoryBudget(limit: 64 << 20), clock: host.namespace.clock))
            var codes: [(key: String, codes: SeriesTagCodes)] = []
            for tag in schema.tags { codes.append((tag, try scan.tagCodes(tag))) }
            let now = host.namespace.clock.now().nanoseconds
            while case .rows(let batch)? = try scan.next() {
                for run in batch.runs {
                    for row in Int(run.start)..<Int(run.start) + Int(run.count) {
                        if start == nil, batch.fields.first?.isValid(row) == true { continue }
                        guard case .timestamp(let time)? = batch.times.value(at: row) else { continue }
                        rows.append(
                            Row(
                                AnomalyRows.eventTable, tags: Self.tags(codes, Int(run.series)),
                                fields: [
                                    "acknowledged_by": .string(who), "acknowledged_at": .int64(now),
                                    "note": .string(note),
                                ], time: time))
                    }
                }
            }
        }
        guard !rows.isEmpty else {
            throw MartletError(
                .notFound, "the detector '\(definition.name)' has no such event that is not acknowledged",
                hint: "SHOW ANOMALIES OF \(definition.name) lists them")
        }
        try host.commit(rows)
        return StreamAnswer(
            columns: [ColumnDescription("statement", .string), ColumnDescription("acknowledged", .int64)],
            rows: [[.string("ACKNOWLEDGE ANOMALY"), .int64(Int64(rows.count))]])
    }

    private static func tags(_ codes: [(key: String, codes: SeriesTagCodes)], _ series: Int) -> [String: String] {
        var tags: [String: String] = [:]
        for (key, codes) in codes where codes.codes[series] != SeriesTagCodes.absent {
            tags[key] = codes.dictionary.string(Int(codes.codes[series]))
        }
        return tags
    }
}
