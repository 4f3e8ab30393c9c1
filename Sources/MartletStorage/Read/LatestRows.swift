import MartletModel

/// Each series' newest row, kept per table: what `latest` answers from without a scan.
///
/// The rows are brought up to date when they are asked for, from the row groups of the commits since, so that appends
/// pay nothing for them. An erasure or a change of the table makes them be read anew.
final class LatestRows: Sendable {
    private struct Entry {
        /// The last commit whose rows are counted.
        var commit: UInt64
        var definition: TableDefinition
        /// The state's epoch of erasures.
        var erasureEpoch: UInt64
        /// The series that have a row, in canonical order.
        var series: [UInt32]
        var times: Column
        /// In the order of the definition's fields.
        var fields: [Column]
    }

    private let entries = Guarded<[UInt32: Entry]>([:])

    /// The latest rows as of a snapshot.
    func scan(
        _ request: ScanRequest, of snapshot: NamespaceSnapshot, _ context: QueryContext
    ) throws(MartletError) -> LatestScan {
        let table = try snapshot.definition(request.table)
        var wanted: [Int] = []
        for name in request.fields {
            guard let index = table.fields.firstIndex(where: { $0.name == name }) else {
                throw MartletError(
                    .notFound, "table '\(table.name)' has no field '\(name)'",
                    at: .column(table: table.name, column: name))
            }
            wanted.append(index)
        }
        let known = entries.withLock { $0[table.id] }
        let entry: Entry
        if let known, known.commit > snapshot.state.commit {
            // The snapshot is older than what is kept.
            entry = try read(table, snapshot, after: nil, context)
        } else {
            entry = try read(table, snapshot, after: known, context)
            entries.withLock { entries in
                if entries[table.id].map({ $0.commit <= entry.commit }) ?? true {
                    entries[table.id] = entry
                }
            }
        }
        let order = try snapshot.series.order(of: snapshot.series.count)
        let selected = try snapshot.series.select(
            table: table.id, request.series, limit: order.ids.count, in: order)
        return LatestScan(
            catalog: snapshot.series, selected: selected, ranks: order.ranks, series: entry.series,
            times: entry.times, fields: wanted.map { entry.fields[$0] })
    }

    /// Reads what is newer than `known` and merges the two.
    private func read(
        _ table: TableDefinition, _ snapshot: NamespaceSnapshot, after known: Entry?, _ context: QueryContext
    ) throws(MartletError) -> Entry {
        let epoch = snapshot.state.erasureEpoch
        var base: Entry?
        if let known, known.definition == table, epoch == known.erasureEpoch { base = known }
        if let base, base.commit == snapshot.state.commit { return base }
        let request = ScanRequest(table: table.name, fields: table.fields.map(\.name))
        let scan = try snapshot.latest(request, after: base?.commit ?? 0, context)
        var times = ColumnAssembler(.timestamp, capacity: 1024)
        var parts: [[Column]] = Array(repeating: [], count: table.fields.count)
        var series: [UInt32] = []
        while let batch = try scan.nextBatch() {
            times.append(batch.times, 0..<batch.rowCount)
            for index in parts.indices { parts[index].append(batch.fields[index]) }
            for run in batch.runs { series.append(scan.seriesID(run.series)) }
        }
        let fields = zip(table.fields, parts).map { field, parts in
            parts.isEmpty ? Column.nulls(field.type, count: 0) : Columns.concatenate(parts, field.type)
        }
        let news = Entry(
            commit: snapshot.state.commit, definition: table, erasureEpoch: epoch, series: series,
            times: times.finish(), fields: fields)
        guard let base, !base.series.isEmpty else { return news }
        if series.isEmpty {
            var entry = base
            entry.commit = news.commit
            return entry
        }
        return Self.merge(base, news, ranks: try snapshot.series.order(of: snapshot.series.count).ranks)
    }

    /// For each series the newer of two rows; of rows of one time the news' values, and the base's where those lack
    /// one.
    private static func merge(_ base: Entry, _ news: Entry, ranks: [UInt32]) -> Entry {
        let baseTimes = base.times.values.pointer(to: Int64.self)
        let newTimes = news.times.values.pointer(to: Int64.self)
        let offset = UInt32(base.series.count)
        var series: [UInt32] = []
        var rows: [UInt32] = []
        /// Positions whose nulls the base's row fills.
        var filled: [(position: Int, row: UInt32)] = []
        var left = 0
        var right = 0
        while left < base.series.count || right < news.series.count {
            let leftRank = left < base.series.count ? ranks[Int(base.series[left])] : .max
            let rightRank = right < news.series.count ? ranks[Int(news.series[right])] : .max
            if leftRank < rightRank || (leftRank == rightRank && baseTimes[left] > newTimes[right]) {
                series.append(base.series[left])
                rows.append(UInt32(left))
            } else {
                if leftRank == rightRank && baseTimes[left] == newTimes[right] {
                    filled.append((rows.count, UInt32(left)))
                }
                series.append(news.series[right])
                rows.append(offset + UInt32(right))
            }
            if leftRank <= rightRank { left += 1 }
            if rightRank <= leftRank { right += 1 }
        }
        withExtendedLifetime((base, news)) {}
        func merged(_ old: Column, _ new: Column) -> Column {
            let both = Columns.concatenate([old, new], new.type)
            var order = rows
            for (position, row) in filled where !both.isValid(Int(rows[position])) { order[position] = row }
            return order.withUnsafeBufferPointer { Columns.gather(both, $0) }
        }
        var result = news
        result.series = series
        result.times = merged(base.times, news.times)
        result.fields = zip(base.fields, news.fields).map(merged)
        return result
    }
}

/// Delivers rows that are in memory, one a series.
final class LatestScan: IdentifiedScan {
    private let catalog: SeriesCatalog
    private let selected: [UInt32]
    /// Rows to deliver, with the number of their series.
    private var rows: [(number: UInt32, row: UInt32)] = []
    private let times: Column
    private let fields: [Column]
    private var nextRow = 0
    private(set) var statistics = ScanStatistics()

    /// - Parameters:
    ///   - selected: the wanted series in canonical order.
    ///   - series: the series of each row, in canonical order.
    init(
        catalog: SeriesCatalog, selected: [UInt32], ranks: [UInt32], series: [UInt32], times: Column, fields: [Column]
    ) {
        self.catalog = catalog
        self.selected = selected
        self.times = times
        self.fields = fields
        rows.reserveCapacity(min(selected.count, series.count))
        var row = 0
        for (number, id) in selected.enumerated() {
            if selected.count * 16 < series.count {
                var high = series.count
                while row < high {
                    let middle = (row + high) / 2
                    if ranks[Int(series[middle])] < ranks[Int(id)] { row = middle + 1 } else { high = middle }
                }
            } else {
                while row < series.count && ranks[Int(series[row])] < ranks[Int(id)] { row += 1 }
            }
            if row < series.count && series[row] == id { rows.append((UInt32(number), UInt32(row))) }
        }
    }

    var seriesCount: Int { selected.count }
    /// The namespace's ids of the series, by number.
    var selectedSeries: [UInt32] { selected }
    /// The ids of those series that have a row.
    var deliveredSeries: [UInt32] { rows.map { selected[Int($0.number)] } }

    func seriesID(_ number: UInt32) -> UInt32 { selected[Int(number)] }

    func tagCodes(_ key: String) throws(MartletError) -> SeriesTagCodes { try catalog.tagCodes(key, of: selected) }

    func next() throws(MartletError) -> ScanItem? {
        let part = rows[nextRow..<min(nextRow + maximumScanRows, rows.count)]
        if part.isEmpty { return nil }
        nextRow = part.endIndex
        let order = part.map(\.row)
        let runs = part.enumerated().map { SeriesRun(series: $1.number, start: Int32($0), count: 1) }
        statistics.rowsDelivered += part.count
        func picked(_ column: Column) -> Column {
            order.withUnsafeBufferPointer { Columns.gather(column, $0) }
        }
        return .rows(ScanBatch(rowCount: part.count, runs: runs, times: picked(times), fields: fields.map(picked)))
    }
}
