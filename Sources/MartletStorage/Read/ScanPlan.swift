import MartletModel

/// A stretch of rows of one series in one row group.
struct Extent: BitwiseCopyable {
    /// The series' number within the scan.
    var number: UInt32
    /// The row group's index in the plan; a greater one is the newer one.
    var group: Int32
    var start: Int32
    var end: Int32
    /// The times of the first and the last row; bounds only, where `isExact` is not set.
    var minimum: Int64
    var maximum: Int64

    var count: Int { Int(end - start) }
}

/// Which rows of which row groups a scan has to look at: runs of the wanted series that overlap the wanted time.
struct ScanPlan {
    /// From the oldest to the newest.
    var groups: [RowGroup]
    /// By series number, then by group.
    var extents: [Extent]
    /// For each row group the end of the last wanted row.
    var neededEnds: [Int32]
    var prunedVectors = 0

    /// - Parameters:
    ///   - series: the wanted series in canonical order.
    ///   - seriesCount: one more than the greatest series id that can occur.
    init(groups candidates: [RowGroup], series: [UInt32], order: SeriesOrder, seriesCount: Int, time: TimeRange) {
        groups = candidates.filter { $0.time.overlaps(time) }
        groups.sort { $0.precedence < $1.precedence }
        for group in candidates where !group.time.overlaps(time) { prunedVectors += Self.vectors(group.rowCount) }
        neededEnds = Array(repeating: 0, count: groups.count)
        var found: [Extent] = []
        let few = series.count * 16 < seriesCount
        let absent = UInt32.max
        var numbers: [UInt32] = []
        if !few {
            numbers = Array(repeating: absent, count: seriesCount)
            for (number, id) in series.enumerated() { numbers[Int(id)] = UInt32(number) }
        }
        for (index, group) in groups.enumerated() {
            let runs = group.runs
            var last: Int32 = 0
            var wantedRows = 0
            func take(_ run: Int, _ number: UInt32) {
                let (low, high) = (runs.minimumTimes[run], runs.maximumTimes[run])
                guard low <= time.upperBound, high >= time.lowerBound else { return }
                let (start, end) = (runs.starts[run], runs.starts[run + 1])
                found.append(
                    Extent(number: number, group: Int32(index), start: start, end: end, minimum: low, maximum: high))
                last = end
                wantedRows += Int(end - start)
            }
            if few {
                var from = 0
                for (number, id) in series.enumerated() {
                    guard let run = Self.find(order.ranks[Int(id)], in: runs, order.ranks, from: &from) else {
                        continue
                    }
                    take(run, UInt32(number))
                }
            } else {
                for run in 0..<runs.count {
                    let number = numbers[Int(runs.series[run])]
                    if number != absent { take(run, number) }
                }
            }
            neededEnds[index] = last
            prunedVectors += Self.vectors(group.rowCount) - Self.vectors(wantedRows)
        }
        extents = Self.sorted(found, numbers: series.count, groups: groups.count)
    }

    /// The number of layers and segments that the row groups come from.
    var sourceCount: Int {
        var count = 0
        var former: UInt64?
        for group in groups where group.precedence != former {
            count += 1
            former = group.precedence
        }
        return count
    }

    static func vectors(_ rows: Int) -> Int { (rows + 1023) >> 10 }

    /// The run of the series with the given rank; the search starts at `from`, where it leaves off.
    private static func find(_ rank: UInt32, in runs: RunIndex, _ ranks: [UInt32], from: inout Int) -> Int? {
        var low = from
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if ranks[Int(runs.series[middle])] < rank { low = middle + 1 } else { high = middle }
        }
        from = low
        return low < runs.count && ranks[Int(runs.series[low])] == rank ? low : nil
    }

    /// A counting sort by series number; the order of groups stays.
    private static func sorted(_ extents: [Extent], numbers: Int, groups: Int) -> [Extent] {
        if groups <= 1 || extents.count <= 1 { return extents }
        var starts = [Int](repeating: 0, count: numbers + 1)
        for extent in extents { starts[Int(extent.number) + 1] += 1 }
        for number in 0..<numbers { starts[number + 1] += starts[number] }
        return [Extent](unsafeUninitializedCapacity: extents.count) { out, initialized in
            for extent in extents {
                (out.baseAddress! + starts[Int(extent.number)]).initialize(to: extent)
                starts[Int(extent.number)] += 1
            }
            initialized = extents.count
        }
    }
}
