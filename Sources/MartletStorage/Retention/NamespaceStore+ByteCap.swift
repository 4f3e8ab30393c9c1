import MartletModel

/// Keeping tables within a number of bytes, where a policy says one.
extension NamespaceStore {
    /// Lets the oldest rows and rollups of the policy's tables go until what is left is within its bytes.
    ///
    /// What counts are the stored blocks of the tables and of their tiers, but for what is erased; files hold some more.
    /// Whole buckets of the policy's widest tier go, so that no bucket is left in part.
    func enforceBytes(
        of policy: RetentionPolicy, isDryRun: Bool, _ pace: inout RetentionPace, _ context: QueryContext
    ) throws(MartletError) -> [RetentionReport] {
        guard let most = policy.mostBytes, policy.isEnabled else { return [] }
        let tables = currentState.catalog.sorted.filter { TierTable(named: $0.name) == nil && policy.concerns($0.name) }
        func stored() throws(MartletError) -> [StoredBytes] {
            var all: [StoredBytes] = []
            for table in tables { all += try currentState.storedBytes(of: table.name) }
            return all
        }
        var reports: [RetentionReport] = []
        for round in 0...Self.mostCuts {
            let found = try stored()
            let excess = found.reduce(0) { $0 + $1.bytes } - most
            if excess <= 0 { break }
            // What single devices' policies have erased counts until segments are rewritten, and is not to cost others' rows.
            if round == 0, !isDryRun, try reclaim() { continue }
            let end = StoredBytes.end(of: excess, in: found)
            for table in tables {
                for report in try cut(table, of: policy, through: end, isDryRun: isDryRun, &pace, context) {
                    if let known = reports.firstIndex(where: { $0.table == report.table && $0.source == report.source })
                    {
                        reports[known].move.add(report.move)
                        reports[known].cutoff = report.cutoff
                        reports[known].failure = report.failure ?? reports[known].failure
                    } else {
                        reports.append(report)
                    }
                }
            }
            if isDryRun || reports.contains(where: { $0.failure != nil }) { break }
            // What is left may take more room than its share of the time let expect.
            try reclaim()
        }
        return reports
    }

    /// How often more is cut off where less was gained than the rows' share of the time let expect.
    private static let mostCuts = 8

    /// Lets the rows and rollups of a table up to a moment go, with the bucket that it lies in.
    private func cut(
        _ table: TableDefinition, of policy: RetentionPolicy, through end: Int64, isDryRun: Bool,
        _ pace: inout RetentionPace, _ context: QueryContext
    ) throws(MartletError) -> [RetentionReport] {
        let tiers = currentState.catalog.tiers(of: table.name).map(\.tier.width)
        let widest = max(policy.tiers.last?.width ?? 1, tiers.last ?? 1)
        let (next, overflow) = TierTable(of: table.name, width: widest).start(of: end)
            .addingReportingOverflow(widest)
        var reports: [RetentionReport] = []
        for source in [nil] + tiers.map(Optional.some) {
            var report = RetentionReport(
                policy: policy.name, table: table.name, source: source, target: nil, cutoff: overflow ? .max : next)
            report.isForBytes = true
            if source == nil { report.destination = policy.destination }
            try carryOut(&report, .all, isDryRun: isDryRun, &pace, context)
            if report.move.sourceCount > 0 || report.failure != nil { reports.append(report) }
        }
        return reports
    }
}

/// The bytes of a stretch of time in one row group.
struct StoredBytes {
    var time: TimeRange
    var bytes: Int

    /// The bytes of rows before a moment, spread evenly over the stretch.
    private func bytes(through moment: Int64) -> Double {
        if moment < time.lowerBound { return 0 }
        if moment >= time.upperBound { return Double(bytes) }
        let span = Double(time.upperBound) - Double(time.lowerBound) + 1
        return Double(bytes) * (Double(moment) - Double(time.lowerBound) + 1) / span
    }

    /// The earliest moment up to which there are so many bytes. O(n log of the time).
    static func end(of bytes: Int, in all: [StoredBytes]) -> Int64 {
        var low = all.reduce(Int64.max) { min($0, $1.time.lowerBound) }
        var high = all.reduce(Int64.min) { max($0, $1.time.upperBound) }
        while low < high {
            // Half of the sum, which may need 65 bits.
            let middle = (low >> 1) + (high >> 1) + (low & high & 1)
            if all.reduce(0, { $0 + $1.bytes(through: middle) }) >= Double(bytes) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}

extension NamespaceState {
    /// The stored blocks of a table and its tiers, without the share of their time that is erased.
    func storedBytes(of table: String) throws(MartletError) -> [StoredBytes] {
        var found: [StoredBytes] = []
        for id in [catalog[table]?.id].compactMap(\.self) + catalog.tiers(of: table).map(\.table.id) {
            try forEachGroup(of: id) { group in
                let erasures = tombstones.filter { $0.series == nil && $0.concerns(group) }.map(\.tombstone.time)
                let bytes = Double(group.byteCount) * (1 - group.time.share(coveredBy: erasures))
                if bytes >= 1 { found.append(StoredBytes(time: group.time, bytes: Int(bytes))) }
            }
        }
        return found
    }
}

extension TimeRange {
    /// The share of a range that others cover together, from 0 to 1.
    func share(coveredBy others: some Sequence<TimeRange>) -> Double {
        func length(_ range: TimeRange) -> Double { Double(range.upperBound) - Double(range.lowerBound) + 1 }
        let rest = TimeRanges.rest(of: self, without: others).ranges.reduce(0) { $0 + length($1) }
        return 1 - rest / length(self)
    }
}
