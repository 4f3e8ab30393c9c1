import MartletModel

/// Erasures: a tombstone in the log at once, the bytes gone with the next merge that meets the rows.
extension NamespaceStore {
    /// Erases rows, and every rollup whose bucket overlaps the range, in one commit. They are counted while others
    /// append; see `change(reading:whileStill:writing:)`.
    func delete(
        from name: String, time: TimeRange, series predicate: TagPredicate
    ) throws(MartletError) -> Int {
        let note = try observer?.willErase(from: name, time)
        var count = 0
        defer {
            // Also where it failed: a commit that was not acknowledged may have happened.
            if count > 0 || note != nil { observer?.changed(.erasure(table: name, time: time, note: note)) }
        }
        count = try change(
            reading: { (state) throws(MartletError) in
                try erasures(from: name, time: time, series: predicate, in: state)
            },
            whileStill: { erasures, former, present in
                former.catalog[name] == present.catalog[name]
                    && former.catalog.tiers(of: name).map(\.table) == present.catalog.tiers(of: name).map(\.table)
                    && erasures.allSatisfy { !present.holdsRows(of: $0.table, in: $0.time, after: former.commit) }
            },
            writing: { (writer, erasures) throws(MartletError) in
                let found = erasures.filter { $0.rowCount > 0 }
                if found.isEmpty { return 0 }
                let commit = writer.commit + 1
                try writer.commit(
                    changes: [],
                    tombstones: found.map {
                        Tombstone(commit: commit, table: $0.table, time: $0.time, series: $0.series)
                    })
                return found.reduce(0) { $0 + $1.rowCount }
            })
        return count
    }

    /// What a deletion concerns in one table.
    private struct Erasure: Sendable {
        var table: UInt32
        var time: TimeRange
        /// Rows that are erased or that erased rollups stand for.
        var rowCount = 0
        /// The canonical tag bytes of the series, or `nil` for all of the table.
        var series: [[UInt8]]?
    }

    /// What a deletion concerns in a table and its tiers.
    private func erasures(
        from name: String, time: TimeRange, series predicate: TagPredicate, in state: NamespaceState
    ) throws(MartletError) -> [Erasure] {
        let snapshot = NamespaceSnapshot(state, series: series, core: core)
        let context = QueryContext(memory: core.budget, clock: core.clock)
        let base = try snapshot.definition(name)
        var rows = Erasure(table: base.id, time: time)
        let scan = try snapshot.rowScan(
            ScanRequest(table: name, fields: [], time: time, series: predicate), context: context)
        while case .rows(let batch)? = try scan.next() { rows.rowCount += batch.rowCount }
        var result = [rows]
        for (tier, table) in try snapshot.tiers(of: name, overlapping: time) {
            var rollups = Erasure(
                table: table.id, time: TimeRange(tier.start(of: time.lowerBound), time.upperBound))
            let reader = try TierReader(
                snapshot, table, fields: [], time: rollups.time, series: predicate, context: context)
            while let row = try reader.next() { rollups.rowCount += row.bucket.rowCount }
            result.append(rollups)
        }
        if case .all = predicate { return result }
        for index in result.indices where result[index].rowCount > 0 {
            result[index].series = try seriesBytes(of: result[index].table, predicate, state)
        }
        return result
    }

    /// The series of a table for which a predicate holds.
    func seriesIDs(
        of table: UInt32, _ predicate: TagPredicate, _ state: NamespaceState
    ) throws(MartletError) -> [UInt32] {
        let order = try series.order(of: state.seriesCount)
        return try series.select(table: table, predicate, limit: order.ids.count, in: order)
    }

    /// The canonical tag bytes of the series of a table for which a predicate holds.
    func seriesBytes(
        of table: UInt32, _ predicate: TagPredicate, _ state: NamespaceState
    ) throws(MartletError) -> [[UInt8]] {
        let ids = try seriesIDs(of: table, predicate, state)
        var list: [[UInt8]] = []
        try series.forEach(ids) { (_, tags) throws(MartletError) in list.append([UInt8](tags)) }
        return list
    }
}

extension NamespaceState {
    /// Whether rows of a table in a range of time came with commits after `commit`, or may have.
    func holdsRows(of table: UInt32, in time: TimeRange, after commit: UInt64) -> Bool {
        if sealed.contains(where: { $0.info.lastCommit > commit && $0.info.time.overlaps(time) }) { return true }
        return hot.contains { segment in
            segment.layers.contains { layer in
                layer.header.lastCommit > commit
                    && layer.groups.contains { $0.table == table && $0.time.overlaps(time) }
            }
        }
    }
}
