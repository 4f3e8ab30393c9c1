import MartletModel

/// Erasures: a tombstone in the log at once, the bytes gone with the next merge that meets the rows.
extension NamespaceStore {
    func delete(
        from name: String, time: TimeRange, series predicate: TagPredicate
    ) throws(MartletError) -> Int {
        try change { (writer) throws(MartletError) in
            let snapshot = NamespaceSnapshot(writer.state, series: series, core: core)
            let table = try snapshot.definition(name)
            let context = QueryContext(memory: core.budget, clock: core.clock)
            let request = ScanRequest(table: name, fields: [], time: time, series: predicate)
            let scan = try snapshot.scan(request, context: context)
            var count = 0
            while case .rows(let batch)? = try scan.next() { count += batch.rowCount }
            if count == 0 { return 0 }

            var erased: [[UInt8]]?
            if case .all = predicate {
                erased = nil
            } else {
                let order = try series.order(of: series.count)
                let ids = try series.select(table: table.id, predicate, limit: order.ids.count, in: order)
                var list: [[UInt8]] = []
                try series.forEach(ids) { (_, tags) throws(MartletError) in list.append([UInt8](tags)) }
                erased = list
            }
            let tombstone = Tombstone(commit: writer.commit + 1, table: table.id, time: time, series: erased)
            try writer.commit(changes: [], tombstones: [tombstone])
            return count
        }
    }
}
