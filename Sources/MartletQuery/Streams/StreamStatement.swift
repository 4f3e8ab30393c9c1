import MartletModel

/// What stands in a namespace and works by itself as rows are committed.
package enum StreamKind: String, Sendable, Hashable, CaseIterable {
    case continuousQuery = "continuous query"
    case detector
    case alert

    /// The words that name it in a statement.
    package var words: String { rawValue.uppercased() }
}

/// From where on a new stream works.
package enum StreamStart: Sendable, Hashable {
    /// With the rows that are committed from now on.
    case now
    /// With everything that is stored.
    case everything
    /// With rows of this time (nanoseconds since 1970) and later.
    case from(Int64)
}

/// `CREATE CONTINUOUS QUERY name AS SELECT ... GROUP BY time_bucket(...) INTO table`.
package struct ContinuousQueryDefinition: Sendable {
    package var name: String
    /// The query alone.
    package var query: StandingQuery
    /// The table that its rows go into.
    package var target: String
    /// Nanoseconds that rows may be late before their bucket is given out; later ones correct it.
    package var lateness: Int64
    package var start: StreamStart
}

/// `CREATE DETECTOR name ON table(value, ...)`.
package struct DetectorDefinition: Sendable {
    package var name: String
    package var table: String
    /// The values of a row, as SQL.
    package var values: [String]
    /// The condition on rows, as SQL.
    package var filter: String?
    /// The tags by which rows belong together; `nil`: all of the table's, series by series.
    package var groups: [String]?
    package var method: String
    /// `name = number, ...`.
    package var parameters: String
    /// The times to learn from, where they are given.
    package var baseline: TimeRange?
    /// Nanoseconds that a row may be late and still be judged in order.
    package var lateness: Int64
    package var retraining: Retraining
    package var start: StreamStart

    /// From when on rows are learnt from that come before those that are spoken of: 14 days before, where no baseline says
    /// otherwise.
    package static func learningStart(before time: Int64) -> Int64 {
        let (start, overflow) = time.subtractingReportingOverflow(14 * 86_400_000_000_000)
        return overflow ? .min : start
    }

    /// When a detector learns anew by itself.
    package struct Retraining: Sendable, Hashable {
        /// A series whose rows have stayed unusual for long.
        package var onDrift: Bool
        /// All series, after so many nanoseconds.
        package var interval: Int64?

        package init(onDrift: Bool, interval: Int64? = nil) {
            self.onDrift = onDrift
            self.interval = interval
        }
    }
}

/// `DETECT ANOMALIES IN table(value, ...)`: a detector for one answer.
package struct AdHocDetection: Sendable {
    /// What is judged and how; its name is empty.
    package var definition: DetectorDefinition
    /// Gives the rows, in place of a table.
    package var query: StandingQuery?
    /// The times that are spoken of.
    package var time: TimeRange
}

/// `CREATE ALERT name AS SELECT ...`.
package struct AlertDefinition: Sendable {
    /// What becomes of an alert while its query has no data.
    package enum NoData: String, Sendable { case keep, alert, resolve }

    package var name: String
    package var query: StandingQuery
    /// While this gives an instance's labels, a firing alert stays.
    package var clear: StandingQuery?
    /// Nanoseconds that the condition must hold before an alert fires.
    package var duration: Int64
    /// Nanoseconds that it fires on after the condition has ended.
    package var keepFiring: Int64
    /// Nanoseconds between evaluations; `nil`: with every commit that concerns it.
    package var interval: Int64?
    package var severity: String
    package var labels: [(key: String, value: String)]
    package var annotations: [(key: String, value: String)]
    package var noData: NoData
    /// The columns that tell instances apart; `nil`: all that are texts.
    package var groups: [String]?
    /// Nanoseconds by which the queries' `now()` lies behind the clock, so that late rows are there.
    package var lateness: Int64
    /// The most instances.
    package var limit: Int
    /// So many firings within `flapWindow` nanoseconds keep an instance up; 0: never.
    package var flapLimit: Int
    package var flapWindow: Int64
    /// Nanoseconds without a row after which there is no data.
    package var noDataAfter: Int64
}

/// A stream as its statement defines it.
package enum StreamDefinition: Sendable {
    case continuousQuery(ContinuousQueryDefinition)
    case detector(DetectorDefinition)
    case alert(AlertDefinition)

    package var kind: StreamKind {
        switch self {
        case .continuousQuery: .continuousQuery
        case .detector: .detector
        case .alert: .alert
        }
    }

    package var name: String {
        switch self {
        case .continuousQuery(let definition): definition.name
        case .detector(let definition): definition.name
        case .alert(let definition): definition.name
        }
    }

    /// Reads the CREATE statement that a definition was stored as.
    package init(statement sql: String) throws(MartletError) {
        guard case .stream(.create(let definition, _, _)) = try Parser.statement(in: SourceText(sql)).0 else {
            throw MartletError(.corrupt, "the stored definition of a stream is not a CREATE statement: \(sql)")
        }
        self = definition
    }
}

/// A statement on streams.
package enum StreamStatement: Sendable {
    /// What SHOW lists.
    package enum Listing: Sendable { case continuousQueries, detectors, alerts, anomalies, models, activeAlerts }

    case create(StreamDefinition, text: String, replaces: Bool)
    case drop(StreamKind, String, ifExists: Bool)
    case setEnabled(StreamKind, String, Bool)
    case train(String, TimeRange?)
    case detect(AdHocDetection)
    case show(Listing, of: String?)
    case acknowledge(detector: String, tags: [(key: String, value: String)], start: Int64?, by: String, note: String)
    case subscribe(String)
}

/// What a statement on streams answers.
package struct StreamAnswer: Sendable {
    package var columns: [ColumnDescription]
    package var rows: [[FieldValue?]]
    /// Further rows, for as long as the client wants them: waits until there are some; `nil` at the end.
    package var more: (@Sendable (QueryCancellation) throws(MartletError) -> RecordBatch?)?

    package init(
        columns: [ColumnDescription], rows: [[FieldValue?]],
        more: (@Sendable (QueryCancellation) throws(MartletError) -> RecordBatch?)? = nil
    ) {
        self.columns = columns
        self.rows = rows
        self.more = more
    }
}

/// Throws when the statement that waits was cancelled.
package typealias QueryCancellation = () throws(MartletError) -> Void

/// Carries out statements on streams. The facade gives the engine one; without it they are refused.
package protocol StreamHost: Sendable {
    /// - Throws: `.notFound`, `.alreadyExists`, `.invalidArgument`, `.semantic`; what storage throws.
    ///   `.cancelled` and `.timeout` as `check` does.
    func run(
        _ statement: StreamStatement, namespace: String, check: QueryCancellation
    ) throws(MartletError) -> StreamAnswer
}
