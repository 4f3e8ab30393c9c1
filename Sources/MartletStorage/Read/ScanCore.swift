import MartletModel

/// What a scan reads from: row groups with their decoded windows, tombstones and the columns wanted.
final class ScanCore {
    let catalog: SeriesCatalog
    /// The wanted series' ids, by number.
    let series: [UInt32]
    let fields: [FieldDefinition]
    let context: QueryContext?
    var statistics = ScanStatistics()
    private let time: TimeRange
    private let plan: ScanPlan
    /// For each row group the tombstones that concern it.
    private let tombstones: [[ResolvedTombstone]]
    private let windowRows: Int
    private let caching: Bool
    private var readers: [GroupReader?]
    private let reserved: Int
    /// Rows spared by bounds on fields.
    private var excludedRows = 0
    private let vectorsPrunedByPlan: Int

    /// - Throws: `.resourceExhausted` when the windows do not fit into the query's memory.
    init(
        catalog: SeriesCatalog, series: [UInt32], fields: [FieldDefinition], time: TimeRange, plan: ScanPlan,
        tombstones: [ResolvedTombstone], windowRows: Int, caching: Bool = true, context: QueryContext?
    ) throws(MartletError) {
        self.catalog = catalog
        self.series = series
        self.fields = fields
        self.time = time
        self.plan = plan
        self.context = context
        self.tombstones = plan.groups.map { group in tombstones.filter { $0.concerns(group) } }
        self.caching = caching
        // Row groups that are open at once share a bounded amount of decoded rows: one of each layer or segment.
        let open = plan.sourceCount
        self.windowRows = max(1024, min(windowRows, (32 << 20) / max(open * (fields.count + 1) * 8, 1)))
        readers = Array(repeating: nil, count: plan.groups.count)
        reserved = min(open, 64) * (fields.count + 1) * min(self.windowRows, 8192) * 8
        try context?.memory.reserve(reserved, for: "a scan of \(plan.groups.count) row groups")
        vectorsPrunedByPlan = plan.prunedVectors
        statistics.vectorsPruned = plan.prunedVectors
    }

    /// Takes note of rows of a group, up to `end`, that are neither read nor delivered.
    func exclude(_ rows: Int, of group: Int32, end: Int32) {
        excludedRows += rows
        statistics.vectorsPruned = vectorsPrunedByPlan + ScanPlan.vectors(excludedRows)
        if end == plan.neededEnds[Int(group)] { readers[Int(group)] = nil }
    }

    deinit { context?.memory.release(reserved) }

    private func reader(_ group: Int32) -> GroupReader {
        if let reader = readers[Int(group)] { return reader }
        let reader = GroupReader(
            plan.groups[Int(group)], fields: fields, windowRows: windowRows, end: Int(plan.neededEnds[Int(group)]),
            caching: caching)
        readers[Int(group)] = reader
        return reader
    }

    /// The times of an extent's rows.
    func times(of extent: Extent) throws(MartletError) -> ArraySlice<Int64> {
        let rows = Int(extent.start)..<Int(extent.end)
        let (column, first) = try reader(extent.group).times(rows, &statistics)
        defer { withExtendedLifetime(column) {} }
        return ArraySlice(
            UnsafeBufferPointer(
                start: column.values.pointer(to: Int64.self) + (rows.lowerBound - first), count: rows.count))
    }

    /// Appends what is left of an extent when rows outside of the wanted time and erased rows are taken out.
    func trim(_ extent: Extent, into result: inout [Extent]) throws(MartletError) {
        let span = TimeRange(extent.minimum, extent.maximum)
        let erasures = tombstones[Int(extent.group)].filter {
            $0.tombstone.time.overlaps(span) && ($0.series?.contains(series[Int(extent.number)]) ?? true)
        }
        // Where all is gone, when its rows were need not be read.
        if !erasures.isEmpty, TimeRanges.rest(of: span, without: erasures.lazy.map(\.tombstone.time)).isEmpty {
            exclude(extent.count, of: extent.group, end: extent.end)
            return
        }
        let isCut = extent.minimum < time.lowerBound || extent.maximum > time.upperBound
        if erasures.isEmpty && !isCut {
            result.append(extent)
            return
        }
        let times = try times(of: extent)
        var parts = [Self.rows(in: time, times)]
        for erasure in erasures {
            let gone = Self.rows(in: erasure.tombstone.time, times)
            parts = parts.flatMap { part in
                [
                    part.lowerBound..<max(part.lowerBound, min(part.upperBound, gone.lowerBound)),
                    min(part.upperBound, max(part.lowerBound, gone.upperBound))..<part.upperBound,
                ]
            }
        }
        if parts.allSatisfy(\.isEmpty) { return exclude(extent.count, of: extent.group, end: extent.end) }
        for part in parts where !part.isEmpty {
            var rest = extent
            rest.start = extent.start + Int32(part.lowerBound)
            rest.end = extent.start + Int32(part.upperBound)
            rest.minimum = times[times.startIndex + part.lowerBound]
            rest.maximum = times[times.startIndex + part.upperBound - 1]
            result.append(rest)
        }
    }

    /// The positions of ascending times that lie in a range.
    private static func rows(in range: TimeRange, _ times: ArraySlice<Int64>) -> Range<Int> {
        func firstPosition(where test: (Int64) -> Bool) -> Int {
            var low = 0
            var high = times.count
            while low < high {
                let middle = (low + high) / 2
                if test(times[times.startIndex + middle]) { high = middle } else { low = middle + 1 }
            }
            return low
        }
        let lower = firstPosition { $0 >= range.lowerBound }
        let upper = firstPosition { $0 > range.upperBound }
        return lower..<max(lower, upper)
    }

    /// The newest row of a series' extents.
    func latestPiece(_ extents: [Extent]) throws(MartletError) -> Piece {
        let newest = extents.reduce(Int64.min) { max($0, $1.maximum) }
        let holders = extents.filter { $0.maximum == newest }.sorted { $0.group > $1.group }
        let first = holders[0]
        return Piece(
            number: first.number, group: first.group, start: first.end - 1, end: first.end,
            older: holders.dropFirst().map { ($0.group, $0.end - 1) })
    }

    /// The stored statistics of a whole row group of one series within one bucket; `nil` where the piece is not such a
    /// one, or where a field's statistics do not say all that its values do.
    func summary(of piece: Piece, _ grain: SummaryGrain) -> BlockSummary? {
        let group = plan.groups[Int(piece.group)]
        guard !grain.needsDetails, group.runs.count == 1, piece.start == 0, Int(piece.end) == group.rowCount else {
            return nil
        }
        guard grain.isOneBucket(group.time) else { return nil }
        var summaries: [FieldSummary] = []
        for field in fields {
            guard let block = group.block(of: field.id) else {
                summaries.append(FieldSummary(count: 0, sum: nil, min: nil, max: nil, first: nil, last: nil))
                continue
            }
            var summary = block.summary
            if summary.count == group.rowCount {
                summary.firstTime = group.time.lowerBound
                summary.lastTime = group.time.upperBound
            } else if grain.needsMoments {
                return nil
            }
            guard block.type == field.type, block.type != .string, summary.min != nil,
                summary.sum != nil || block.type == .bool
            else { return nil }
            summaries.append(summary)
        }
        return BlockSummary(series: piece.number, rowCount: group.rowCount, time: group.time, fields: summaries)
    }

    /// Delivers the given stretches of rows as one batch.
    func assemble(
        _ stretches: [Piece], _ runs: [SeriesRun], rowCount: Int, reversed: Bool
    ) throws(MartletError) -> ScanBatch {
        let order = reversed ? Self.reversal(stretches, rowCount) : nil
        func ordered(_ column: Column) -> Column {
            order.map { rows in rows.withUnsafeBufferPointer { Columns.gather(column, $0) } } ?? column
        }
        let times: Column
        if stretches.count == 1 {
            times = try slice(of: stretches[0]) { (rows) throws(MartletError) in
                try reader(stretches[0].group).times(rows, &statistics)
            }
        } else {
            var assembler = ColumnAssembler(.timestamp, capacity: rowCount)
            for stretch in stretches {
                let rows = Int(stretch.start)..<Int(stretch.end)
                let (column, first) = try reader(stretch.group).times(rows, &statistics)
                assembler.append(column, rows.lowerBound - first..<rows.upperBound - first)
            }
            times = assembler.finish()
        }
        var columns: [Column] = []
        columns.reserveCapacity(fields.count)
        for index in fields.indices { columns.append(ordered(try assembleField(index, stretches, rowCount))) }
        for stretch in stretches where stretch.end == plan.neededEnds[Int(stretch.group)] && !reversed {
            readers[Int(stretch.group)] = nil
        }
        return ScanBatch(rowCount: rowCount, runs: runs, times: ordered(times), fields: columns)
    }

    private func assembleField(
        _ index: Int, _ stretches: [Piece], _ rowCount: Int
    ) throws(MartletError) -> Column {
        if stretches.count == 1 && stretches[0].older.isEmpty {
            let group = reader(stretches[0].group)
            if group.block(index) == nil { return .nulls(fields[index].type, count: rowCount) }
            return try slice(of: stretches[0]) { (rows) throws(MartletError) in
                try group.field(index, rows, &statistics)!
            }
        }
        var assembler = ColumnAssembler(fields[index].type, capacity: rowCount)
        for stretch in stretches {
            let rows = Int(stretch.start)..<Int(stretch.end)
            guard let (column, first) = try reader(stretch.group).field(index, rows, &statistics) else {
                if try !appendOlder(index, stretch, &assembler) { assembler.appendNulls(stretch.count) }
                continue
            }
            let from = rows.lowerBound - first
            if !stretch.older.isEmpty && !column.isValid(from), try appendOlder(index, stretch, &assembler) { continue }
            assembler.append(column, from..<from + rows.count)
        }
        return assembler.finish()
    }

    /// Appends the newest value that an overwritten row has; `false` when none has one.
    private func appendOlder(
        _ index: Int, _ stretch: Piece, _ assembler: inout ColumnAssembler
    ) throws(MartletError) -> Bool {
        for (group, row) in stretch.older {
            let rows = Int(row)..<Int(row) + 1
            guard let (column, first) = try reader(group).field(index, rows, &statistics),
                column.isValid(Int(row) - first)
            else { continue }
            assembler.append(column, Int(row) - first..<Int(row) - first + 1)
            return true
        }
        return false
    }

    private func slice(
        of stretch: Piece, _ read: (Range<Int>) throws(MartletError) -> (Column, first: Int)
    ) throws(MartletError) -> Column {
        let rows = Int(stretch.start)..<Int(stretch.end)
        let (column, first) = try read(rows)
        return Columns.slice(column, rows.lowerBound - first..<rows.upperBound - first)
    }

    /// The order that turns each stretch around.
    private static func reversal(_ stretches: [Piece], _ rowCount: Int) -> [UInt32] {
        var order: [UInt32] = []
        order.reserveCapacity(rowCount)
        var start: UInt32 = 0
        for stretch in stretches {
            let end = start + UInt32(stretch.count)
            for row in (start..<end).reversed() { order.append(row) }
            start = end
        }
        return order
    }
}
