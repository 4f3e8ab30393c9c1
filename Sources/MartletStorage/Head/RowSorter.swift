import MartletModel

/// Rows in the order in which a layer stores them.
struct SortedRows {
    /// For each stored position the input row, by series and time; of several rows with one (series, time) the last.
    var rows: [UInt32]
    /// Whether `rows` is 0, 1, 2, ...
    var isIdentity: Bool
    /// The runs over the stored positions.
    var runs: RunIndex
    /// Earlier rows of the same (series, time): where the stored row lacks a field's value, theirs counts, in the
    /// order given (latest first for a position).
    var overwritten: [(position: Int32, row: UInt32)]
}

/// Sorts a layer's rows by series with one counting pass, and by time within a series only where they are not in
/// order already. Stable, O(rows) for rows that arrive in order of time.
///
/// Invariants of the unsafe parts: `times` and `slots` have `count` elements; every slot is below `series.count`.
enum RowSorter {
    /// - Parameters:
    ///   - slots: for each row the index of its series in `series`.
    ///   - series: the distinct series, by slot.
    ///   - ranks: the canonical rank of each series, by slot.
    static func sort(
        times: UnsafePointer<Int64>, slots: UnsafePointer<UInt32>, count: Int, series: [UInt32], ranks: [UInt32]
    ) -> SortedRows {
        let slotCount = series.count
        var counts = [Int32](repeating: 0, count: slotCount)
        counts.withUnsafeMutableBufferPointer { counts in
            for row in 0..<count { counts[Int(slots[row])] &+= 1 }
        }
        var bySeries = Array(0..<UInt32(slotCount))
        bySeries.sort { ranks[Int($0)] < ranks[Int($1)] }
        var next = [Int32](repeating: 0, count: slotCount)
        var total: Int32 = 0
        for slot in bySeries {
            next[Int(slot)] = total
            total += counts[Int(slot)]
        }
        let starts = next

        var inOrder = true
        var isIdentity = true
        let sorted = [UInt32](unsafeUninitializedCapacity: count) { rows, initialized in
            next.withUnsafeMutableBufferPointer { next in
                for row in 0..<count {
                    let position = Int(next[Int(slots[row])])
                    next[Int(slots[row])] &+= 1
                    rows[position] = UInt32(truncatingIfNeeded: row)
                    if position != row { isIdentity = false }
                }
            }
            // Rows of one series stand in order of arrival; strictly ascending times are the rule.
            for slot in bySeries {
                let start = Int(starts[Int(slot)])
                let end = start + Int(counts[Int(slot)])
                var former = times[Int(rows[start])]
                for position in (start + 1)..<max(end, start + 1) {
                    let time = times[Int(rows[position])]
                    if time <= former {
                        inOrder = false
                        break
                    }
                    former = time
                }
            }
            initialized = count
        }
        if inOrder {
            var runs = RunIndex()
            runs.series.reserveCapacity(slotCount)
            for slot in bySeries {
                let start = Int(starts[Int(slot)])
                let rows = Int(counts[Int(slot)])
                runs.append(
                    series: series[Int(slot)], rows: rows, from: times[Int(sorted[start])],
                    through: times[Int(sorted[start + rows - 1])])
            }
            return SortedRows(rows: sorted, isIdentity: isIdentity, runs: runs, overwritten: [])
        }
        return sortTimes(times, sorted, bySeries, starts, counts, series)
    }

    /// The rows of each series by time, then by arrival; of equal times the last one stays.
    private static func sortTimes(
        _ times: UnsafePointer<Int64>, _ grouped: [UInt32], _ bySeries: [UInt32], _ starts: [Int32],
        _ counts: [Int32], _ series: [UInt32]
    ) -> SortedRows {
        var result = SortedRows(rows: [], isIdentity: false, runs: RunIndex(), overwritten: [])
        result.rows.reserveCapacity(grouped.count)
        for slot in bySeries {
            let start = Int(starts[Int(slot)])
            let run = grouped[start..<start + Int(counts[Int(slot)])].sorted {
                times[Int($0)] != times[Int($1)] ? times[Int($0)] < times[Int($1)] : $0 < $1
            }
            let first = result.rows.count
            var index = 0
            while index < run.count {
                var last = index
                while last + 1 < run.count && times[Int(run[last + 1])] == times[Int(run[index])] { last += 1 }
                for earlier in stride(from: last - 1, through: index, by: -1) {
                    result.overwritten.append((Int32(result.rows.count), run[earlier]))
                }
                result.rows.append(run[last])
                index = last + 1
            }
            result.runs.append(
                series: series[Int(slot)], rows: result.rows.count - first, from: times[Int(result.rows[first])],
                through: times[Int(result.rows[result.rows.count - 1])])
        }
        return result
    }
}
