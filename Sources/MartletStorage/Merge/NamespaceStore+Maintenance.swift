import MartletModel

/// What a compaction did to a namespace.
package struct CompactionReport: Sendable, Hashable {
    /// What it did to one table.
    package struct Table: Sendable, Hashable {
        package var name: String
        /// Rows in all sources before, duplicates and erased ones included.
        package var rowsBefore: Int
        package var rowsAfter: Int
    }

    /// The tables, by name.
    package var tables: [Table] = []
    /// Bytes of all files of the namespace.
    package var bytesBefore: Int64 = 0
    package var bytesAfter: Int64 = 0
    /// Erasures that were pending and are carried out now.
    package var tombstonesApplied = 0
    /// Segment files that were removed.
    package var filesRemoved: [String] = []

    /// Nothing done.
    package init() {}
}

/// Sealing and merging, step by step. One step at a time runs in a namespace.
extension NamespaceStore {
    /// Carries out whatever is due; called on the engine's background queue.
    func maintain() {
        maintenance.withLock { (progress: inout MaintenanceProgress) in
            do throws(MartletError) {
                while try step(&progress) {}
                progress.lastError = nil
            } catch {
                StorageCounters.add(core.counters.failures, 1)
                progress.lastError = error
            }
        }
    }

    /// Seals a frozen hot segment or merges some sealed ones; `false` when nothing is due.
    private func step(_ progress: inout MaintenanceProgress) throws(MartletError) -> Bool {
        let state = currentState
        let frozen = state.hot.filter(\.isFrozen)
        if !frozen.isEmpty {
            try replace(MergeSources(hot: frozen), state)
            StorageCounters.add(core.counters.seals, frozen.count)
            return true
        }
        let policy = MergePolicy(largestSegmentBytes: core.options.largestSegmentBytes)
        guard let range = policy.next(state.sealed.map(\.info)) else { return false }
        let chosen = Array(state.sealed[range])
        if !progress.unmergeable.isDisjoint(with: chosen.map(\.info.number)) { return false }
        do throws(MartletError) {
            try replace(MergeSources(sealed: chosen), state)
        } catch {
            // A damaged segment stays as it is until it is repaired; the others go on being merged around it.
            if error.code == .corrupt { progress.unmergeable.formUnion(chosen.map(\.info.number)) }
            throw error
        }
        StorageCounters.add(core.counters.merges, 1)
        return true
    }

    /// Writes the sources' rows as one sealed segment and puts it in their place in one step.
    func replace(_ sources: MergeSources, _ state: NamespaceState) throws(MartletError) {
        let number = try change { (writer) throws(MartletError) in writer.takeSegmentNumber() }
        let merger = SegmentMerger(core: core, directory: directory, catalog: series)
        let result = try merger.merge(sources, state: state, number: number)
        let removed = try change { (writer) throws(MartletError) in
            try writer.replace(sources, with: result)
        }
        for path in removed { try core.files.remove(path) }
    }

    /// Seals the hot segment and merges everything, and says what that did. Afterwards no file holds a byte of an
    /// erased row or dropped column.
    package func compact() throws(MartletError) -> CompactionReport {
        try maintenance.withLock { (progress) throws(MartletError) in
            var report = CompactionReport()
            try change { (writer) throws(MartletError) in try writer.rotateIfNeeded() }
            let before = currentState
            report.bytesBefore = before.byteCount
            report.tombstonesApplied = before.tombstones.count
            for table in before.catalog.sorted {
                report.tables.append(
                    CompactionReport.Table(
                        name: table.name, rowsBefore: try before.rowCount(of: table.id), rowsAfter: 0))
            }
            progress.unmergeable = []
            let policy = MergePolicy(largestSegmentBytes: core.options.largestSegmentBytes)
            // Frozen logs join the merge of the last sealed segments, so that their rows are written once.
            let frozen = before.hot.filter(\.isFrozen)
            var ranges = policy.full(before.sealed.map(\.info)) { before.mustRewrite($0) }
            if !frozen.isEmpty {
                var sources = MergeSources(hot: frozen)
                if let last = ranges.last, last.upperBound == before.sealed.count {
                    sources.sealed = Array(before.sealed[last])
                    ranges.removeLast()
                } else if let last = before.sealed.last,
                    last.info.byteCount < UInt64(core.options.largestSegmentBytes)
                {
                    sources.sealed = [last]
                }
                try replace(sources, before)
                StorageCounters.add(core.counters.seals, frozen.count)
            }
            for range in ranges.reversed() {
                try replace(MergeSources(sealed: Array(before.sealed[range])), currentState)
                StorageCounters.add(core.counters.merges, 1)
            }
            let after = currentState
            report.bytesAfter = after.byteCount
            for index in report.tables.indices {
                guard let table = after.catalog[report.tables[index].name] else { continue }
                report.tables[index].rowsAfter = try after.rowCount(of: table.id)
            }
            let left = Set(after.fileNames)
            report.filesRemoved = before.fileNames.filter { !left.contains($0) }
            return report
        }
    }
}

/// What maintenance remembers between its steps.
struct MaintenanceProgress {
    /// Segments that a merge found damaged.
    var unmergeable: Set<UInt64> = []
    var lastError: MartletError?
}

extension NamespaceState {
    /// Bytes of all segments.
    var byteCount: Int64 {
        hot.reduce(0) { $0 + $1.length } + sealed.reduce(0) { $0 + Int64(clamping: $1.info.byteCount) }
    }

    var fileNames: [String] {
        hot.map { HotLog.fileName($0.number) } + sealed.map { SealedSegment.fileName($0.info.number) }
    }

    /// Rows of a table in all segments, duplicates and erased ones included.
    func rowCount(of table: UInt32) throws(MartletError) -> Int {
        var rows = 0
        for segment in sealed {
            rows += try segment.footer().tables.first { $0.definition.id == table }?.rowCount ?? 0
        }
        for segment in hot {
            for layer in segment.layers {
                for group in layer.groups where group.table == table { rows += group.rowCount }
            }
        }
        return rows
    }

    /// Whether a segment may hold rows that are erased or columns that are dropped, or is of an older catalog.
    func mustRewrite(_ segment: Manifest.Sealed) -> Bool {
        if tombstones.contains(where: {
            $0.tombstone.commit > segment.tombstonesAppliedThrough && $0.tombstone.time.overlaps(segment.time)
        }) {
            return true
        }
        guard let stored = sealed.first(where: { $0.info.number == segment.number }) else { return false }
        guard case .success(let footer) = Result(catching: { () throws(MartletError) in try stored.footer() }) else {
            return true
        }
        return footer.tables.contains { table in
            guard let current = catalog[table.definition.id] else { return true }
            return table.definition.fields.contains { current.field(id: $0.id)?.type != $0.type }
        }
    }
}
