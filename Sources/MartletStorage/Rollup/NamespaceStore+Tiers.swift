import MartletModel

/// One move of rows from a tier to the next: what it read, what it wrote, and whether the counts agree.
package struct TierMove: Sendable, Hashable {
    /// Rows of the table that what was moved stands for.
    package var rowCount = 0
    /// Rows or rollups taken from the source.
    package var sourceCount = 0
    /// Rollups written to the target.
    package var rollupCount = 0
    /// Rows that the written rollups stand for: those moved, and those that were in the same buckets before.
    package var rolledRowCount = 0
    /// Rows that the target's buckets stood for before.
    package var formerRowCount = 0
    /// Rows that were exported before they went, and the bytes of the files.
    package var archivedRowCount = 0
    package var archivedByteCount = 0
    /// The first and last time of the moved rows.
    package var time = TimeRange.empty

    /// Whether the target stands for as many rows as went in.
    package var isComplete: Bool { rollupCount == 0 || rolledRowCount == rowCount + formerRowCount }

    mutating func add(_ other: TierMove) {
        rowCount += other.rowCount
        sourceCount += other.sourceCount
        rollupCount += other.rollupCount
        rolledRowCount += other.rolledRowCount
        formerRowCount += other.formerRowCount
        archivedRowCount += other.archivedRowCount
        archivedByteCount += other.archivedByteCount
        time = time.union(other.time)
    }
}

/// Moving rows through the tiers. Each move is one commit that writes the rollups and erases what they stand for: every
/// row counts once at any moment, for readers and after any crash.
extension NamespaceStore {
    /// What to move.
    struct TierStep: Sendable {
        /// The table whose rows they are.
        var table: String
        var series: TagPredicate
        /// Whole buckets of the target.
        var range: TimeRange
        /// The width of the source's buckets, or `nil` for the rows themselves.
        var source: Int64?
        /// The width of the target's buckets, or `nil` to let the rows go.
        var target: Int64?

        func name(_ width: Int64?) -> String { width.map { TierTable(of: table, width: $0).name } ?? table }
    }

    /// What a step read, ready to be written.
    struct Reading: Sendable {
        var move = TierMove()
        /// The rollups, if there are any, and what else belongs to the commit.
        var batches: [AppendBatch] = []
        var sourceTable: UInt32
        /// The canonical tag bytes of the series, or `nil` for all.
        var erased: [[UInt8]]?
    }

    /// Moves the rows of one range of time. Others append meanwhile; what they add to the range is moved with it.
    ///
    /// - Parameter commits: `false` only says what would be done.
    func move(_ step: TierStep, commits: Bool = true) throws(MartletError) -> TierMove {
        if !commits { return try read(step, currentState).move }
        return try change(
            reading: { (state) throws(MartletError) in try read(step, state) },
            whileStill: { reading, former, present in holds(reading, step, former: former, present: present) },
            writing: { (writer, reading) throws(MartletError) in try write(reading, step, writer) })
    }

    /// Whether what was read of a former state is what a present one has.
    func holds(_ reading: Reading, _ step: TierStep, former: NamespaceState, present: NamespaceState) -> Bool {
        let target = step.target.flatMap { present.catalog[step.name($0)]?.id }
        return former.catalog[step.table] == present.catalog[step.table]
            && former.erasureEpoch == present.erasureEpoch
            && !present.holdsRows(of: reading.sourceTable, in: step.range, after: former.commit)
            && !(target.map { present.holdsRows(of: $0, in: step.range, after: former.commit) } ?? false)
    }

    /// Writes what was read and erases what it came from.
    func write(
        _ reading: Reading, _ step: TierStep, _ writer: NamespaceWriter
    ) throws(MartletError) -> TierMove {
        if reading.move.sourceCount == 0 { return reading.move }
        try writer.commit(reading.batches) { commit in
            Tombstone(commit: commit, table: reading.sourceTable, time: step.range, series: reading.erased)
        }
        return reading.move
    }

    func read(_ step: TierStep, _ state: NamespaceState) throws(MartletError) -> Reading {
        let snapshot = NamespaceSnapshot(state, series: series, core: core)
        let context = QueryContext(memory: core.budget, clock: core.clock)
        let base = try snapshot.definition(step.table)
        let source = try snapshot.definition(step.name(step.source))
        var reading = Reading(sourceTable: source.id)
        var buckets = RollupTable(fields: base.fields, width: step.target ?? .max)
        if step.source == nil {
            reading.move.sourceCount = try buckets.addRows(of: step, snapshot, series, context)
        } else {
            reading.move.sourceCount = try buckets.addRollups(of: source, step, snapshot, series, context)
        }
        reading.move.rowCount = buckets.rowCount
        reading.move.time = buckets.time
        if reading.move.sourceCount == 0 { return reading }
        if case .all = step.series {} else { reading.erased = try seriesBytes(of: source.id, step.series, state) }
        guard let width = step.target else { return reading }
        let tier = TierTable(of: step.table, width: width)
        if let target = state.catalog[tier.name] {
            let before = buckets.rowCount
            _ = try buckets.addRollups(of: target, step, snapshot, series, context, onlyKnown: true)
            reading.move.formerRowCount = buckets.rowCount - before
        }
        let entries = buckets.entries
        reading.move.rollupCount = entries.count
        reading.move.rolledRowCount = entries.reduce(0) { $0 + $1.bucket.rowCount }
        reading.batches = [try AppendBatch(TierRows.batch(tier, base.fields, entries))]
        return reading
    }
}

/// Rollups under construction, by series and bucket.
struct RollupTable {
    private struct Key: Hashable {
        var series: Int
        var start: Int64
    }

    private let fields: [FieldDefinition]
    private let tier: TierTable
    private var numbers: [[UInt8]: Int] = [:]
    private var tags: [[UInt8]] = []
    private var buckets: [Key: RollupBucket] = [:]
    private(set) var rowCount = 0
    private(set) var time = TimeRange.empty

    init(fields: [FieldDefinition], width: Int64) {
        self.fields = fields
        tier = TierTable(of: "", width: width)
    }

    /// The rollups by series and time.
    ///
    /// A field whose values fall often is no counter: what it grew is of no use, and takes room.
    var entries: [TierRows.Entry] {
        let counters = counterFields
        return buckets.sorted { ($0.key.series, $0.key.start) < ($1.key.series, $1.key.start) }.map {
            let bucket = $0.value
            for field in fields.indices where !counters[$0.key.series * fields.count + field] {
                bucket.fields[field]?.growth = nil
            }
            return TierRows.Entry(tags: tags[$0.key.series], start: $0.key.start, bucket: bucket)
        }
    }

    /// Of a counter's values fewer than one in so many is less than the one before.
    private static let valuesPerFall = 8

    /// For each series and field whether its values here may be a counter's.
    private var counterFields: [Bool] {
        var counts = [(values: Int, falls: Int)](repeating: (0, 0), count: tags.count * fields.count)
        for (key, bucket) in buckets {
            for (field, rollup) in bucket.fields.enumerated() {
                guard let rollup else { continue }
                counts[key.series * fields.count + field].values += rollup.count
                counts[key.series * fields.count + field].falls += rollup.falls
            }
        }
        return counts.map { $0.falls * Self.valuesPerFall <= max($0.values, Self.valuesPerFall) }
    }

    /// The numbers here of a scan's series.
    private mutating func numbered(
        _ scan: any IdentifiedScan, _ catalog: SeriesCatalog
    ) throws(MartletError) -> [Int] {
        var result: [Int] = []
        let ids = (0..<scan.seriesCount).map { scan.seriesID(UInt32($0)) }
        var found: [[UInt8]] = []
        try catalog.forEach(ids) { (_, bytes) throws(MartletError) in found.append([UInt8](bytes)) }
        for bytes in found {
            if let number = numbers[bytes] {
                result.append(number)
            } else {
                numbers[bytes] = tags.count
                result.append(tags.count)
                tags.append(bytes)
            }
        }
        return result
    }

    /// Adds the rows of the step's table and range; gives their number.
    mutating func addRows(
        of step: NamespaceStore.TierStep, _ snapshot: NamespaceSnapshot, _ catalog: SeriesCatalog,
        _ context: QueryContext
    ) throws(MartletError) -> Int {
        let scan = try snapshot.rowScan(
            ScanRequest(table: step.table, fields: fields.map(\.name), time: step.range, series: step.series),
            context: context)
        let numbers = try numbered(scan, catalog)
        var count = 0
        while case .rows(let batch)? = try scan.next() {
            count += batch.rowCount
            let times = batch.times.values.pointer(to: Int64.self)
            for run in batch.runs {
                var row = Int(run.start)
                let end = row + Int(run.count)
                while row < end {
                    let start = tier.start(of: times[row])
                    var next = row + 1
                    // The distance may need all of 64 bits.
                    while next < end && UInt64(bitPattern: times[next] &- start) < UInt64(tier.width) { next += 1 }
                    add(batch, row..<next, times, Key(series: numbers[Int(run.series)], start: start))
                    row = next
                }
            }
            withExtendedLifetime(batch) {}
        }
        return count
    }

    private mutating func add(_ batch: ScanBatch, _ rows: Range<Int>, _ times: UnsafePointer<Int64>, _ key: Key) {
        let fields = fields
        let range = TimeRange(times[rows.lowerBound], times[rows.upperBound - 1])
        rowCount += rows.count
        time = time.union(range)
        func extend(_ bucket: inout RollupBucket) {
            bucket.rowCount += rows.count
            bucket.time = bucket.time.union(range)
            for (index, column) in batch.fields.enumerated() where column.nullCount < column.count {
                let field = bucket.fields[index] ?? FieldRollup(fields[index].type)
                field.add(column, rows, times: times)
                if field.count > 0 { bucket.fields[index] = field }
            }
        }
        extend(&buckets[key, default: RollupBucket(fieldCount: fields.count)])
    }

    /// Adds rollups of a tier; gives their number.
    ///
    /// - Parameter onlyKnown: only those of buckets that are here already.
    mutating func addRollups(
        of table: TableDefinition, _ step: NamespaceStore.TierStep, _ snapshot: NamespaceSnapshot,
        _ catalog: SeriesCatalog, _ context: QueryContext, onlyKnown: Bool = false
    ) throws(MartletError) -> Int {
        let reader = try TierReader(
            snapshot, table, fields: fields, time: step.range, series: step.series, context: context)
        let numbers = try numbered(reader.scan, catalog)
        var count = 0
        while let row = try reader.next() {
            let key = Key(series: numbers[Int(row.series)], start: tier.start(of: row.start))
            if onlyKnown && buckets[key] == nil { continue }
            buckets[key, default: RollupBucket(fieldCount: fields.count)].merge(row.bucket)
            rowCount += row.bucket.rowCount
            time = time.union(row.bucket.time)
            count += 1
        }
        return count
    }
}
