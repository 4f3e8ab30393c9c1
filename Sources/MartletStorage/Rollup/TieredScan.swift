import MartletModel

/// A scan over a table whose older rows only rollups stand for: statistics from the tiers, the coarsest first, then
/// what rows there are.
///
/// A row is in exactly one tier, since moving it on is one commit; so the parts add up, whatever lies where. Series are
/// numbered part by part, so that one that is in several tiers has several numbers with the same tags.
final class TieredScan: TableScan {
    /// One tier that is read.
    private struct Part {
        var reader: TierReader
        var tier: TierTable
        /// What is added to the series' numbers of the tier's scan.
        var offset: UInt32
    }

    private let rows: MergeScan
    private let request: ScanRequest
    private var parts: [Part] = []
    private var nextPart = 0
    private var delivered = 0
    private(set) var notices: [ScanNotice] = []

    /// - Parameter tiers: those that hold rollups in the range of the request, the finest first.
    init(
        _ snapshot: NamespaceSnapshot, _ request: ScanRequest, base: TableDefinition,
        tiers: [(tier: TierTable, table: TableDefinition)], rows: MergeScan, context: QueryContext
    ) throws(MartletError) {
        self.rows = rows
        self.request = request
        guard request.summaries != nil else {
            notices = tiers.map { .onlyRollups(table: base.name, width: $0.tier.width) }
            return
        }
        var fields: [FieldDefinition] = []
        for name in request.fields { fields.append(try NamespaceSnapshot.field(name, of: base)) }
        var offset = UInt32(rows.seriesCount)
        for (tier, table) in tiers.reversed() {
            // A bucket counts where its first row lies; it may begin before.
            let widened = TimeRange(
                request.time.lowerBound < .min + tier.width ? .min : request.time.lowerBound - tier.width,
                request.time.upperBound)
            let reader = try TierReader(
                snapshot, table, fields: fields, time: widened, series: request.series,
                details: request.summaries?.details ?? [], context: context)
            parts.append(Part(reader: reader, tier: tier, offset: offset))
            offset += UInt32(reader.scan.seriesCount)
        }
    }

    var seriesCount: Int { rows.seriesCount + parts.reduce(0) { $0 + $1.reader.scan.seriesCount } }

    var statistics: ScanStatistics {
        var total = rows.statistics
        for part in parts {
            let figures = part.reader.scan.statistics
            total.segmentsRead = max(total.segmentsRead, figures.segmentsRead)
            total.vectorsRead += figures.vectorsRead
            total.vectorsPruned += figures.vectorsPruned
            total.bytesRead += figures.bytesRead
        }
        total.rowsDelivered += delivered
        return total
    }

    func tagCodes(_ key: String) throws(MartletError) -> SeriesTagCodes {
        var all = try rows.tagCodes(key)
        if parts.isEmpty { return all }
        var strings = (0..<all.dictionary.count).map { all.dictionary.string($0) }
        var known = Dictionary(strings.enumerated().map { ($1, UInt32($0)) }) { first, _ in first }
        var codes = all.codes
        for part in parts {
            let own = try part.reader.scan.tagCodes(key)
            let mapping = (0..<own.dictionary.count).map { entry -> UInt32 in
                let text = own.dictionary.string(entry)
                if let code = known[text] { return code }
                known[text] = UInt32(strings.count)
                strings.append(text)
                return UInt32(strings.count - 1)
            }
            codes += own.codes.map { $0 == SeriesTagCodes.absent ? $0 : mapping[Int($0)] }
        }
        all = SeriesTagCodes(dictionary: StringDictionary(strings), codes: codes)
        return all
    }

    func next() throws(MartletError) -> ScanItem? {
        while nextPart < parts.count {
            let part = parts[nextPart]
            guard let row = try part.reader.next() else {
                nextPart += 1
                continue
            }
            let time = row.bucket.time
            note(time, part.tier)
            guard request.time.contains(time.lowerBound) else { continue }
            noteUnknown(row.bucket, part.tier)
            delivered += 1
            return .summary(
                BlockSummary(
                    series: row.series + part.offset, rowCount: row.bucket.rowCount, time: time,
                    fields: row.bucket.fields.enumerated().map { index, field in
                        field?.summary
                            ?? FieldSummary(count: 0, sum: nil, min: nil, max: nil, first: nil, last: nil)
                    }))
        }
        return try rows.next()
    }

    /// Takes note of what is asked of fields and the rollup does not know.
    private func noteUnknown(_ bucket: RollupBucket, _ tier: TierTable) {
        guard let details = request.summaries?.details, !details.isEmpty else { return }
        for (index, wanted) in details.enumerated() where !wanted.isEmpty {
            guard let field = bucket.fields[index] else { continue }
            if wanted.contains(.quantiles) && field.sketch == nil || wanted.contains(.growth) && field.growth == nil
                || wanted.contains(.frequencies) && !(field.frequent?.isCertain ?? false)
            {
                let notice = ScanNotice.unknown(table: tier.base, width: tier.width, field: request.fields[index])
                if !notices.contains(notice) { notices.append(notice) }
            }
        }
    }

    /// Takes note of a rollup that stands for rows on both sides of a bound of the query.
    private func note(_ time: TimeRange, _ tier: TierTable) {
        let notice = ScanNotice.coarser(table: tier.base, width: tier.width)
        if notices.contains(notice) { return }
        let straddles =
            request.time.contains(time.lowerBound) != request.time.contains(time.upperBound)
            || request.summaries.map { !$0.isOneBucket(time) } ?? false
        if straddles { notices.append(notice) }
    }
}

extension SummaryGrain {
    /// Whether a range of time lies within one bucket. The difference to the origin may need 65 bits.
    func isOneBucket(_ time: TimeRange) -> Bool {
        guard let width else { return true }
        guard width > 0 else { return false }
        func bucket(_ moment: Int64) -> Int128 {
            let distance = Int128(moment) - Int128(origin)
            let quotient = distance / Int128(width)
            return distance < 0 && quotient * Int128(width) != distance ? quotient - 1 : quotient
        }
        return bucket(time.lowerBound) == bucket(time.upperBound)
    }
}
