import MartletModel

/// Erasures: a tombstone in the log at once, the bytes gone with the next merge that meets the rows.
extension NamespaceStore {
    /// The rows are counted while others append; see `change(reading:whileStill:writing:)`.
    func delete(
        from name: String, time: TimeRange, series predicate: TagPredicate
    ) throws(MartletError) -> Int {
        try change(
            reading: { (state) throws(MartletError) in
                try erasure(from: name, time: time, series: predicate, in: state)
            },
            whileStill: { erasure, former, present in
                former.catalog[name] == present.catalog[name]
                    && !present.holdsRows(of: erasure.table, in: time, after: former.commit)
            },
            writing: { (writer, erasure) throws(MartletError) in
                if erasure.rowCount == 0 { return 0 }
                let tombstone = Tombstone(
                    commit: writer.commit + 1, table: erasure.table, time: time, series: erasure.series)
                try writer.commit(changes: [], tombstones: [tombstone])
                return erasure.rowCount
            })
    }

    /// What a deletion concerns.
    private struct Erasure: Sendable {
        var table: UInt32
        var rowCount: Int
        /// The canonical tag bytes of the series, or `nil` for all of the table.
        var series: [[UInt8]]?
    }

    private func erasure(
        from name: String, time: TimeRange, series predicate: TagPredicate, in state: NamespaceState
    ) throws(MartletError) -> Erasure {
        let snapshot = NamespaceSnapshot(state, series: series, core: core)
        var erasure = Erasure(table: try snapshot.definition(name).id, rowCount: 0, series: nil)
        let context = QueryContext(memory: core.budget, clock: core.clock)
        let request = ScanRequest(table: name, fields: [], time: time, series: predicate)
        let scan = try snapshot.scan(request, context: context)
        while case .rows(let batch)? = try scan.next() { erasure.rowCount += batch.rowCount }
        if erasure.rowCount == 0 { return erasure }
        if case .all = predicate { return erasure }
        let order = try series.order(of: state.seriesCount)
        let ids = try series.select(table: erasure.table, predicate, limit: order.ids.count, in: order)
        var list: [[UInt8]] = []
        try series.forEach(ids) { (_, tags) throws(MartletError) in list.append([UInt8](tags)) }
        erasure.series = list
        return erasure
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
