import MartletModel

/// Each series' latest row, also of those of which only rollups are left: a rollup's last values are, where they were at
/// its last time, those of its last row.
///
/// Answered from the latest rows of the table and of its tiers, so without a scan.
final class TieredLatest: TableScan {
    private let rows: LatestScan
    private let catalog: SeriesCatalog
    /// The series of the tiers that have no row, by the order of their numbers, which follow those of `rows`.
    private var silent: [UInt32] = []
    private var batches: [ScanBatch] = []
    private var nextBatch = 0

    /// - Parameter tiers: the finest first.
    init(
        _ snapshot: NamespaceSnapshot, _ request: ScanRequest, rows: LatestScan,
        tiers: [(tier: TierTable, table: TableDefinition)], latestRows: LatestRows, context: QueryContext
    ) throws(MartletError) {
        self.rows = rows
        catalog = snapshot.series
        let base = try snapshot.definition(request.table)
        var fields: [FieldDefinition] = []
        for name in request.fields { fields.append(try NamespaceSnapshot.field(name, of: base)) }
        var known: Set<[UInt8]> = []
        try catalog.forEach(rows.deliveredSeries) { (_, tags) throws(MartletError) in known.insert([UInt8](tags)) }
        for (_, tier) in tiers {
            var inner = request
            inner.table = tier.name
            inner.fields = []
            let reader = try TierReader(tier, fields: fields, details: []) { (names) throws(MartletError) in
                inner.fields = names
                return try latestRows.scan(inner, of: snapshot, context)
            }
            try take(reader, fields, &known)
        }
    }

    /// Takes the last rows of the series that no finer tier knew.
    private func take(
        _ reader: TierReader, _ fields: [FieldDefinition], _ known: inout Set<[UInt8]>
    ) throws(MartletError) {
        var found: [(id: UInt32, bucket: RollupBucket)] = []
        while let row = try reader.next() { found.append((reader.scan.seriesID(row.series), row.bucket)) }
        var isNew: [Bool] = []
        try catalog.forEach(found.map(\.id)) { (_, tags) throws(MartletError) in
            isNew.append(known.insert([UInt8](tags)).inserted)
        }
        let new = zip(found, isNew).filter(\.1).map(\.0)
        if new.isEmpty { return }
        var columns: [Column] = []
        for (index, field) in fields.enumerated() {
            columns.append(
                try Column(
                    field.type,
                    new.map { (_, bucket) -> FieldValue? in
                        guard let last = bucket.fields[index]?.last, last.time == bucket.time.upperBound else {
                            return nil
                        }
                        return last.value
                    }))
        }
        let first = UInt32(rows.seriesCount + silent.count)
        batches.append(
            ScanBatch(
                rowCount: new.count,
                runs: new.indices.map { SeriesRun(series: first + UInt32($0), start: Int32($0), count: 1) },
                times: Column(.timestamp, unsafeElements: new.map(\.bucket.time.upperBound)), fields: columns))
        silent += new.map(\.id)
    }

    var seriesCount: Int { rows.seriesCount + silent.count }
    var statistics: ScanStatistics { rows.statistics }

    func tagCodes(_ key: String) throws(MartletError) -> SeriesTagCodes {
        try catalog.tagCodes(key, of: rows.selectedSeries + silent)
    }

    func next() throws(MartletError) -> ScanItem? {
        if let item = try rows.next() { return item }
        guard nextBatch < batches.count else { return nil }
        nextBatch += 1
        return .rows(batches[nextBatch - 1])
    }
}
