import MartletModel
import MartletStorage

/// How far the series of a table have come.
enum SeriesWatermark {
    /// Bytes that reading every series' latest row may take.
    private static let memory = 64 << 20

    /// The least of the newest times of the series that have a row of `time` or later: each of them has come so far. A series
    /// that has none is silent, and holds nobody up. O(series); the least number where there is no such series.
    static func least(
        of table: String, since time: Int64, in snapshot: any ReadSnapshot, clock: any Clock
    ) throws(MartletError) -> Int64 {
        let context = QueryContext(memory: MemoryBudget(limit: memory), clock: clock)
        let latest = try snapshot.latest(ScanRequest(table: table, fields: []), context: context)
        var least = Int64.max
        while case .rows(let batch)? = try latest.next() {
            for row in 0..<batch.rowCount {
                guard case .timestamp(let newest)? = batch.times.value(at: row) else { continue }
                if newest.nanoseconds >= time { least = min(least, newest.nanoseconds) }
            }
        }
        return least == .max ? .min : least
    }
}
