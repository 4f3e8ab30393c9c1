import MartletModel
import MartletQuery
import MartletStorage

/// Keeps a table filled with what a query over time buckets gives.
///
/// Commits mark the buckets of their rows; a marked bucket whose time is over is worked out anew from storage and
/// written over what stood for it. Late rows and corrections mark their buckets once more, so that the table always ends
/// up as if the query had been run over everything. What is marked is kept with the rows that are written, in the same
/// commit.
package final class ContinuousQueryTask: StreamTask {
    /// Rows that one step writes, about.
    private static let rowsPerStep = 50_000
    /// Of the time, the share that may be spent on this query is one in so many.
    private static let restFactor: Int64 = 9
    /// Nanoseconds between two runs, at least and at most.
    private static let leastPause: Int64 = 100_000_000
    private static let longestPause: Int64 = 10_000_000_000
    private static let statePart = "buckets"

    private let definition: ContinuousQueryDefinition
    private let host: StreamContext
    private let source: String
    private let buckets: StandingQueryShape.Buckets
    /// The target's columns, in the query's order.
    package let outputColumns: [ColumnDescription]
    package private(set) var figures = StreamFigures()

    /// Commits up to this one have marked their buckets.
    private var seenCommit: UInt64
    private var marked = TimeRanges()
    /// Marked because rows were erased: what the query no longer gives has to go.
    private var erased = TimeRanges()
    /// Erasures that were told of and have not marked their buckets yet, and those whose marks are not stored yet.
    private var noticed: [ErasureNotes.Erasure] = []
    private var unstored: [ErasureNotes.Erasure] = []
    private var newest = Int64.min
    private var bucketsPerStep: Int64 = 1
    private var restUntil = Int64.min

    package init(_ definition: ContinuousQueryDefinition, _ host: StreamContext) throws(MartletError) {
        self.definition = definition
        self.host = host
        let shape = try host.queries.shape(of: definition.query, in: host.namespace)
        func refused(_ why: String, _ hint: String) -> MartletError {
            MartletError(.semantic, "the continuous query '\(definition.name)' \(why)", hint: hint)
        }
        guard shape.tables.count == 1 else {
            throw refused(
                "reads \(shape.tables.count) tables", "a continuous query reads one; join when you query its result")
        }
        guard let buckets = shape.buckets else {
            throw refused(
                "does not group by time buckets of a fixed width",
                "SELECT time_bucket('1 minute', time) AS time, host, avg(usage) AS usage FROM cpu GROUP BY 1, 2")
        }
        if shape.isLimited {
            throw refused("has a LIMIT", "each bucket's rows are kept whole; use LIMIT when you query")
        }
        source = shape.tables[0]
        if source == definition.target { throw refused("writes into the table that it reads", "name another table") }
        self.buckets = buckets
        outputColumns = try Self.columns(shape, buckets, definition)
        seenCommit = definition.start == .now ? host.createdAtCommit : 0
        if let text = try host.storedState()[Self.statePart] { try restore(text) }
        noticed = try host.storedErasures()
        if case .from(let time) = definition.start {
            // What lies before is marked by its commits as well and is taken out again where it is.
            floor = buckets.covering(TimeRange(time, time)).lowerBound
        }
    }

    /// Buckets before are not worked out.
    private var floor = Int64.min

    /// The columns of the target: the bucket is its time, other keys are tags, the rest are fields.
    private static func columns(
        _ shape: StandingQueryShape, _ buckets: StandingQueryShape.Buckets, _ definition: ContinuousQueryDefinition
    ) throws(MartletError) -> [ColumnDescription] {
        var columns: [ColumnDescription] = []
        for (place, column) in shape.columns.enumerated() {
            var column = column
            if place == buckets.column {
                column = ColumnDescription(TableSchema.timeColumn, .timestamp, .time)
            } else if shape.keys.contains(place) {
                guard column.type == .string else {
                    throw MartletError(
                        .semantic, "'\(column.name)' is a \(column.type.name) and would have to be a tag",
                        hint: "group by time and tags, or CAST it to VARCHAR in the GROUP BY")
                }
                column.role = .tag
            } else {
                guard column.type.isFieldType else {
                    throw MartletError(
                        .semantic, "'\(column.name)' is a \(column.type.name), which no field can be",
                        hint: "CAST it to a number or VARCHAR")
                }
                column.role = .field
            }
            if columns.contains(where: { $0.name == column.name }) {
                throw MartletError(
                    .semantic, "two columns are called '\(column.name)'", hint: "name one of them with AS")
            }
            columns.append(column)
        }
        guard columns.contains(where: { $0.role == .field }) else {
            throw MartletError(.semantic, "nothing is selected beside the keys", hint: "add an aggregate: count(*)")
        }
        return columns
    }

    /// Makes the target where there is none.
    ///
    /// - Throws: `.typeConflict` where there is one whose columns are others.
    package func prepare() throws(MartletError) {
        guard let present = try host.namespace.snapshot().schema(of: definition.target) else {
            return try host.namespace.createTable(
                TableSchema(
                    name: definition.target, tags: outputColumns.filter { $0.role == .tag }.map(\.name),
                    fields: outputColumns.filter { $0.role == .field }))
        }
        for column in outputColumns {
            let field = present.fields.first { $0.name == column.name }
            let conflicts =
                column.role == .field
                ? field.map { $0.type != column.type } ?? present.tags.contains(column.name)
                : column.role == .tag && field != nil
            if conflicts {
                throw MartletError(
                    .typeConflict, "the table '\(definition.target)' has a column '\(column.name)' of another type",
                    at: .column(table: definition.target, column: column.name),
                    hint: "name another table, or CAST the column")
            }
        }
    }

    // MARK: Working

    package func noteErasure(of table: String, _ erasure: ErasureNotes.Erasure) {
        // One that happened as the query was loaded was read with the others.
        if table == source, !noticed.contains(erasure), !unstored.contains(erasure) { noticed.append(erasure) }
    }

    /// Marks the buckets of erased rows that rows of the target stand for.
    private func markErased(_ snapshot: any ReadSnapshot) throws(MartletError) {
        if noticed.isEmpty { return }
        let present = buckets.covering(try snapshot.timesChanged(of: definition.target, after: 0))
        for time in noticed.map(\.time) where time.overlaps(present) {
            let range = buckets.covering(time.intersection(present))
            marked.add(range)
            erased.add(range)
        }
        unstored += noticed
        noticed = []
    }

    package func step(_ moment: StreamMoment) throws(MartletError) -> StreamStep {
        let changed = try moment.snapshot.timesChanged(of: source, after: seenCommit)
        seenCommit = moment.snapshot.commit
        if !changed.isEmpty {
            marked.add(buckets.covering(changed))
            if floor > .min { marked.remove(TimeRange(.min, floor - 1)) }
            newest = max(newest, changed.upperBound)
        }
        try markErased(moment.snapshot)
        if marked.isEmpty {
            figures.lag = 0
            try forgetErasures()
            return StreamStep()
        }
        guard let first = marked.ranges.first else { return StreamStep() }
        let end = buckets.covering(TimeRange(first.lowerBound, first.lowerBound)).upperBound
        var closed = earlier(moment.now)
        if end >= closed, newest <= end {
            figures.lag = 0
            return StreamStep(due: later(end))
        }
        if moment.now < restUntil { return StreamStep(due: restUntil) }
        let clock = host.namespace.clock
        let begun = clock.monotonicNanoseconds()
        if end >= closed {
            // Rows are ahead of the clock: then the series say how far they have come.
            closed = earlier(
                try SeriesWatermark.least(of: source, since: first.lowerBound, in: moment.snapshot, clock: clock))
            if end >= closed {
                restUntil = moment.now + pause(after: clock.monotonicNanoseconds() - begun)
                figures.lag = 0
                return StreamStep(due: later(end))
            }
        }
        try work(from: first, closed: closed)
        let spent = clock.monotonicNanoseconds() - begun
        figures.nanoseconds += spent
        let isBehind = marked.ranges.first.map {
            buckets.covering(TimeRange($0.lowerBound, $0.lowerBound)).upperBound < closed
        }
        figures.lag = marked.ranges.first.map { max(0, moment.now - $0.lowerBound) } ?? 0
        restUntil = moment.now + (isBehind == true ? Self.leastPause : pause(after: spent))
        return StreamStep(hasMore: false, due: marked.isEmpty ? nil : restUntil)
    }

    /// What lies before a moment by as much as rows may be late: buckets that end before are over. Being wrong about it
    /// costs work, never a wrong row: what comes later marks the bucket again.
    private func earlier(_ time: Int64) -> Int64 {
        let (earlier, overflow) = time.subtractingReportingOverflow(definition.lateness)
        return overflow ? .min : earlier
    }

    /// When the clock has passed the end of a bucket by as much as rows may be late.
    private func later(_ end: Int64) -> Int64? {
        let (later, overflow) = end.addingReportingOverflow(definition.lateness + 1)
        return overflow ? nil : later
    }

    private func pause(after spent: Int64) -> Int64 {
        min(max(Self.leastPause, spent * Self.restFactor), Self.longestPause)
    }

    /// Works out the first marked buckets that are over.
    private func work(from first: TimeRange, closed: Int64) throws(MartletError) {
        let start = buckets.covering(TimeRange(first.lowerBound, first.lowerBound)).lowerBound
        let reach = buckets.width.multipliedReportingOverflow(by: bucketsPerStep)
        let last = start.addingReportingOverflow(reach.overflow ? .max : reach.partialValue - 1)
        var range = TimeRange(start, min(last.overflow ? .max : last.partialValue, first.upperBound))
        // The last bucket that is over ends before `closed`.
        let open = buckets.covering(TimeRange(closed, closed)).lowerBound
        if range.upperBound >= open { range.upperBound = open - 1 }
        range = buckets.covering(range)

        let result = try host.queries.run(definition.query, in: host.namespace, over: range)
        var batches: [RecordBatch] = []
        var rows = 0
        while let batch = try result.next() {
            rows += batch.rowCount
            batches.append(RecordBatch(schema: outputColumns, columns: batch.columns, rowCount: batch.rowCount))
        }
        // What is still marked is so once the commit that says it has succeeded, and not before.
        var (marked, erased) = (marked, erased)
        marked.remove(range)
        erased.remove(range)
        let stateRow = stateRow(marked: marked, erased: erased)
        if let notice = result.notices.first {
            // Retention has moved the rows on, and what is left of them cannot give the answer: the former one stays.
            figures.remark = "kept what stood for \(Self.text(range)): \(notice)"
            try host.commit([stateRow])
            (self.marked, self.erased) = (marked, erased)
            return try forgetErasures()
        }
        if self.erased.overlaps(range), try host.namespace.snapshot().schema(of: definition.target) != nil {
            _ = try host.namespace.delete(from: definition.target, time: range, series: .all)
        }
        try host.commit([stateRow], batches.map { TableBatch(table: definition.target, batch: $0) })
        (self.marked, self.erased) = (marked, erased)
        try forgetErasures()
        figures.rowsOut += rows
        if host.hasSubscribers { for batch in batches { host.publish(batch) } }
        let perBucket = max(1, Int64(rows) / max(1, bucketsPerStep))
        bucketsPerStep = min(max(1, Int64(Self.rowsPerStep) / perBucket), bucketsPerStep * 8, 1 << 20)
    }

    /// The stored state, or that nothing is marked, accounts for what was erased.
    private func forgetErasures() throws(MartletError) {
        if unstored.isEmpty { return }
        try host.forget(unstored)
        unstored = []
    }

    private static func text(_ range: TimeRange) -> String {
        "\(TimeText.format(range.lowerBound)) to \(TimeText.format(range.upperBound))"
    }

    // MARK: State

    private func stateRow(marked: TimeRanges, erased: TimeRanges) -> Row {
        host.stateRow(Self.statePart, "1;\(seenCommit);\(marked.text);\(erased.text)")
    }

    package func checkpoint() throws(MartletError) { try host.commit([stateRow(marked: marked, erased: erased)]) }

    private func restore(_ text: String) throws(MartletError) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "1", let commit = UInt64(parts[1]), let marked = TimeRanges(text: parts[2]),
            let erased = TimeRanges(text: parts[3])
        else {
            throw MartletError(
                .corrupt, "the stored state of '\(definition.name)' is not one that this version wrote",
                hint: "CREATE OR REPLACE CONTINUOUS QUERY with BACKFILL works everything out anew")
        }
        seenCommit = commit
        self.marked = marked
        self.erased = erased
    }
}
