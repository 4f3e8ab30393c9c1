import MartletModel

/// A scan whose series are known by the namespace's ids.
protocol IdentifiedScan: TableScan {
    /// The namespace's id of a series of the scan.
    func seriesID(_ number: UInt32) -> UInt32
}

/// The one way in which stored rows are read: by queries, by the latest-row look-up, by sealing and by merging.
///
/// Row groups are visited series by series in canonical order. Where nothing overlaps, a batch is a block decoded and
/// handed over; where row groups overlap in time, `SeriesMerger` resolves duplicates and `BatchAssembler` puts the
/// batch together. Memory: one decoded window per row group that is being read.
final class MergeScan: IdentifiedScan {
    /// How rows are cut into batches, and which rows.
    struct Shape {
        /// The most rows of a batch.
        var maximumRows = maximumScanRows
        /// Ends a batch where a series ends, once it has this many rows.
        var rowsBeforeSeriesCut = Int.max
        /// Whether batches are filled even where that copies rows: for merges, whose batches become row groups.
        var copiesFreely = false
        /// Each series' rows in descending order of time.
        var newestFirst = false
        /// Whether statistics may stand for the rows of a row group.
        var summaries: SummaryGrain?
        /// Only each series' newest row.
        var latestOnly = false
    }

    private let core: ScanCore
    private let shape: Shape
    private let plan: ScanPlan
    private let pruning: BoundPruning?
    private var nextExtent = 0
    /// Pieces of the series begun, in the order of delivery.
    private var pieces: [Piece] = []
    private var nextPiece = 0

    /// - Parameter pruning: not for the newest rows, which are wanted whatever their values are.
    init(_ core: ScanCore, plan: ScanPlan, shape: Shape, pruning: BoundPruning? = nil) {
        self.core = core
        self.plan = plan
        self.pruning = pruning
        self.shape = shape
    }

    var seriesCount: Int { core.series.count }
    var statistics: ScanStatistics { core.statistics }

    /// The namespace's id of a series of the scan.
    func seriesID(_ number: UInt32) -> UInt32 { core.series[Int(number)] }

    func tagCodes(_ key: String) throws(MartletError) -> SeriesTagCodes {
        try core.catalog.tagCodes(key, of: core.series)
    }

    func next() throws(MartletError) -> ScanItem? {
        try core.context?.check()
        if let summary = try nextSummary() { return .summary(summary) }
        guard let batch = try nextBatch() else { return nil }
        core.statistics.rowsDelivered += batch.rowCount
        return .rows(batch)
    }

    /// Statistics in place of the next row group, where they say the same.
    private func nextSummary() throws(MartletError) -> BlockSummary? {
        if shape.summaries == nil { return nil }
        if nextPiece == pieces.count, try !loadSeries() { return nil }
        guard let summary = summary(of: pieces[nextPiece]) else { return nil }
        nextPiece += 1
        core.statistics.vectorsSummarised += ScanPlan.vectors(summary.rowCount)
        return summary
    }

    /// The summary of a piece that is a whole row group within one bucket.
    private func summary(of piece: Piece) -> BlockSummary? {
        guard let grain = shape.summaries, piece.older.isEmpty else { return nil }
        return core.summary(of: piece, grain)
    }

    /// The next rows, in batches of the shape asked for.
    func nextBatch() throws(MartletError) -> ScanBatch? {
        var stretches: [Piece] = []
        var runs: [SeriesRun] = []
        var rows = 0
        while rows < shape.maximumRows {
            if nextPiece == pieces.count, try !loadSeries() { break }
            let piece = pieces[nextPiece]
            if rows > 0, shape.summaries != nil, summary(of: piece) != nil { break }
            if rows >= shape.rowsBeforeSeriesCut, let last = runs.last, last.series != piece.number { break }
            let continues = stretches.last.map { Self.continues($0, piece, shape.newestFirst) } ?? true
            if !continues && !shape.copiesFreely && Self.standsAlone(stretches, piece) { break }

            let taken = take(shape.maximumRows - rows)
            if continues && !stretches.isEmpty {
                stretches[stretches.count - 1].start = min(stretches[stretches.count - 1].start, taken.start)
                stretches[stretches.count - 1].end = max(stretches[stretches.count - 1].end, taken.end)
            } else {
                stretches.append(taken)
            }
            if let last = runs.last, last.series == taken.number {
                runs[runs.count - 1].count += Int32(taken.count)
            } else {
                runs.append(SeriesRun(series: taken.number, start: Int32(rows), count: Int32(taken.count)))
            }
            rows += taken.count
        }
        if rows == 0 { return nil }
        return try core.assemble(stretches, runs, rowCount: rows, reversed: shape.newestFirst)
    }

    /// Whether `piece` follows the rows of `stretch` without a gap, so that one decoded window serves both.
    private static func continues(_ stretch: Piece, _ piece: Piece, _ newestFirst: Bool) -> Bool {
        guard stretch.group == piece.group, stretch.older.isEmpty, piece.older.isEmpty else { return false }
        if newestFirst { return stretch.number == piece.number && piece.end == stretch.start }
        return stretch.end == piece.start
    }

    /// Whether the rows so far, or the rows to come, are better delivered without the other: long stretches pass
    /// without being copied.
    private static func standsAlone(_ stretches: [Piece], _ piece: Piece) -> Bool {
        if stretches.count == 1 { return stretches[0].count >= 1024 }
        return piece.count >= 4096
    }

    /// The next rows of the next piece, at most `limit`.
    private func take(_ limit: Int) -> Piece {
        var taken = pieces[nextPiece]
        if taken.count <= limit {
            nextPiece += 1
            return taken
        }
        if shape.newestFirst {
            taken.start = taken.end - Int32(limit)
            pieces[nextPiece].end = taken.start
        } else {
            taken.end = taken.start + Int32(limit)
            pieces[nextPiece].start = taken.end
        }
        return taken
    }

    /// Makes the pieces of the next series that has rows; `false` when no series is left.
    private func loadSeries() throws(MartletError) -> Bool {
        pieces.removeAll(keepingCapacity: true)
        nextPiece = 0
        while nextExtent < plan.extents.count && pieces.isEmpty {
            let number = plan.extents[nextExtent].number
            let first = nextExtent
            while nextExtent < plan.extents.count && plan.extents[nextExtent].number == number { nextExtent += 1 }
            let found = plan.extents[first..<nextExtent]
            if let pruning, pruning.excludes(found) {
                for extent in found { core.exclude(extent.count, of: extent.group, end: extent.end) }
                continue
            }
            var extents: [Extent] = []
            for extent in found { try core.trim(extent, into: &extents) }
            if extents.isEmpty { continue }
            if shape.latestOnly {
                pieces.append(try core.latestPiece(extents))
                continue
            }
            let core = core
            try SeriesMerger.merge(extents, into: &pieces) { extent throws(MartletError) in
                try core.times(of: extent)
            }
            if let pruning {
                pieces.removeAll { piece in
                    guard pruning.excludes(piece) else { return false }
                    core.exclude(piece.count, of: piece.group, end: piece.end)
                    return true
                }
            }
            if shape.newestFirst { pieces.reverse() }
        }
        return !pieces.isEmpty
    }
}
