import MartletModel

/// A stretch of rows to deliver, from one row group.
struct Piece {
    var number: UInt32
    var group: Int32
    var start: Int32
    var end: Int32
    /// Rows of older row groups with the same (series, time), newest first: their values count where this piece's one
    /// row has none. Empty for all pieces of more than a row.
    var older: [(group: Int32, row: Int32)] = []

    var count: Int { Int(end - start) }
}

/// Turns a series' extents into pieces in order of time: extents that are disjoint in time pass whole, overlapping
/// ones are merged row by row, and of rows with equal times the newest wins.
struct SeriesMerger {
    /// The times of the rows of an extent.
    typealias TimeReader = (Extent) throws(MartletError) -> ArraySlice<Int64>

    /// - Parameter extents: of one series, from the oldest row group to the newest; their times are exact.
    static func merge(
        _ extents: [Extent], into pieces: inout [Piece], times: TimeReader
    ) throws(MartletError) {
        if extents.count == 1 {
            pieces.append(whole(extents[0]))
            return
        }
        let sorted = extents.sorted { ($0.minimum, $0.group) < ($1.minimum, $1.group) }
        var start = 0
        while start < sorted.count {
            var end = start + 1
            var maximum = sorted[start].maximum
            while end < sorted.count && sorted[end].minimum <= maximum {
                maximum = max(maximum, sorted[end].maximum)
                end += 1
            }
            if end - start == 1 {
                pieces.append(whole(sorted[start]))
            } else {
                try mergeOverlapping(Array(sorted[start..<end]), into: &pieces, times)
            }
            start = end
        }
    }

    private static func whole(_ extent: Extent) -> Piece {
        Piece(number: extent.number, group: extent.group, start: extent.start, end: extent.end)
    }

    /// A k-way merge. The extent with the earliest next row gives all rows before any other's next row.
    private static func mergeOverlapping(
        _ extents: [Extent], into pieces: inout [Piece], _ read: TimeReader
    ) throws(MartletError) {
        var times: [ArraySlice<Int64>] = []
        for extent in extents { times.append(try read(extent)) }
        var next = times.map(\.startIndex)
        func row(_ source: Int, _ index: Int) -> Int32 {
            extents[source].start + Int32(index - times[source].startIndex)
        }
        var live = Array(extents.indices)
        while !live.isEmpty {
            if live.count == 1 {
                let source = live[0]
                append(extents[source], row(source, next[source])..<extents[source].end, [], &pieces)
                return
            }
            // The earliest next row, the newest group among equals, and the next row after those.
            var first = live[0]
            var earliest = times[first][next[first]]
            var following = Int64.max
            var equals = 1
            for source in live.dropFirst() {
                let time = times[source][next[source]]
                if time < earliest {
                    following = earliest
                    earliest = time
                    first = source
                    equals = 1
                } else if time == earliest {
                    equals += 1
                    if extents[source].group > extents[first].group { first = source }
                } else {
                    following = min(following, time)
                }
            }
            if equals == 1 {
                let begin = next[first]
                var end = begin + 1
                while end < times[first].endIndex && times[first][end] < following { end += 1 }
                next[first] = end
                append(extents[first], row(first, begin)..<row(first, end), [], &pieces)
                if end == times[first].endIndex { live.removeAll { $0 == first } }
                continue
            }
            var older: [(group: Int32, row: Int32)] = []
            for source in live where times[source][next[source]] == earliest {
                if source != first { older.append((extents[source].group, row(source, next[source]))) }
            }
            older.sort { $0.group > $1.group }
            let newest = row(first, next[first])
            for source in live where times[source][next[source]] == earliest { next[source] += 1 }
            live.removeAll { next[$0] == times[$0].endIndex }
            append(extents[first], newest..<newest + 1, older, &pieces)
        }
    }

    private static func append(
        _ extent: Extent, _ rows: Range<Int32>, _ older: [(group: Int32, row: Int32)], _ pieces: inout [Piece]
    ) {
        if older.isEmpty, let last = pieces.last, last.older.isEmpty, last.group == extent.group,
            last.number == extent.number, last.end == rows.lowerBound
        {
            pieces[pieces.count - 1].end = rows.upperBound
            return
        }
        pieces.append(
            Piece(
                number: extent.number, group: extent.group, start: rows.lowerBound, end: rows.upperBound, older: older))
    }
}
