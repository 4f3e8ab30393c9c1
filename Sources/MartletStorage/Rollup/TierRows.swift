import MartletModel

/// Rollups as rows of a tier's table.
enum TierRows {
    /// One row of a tier.
    struct Entry {
        /// Canonical tag bytes.
        var tags: [UInt8]
        /// When the bucket begins.
        var start: Int64
        var bucket: RollupBucket
    }

    /// The rows as a batch to append. `fields` are the base table's.
    static func batch(
        _ tier: TierTable, _ fields: [FieldDefinition], _ entries: [Entry]
    ) throws(MartletError) -> TableBatch {
        var schema = [
            ColumnDescription(TableSchema.timeColumn, .timestamp, .time),
            ColumnDescription("series", .string, .series),
        ]
        var columns = [Column(.timestamp, unsafeElements: entries.map(\.start)), seriesColumn(entries)]
        func add(_ name: String, _ type: ColumnType, _ values: [FieldValue?]) throws(MartletError) {
            schema.append(ColumnDescription(name, type, .field))
            columns.append(try Column(type, values))
        }
        try add(TierTable.rows, .int64, entries.map { .int64(Int64($0.bucket.rowCount)) })
        try add(TierTable.version, .int64, entries.map { _ in .int64(TierTable.detailedVersion) })
        try add(TierTable.firstTime, .int64, entries.map { .int64($0.bucket.time.lowerBound) })
        try add(TierTable.lastTime, .int64, entries.map { .int64($0.bucket.time.upperBound) })
        for (index, field) in fields.enumerated() {
            if !entries.contains(where: { $0.bucket.fields[index] != nil }) { continue }
            for part in TierTable.Part.allCases {
                guard let type = part.type(for: field.type) else { continue }
                let values = entries.map { entry in
                    entry.bucket.fields[index].flatMap { value(of: part, $0, entry.bucket) }
                }
                try add(part.column(of: field.name), type, values)
            }
        }
        return TableBatch(
            table: tier.name, batch: RecordBatch(schema: schema, columns: columns, rowCount: entries.count))
    }

    private static func seriesColumn(_ entries: [Entry]) -> Column {
        var codes: [UInt32] = []
        var known: [[UInt8]: UInt32] = [:]
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for entry in entries {
            if let code = known[entry.tags] {
                codes.append(code)
                continue
            }
            codes.append(UInt32(known.count))
            known[entry.tags] = UInt32(known.count)
            bytes += entry.tags
            offsets.append(Int32(bytes.count))
        }
        let dictionary = StringDictionary(offsets: Buffer(offsets), bytes: Buffer(bytes), count: known.count)
        return Column(indices: codes, dictionary: dictionary)
    }

    private static func value(
        of part: TierTable.Part, _ field: FieldRollup, _ bucket: RollupBucket
    ) -> FieldValue? {
        switch part {
        case .count: return field.count == bucket.rowCount ? nil : .int64(Int64(field.count))
        case .sum:
            return field.type == .float64
                ? .float64(field.floatSum) : .int64(Int64(truncatingIfNeeded: field.wideSum))
        case .sumHigh:
            let high = Int64(truncatingIfNeeded: field.wideSum >> 64)
            let isNarrow = Int128(Int64(truncatingIfNeeded: field.wideSum)) == field.wideSum
            return isNarrow ? nil : .int64(high)
        case .least: return field.least
        case .greatest: return field.greatest
        case .first: return field.first?.value
        case .last: return field.last?.value
        case .firstTime:
            guard let time = field.first?.time, time != bucket.time.lowerBound else { return nil }
            return .int64(time)
        case .lastTime:
            guard let time = field.last?.time, time != bucket.time.upperBound else { return nil }
            return .int64(time)
        case .sketch:
            guard let sketch = field.sketch, field.sketchByExtremes == nil else { return nil }
            return .string(sketch.text)
        case .frequent: return field.frequent.map { .string($0.text) }
        case .growth:
            guard let growth = field.growth else { return .float64(.nan) }
            return field.falls == 0 ? nil : .float64(growth)
        }
    }
}

extension FieldRollup {
    /// The quantiles where the extremes and the count tell them all.
    fileprivate var sketchByExtremes: QuantileSketch? {
        guard let low = least?.number, let high = greatest?.number, sketch?.count ?? count == count else { return nil }
        if count > 2 && low != high || sketch.map({ $0.hasNaN }) ?? false { return nil }
        var sketch = QuantileSketch()
        sketch.add(low, count: count - 1)
        sketch.add(high, count: 1)
        return sketch
    }

    /// Takes what a stored bucket says of quantiles.
    fileprivate func setSketch(_ text: String?) {
        guard type.isNumeric else { return }
        sketch =
            text.map { QuantileSketch(text: $0, least: least?.number, greatest: greatest?.number) } ?? sketchByExtremes
    }

    fileprivate func setFrequent(_ text: String?) { frequent = text.flatMap { FrequentValues(text: $0, type) } }

    /// Takes what a stored bucket says of a counter's growth.
    fileprivate func setGrowth(_ stored: Double?) {
        guard type.isNumeric else { return }
        if let stored {
            growth = stored.isNaN ? nil : stored
            falls = 1
        } else if let low = first?.value.number, let high = last?.value.number {
            growth = high - low
        }
    }
}

/// Reads a tier's rows back as rollups of the base table's fields.
final class TierReader {
    /// One row.
    struct Row {
        /// The series' number within the scan.
        var series: UInt32
        /// When the bucket begins.
        var start: Int64
        var bucket: RollupBucket
    }

    let scan: any IdentifiedScan
    private let fields: [FieldDefinition]
    /// For each field and part the column's place among the scan's, nil where the tier has none.
    private let places: [[Int?]]
    /// What is wanted of each field beside statistics.
    private let details: [SummaryDetails]
    /// The place of the column that says how much rollups know, where the tier has it.
    private let version: Int?
    private var batch: ScanBatch?
    private var run = 0
    private var row = 0

    /// - Parameter fields: the base table's fields that are wanted, in the order in which buckets give them.
    convenience init(
        _ snapshot: NamespaceSnapshot, _ tier: TableDefinition, fields: [FieldDefinition], time: TimeRange,
        series: TagPredicate, details: [SummaryDetails]? = nil, context: QueryContext
    ) throws(MartletError) {
        try self.init(tier, fields: fields, details: details) { (names) throws(MartletError) in
            try snapshot.rowScan(
                ScanRequest(table: tier.name, fields: names, time: time, series: series), context: context)
        }
    }

    /// - Parameters:
    ///   - details: what is wanted of the fields beside statistics; `nil` for everything.
    ///   - scan: begins a scan that gives these fields of the tier's table.
    init(
        _ tier: TableDefinition, fields: [FieldDefinition], details: [SummaryDetails]?,
        scan: (_ fields: [String]) throws(MartletError) -> any IdentifiedScan
    ) throws(MartletError) {
        var names = [TierTable.rows, TierTable.firstTime, TierTable.lastTime]
        version = tier.field(named: TierTable.version) == nil ? nil : names.count
        if version != nil { names.append(TierTable.version) }
        let details = fields.indices.map { index -> SummaryDetails in
            guard let details else { return [.quantiles, .frequencies, .growth] }
            return index < details.count ? details[index] : []
        }
        self.details = details
        places = zip(fields, details).map { field, wanted in
            var places = [Int?](repeating: nil, count: TierTable.Part.allCases.count)
            for part in TierTable.Part.allCases where tier.field(named: part.column(of: field.name)) != nil {
                if let detail = TierTable.Part.details[part], !wanted.contains(detail) { continue }
                places[part.rawValue] = names.count
                names.append(part.column(of: field.name))
            }
            return places
        }
        self.fields = fields
        self.scan = try scan(names)
    }

    /// The next rollup, or `nil` at the end.
    func next() throws(MartletError) -> Row? {
        while true {
            if let batch, run < batch.runs.count {
                let current = batch.runs[run]
                if row < Int(current.start + current.count) {
                    defer { row += 1 }
                    return bucket(batch, current.series, row)
                }
                run += 1
                continue
            }
            guard case .rows(let next)? = try scan.next() else { return nil }
            batch = next
            run = 0
            row = 0
        }
    }

    private func bucket(_ batch: ScanBatch, _ series: UInt32, _ row: Int) -> Row {
        func integer(_ place: Int?) -> Int64? {
            guard let place, case .int64(let number)? = batch.fields[place].value(at: row) else { return nil }
            return number
        }
        var bucket = RollupBucket(fieldCount: fields.count)
        bucket.rowCount = Int(integer(0) ?? 0)
        bucket.time = TimeRange(integer(1) ?? 0, integer(2) ?? 0)
        for (index, field) in fields.enumerated() {
            let places = places[index]
            func place(_ part: TierTable.Part) -> Int? { places[part.rawValue] }
            func value(_ part: TierTable.Part) -> FieldValue? {
                place(part).flatMap { batch.fields[$0].value(at: row) }?.converted(to: field.type)
            }
            guard let first = value(.first), let last = value(.last) else { continue }
            let rollup = FieldRollup(field.type)
            rollup.count = Int(integer(place(.count)) ?? Int64(bucket.rowCount))
            let moments = (
                integer(place(.firstTime)) ?? bucket.time.lowerBound,
                integer(place(.lastTime)) ?? bucket.time.upperBound
            )
            rollup.first = FieldRollup.Moment(time: moments.0, value: first)
            rollup.last = FieldRollup.Moment(time: moments.1, value: last)
            rollup.least = value(.least)
            rollup.greatest = value(.greatest)
            setSum(rollup, place(.sum).flatMap { batch.fields[$0].value(at: row) }, integer(place(.sumHigh)))
            func text(_ part: TierTable.Part) -> String? {
                guard case .string(let text)? = place(part).flatMap({ batch.fields[$0].value(at: row) }) else {
                    return nil
                }
                return text
            }
            (rollup.sketch, rollup.frequent, rollup.growth) = (nil, nil, nil)
            if !details[index].isEmpty, integer(version) ?? 0 >= TierTable.detailedVersion {
                if details[index].contains(.quantiles) { rollup.setSketch(text(.sketch)) }
                if details[index].contains(.frequencies) { rollup.setFrequent(text(.frequent)) }
                if details[index].contains(.growth) {
                    rollup.setGrowth(place(.growth).flatMap { batch.fields[$0].value(at: row)?.number })
                }
            }
            bucket.fields[index] = rollup
        }
        let start = batch.times.values.pointer(to: Int64.self)[row]
        withExtendedLifetime(batch) {}
        return Row(series: series, start: start, bucket: bucket)
    }

    /// The sum in the field's present type, whatever it was when the bucket was made.
    private func setSum(_ rollup: FieldRollup, _ low: FieldValue?, _ high: Int64?) {
        switch low {
        case .float64(let sum)?:
            rollup.floatSum = sum
            rollup.wideSum = Int128(exactly: sum.rounded()) ?? 0
        case .int64(let sum)?:
            rollup.wideSum =
                high.map { Int128($0) << 64 | Int128(UInt64(bitPattern: sum)) } ?? Int128(sum)
            rollup.floatSum = Double(rollup.wideSum)
        default: break
        }
    }
}
