import MartletModel
import MartletQuery
import MartletStorage
import Synchronization

/// Erasures that continuous queries have yet to account for, written down before they happen: a table, so that neither a
/// crash nor a query that is disabled loses one.
///
/// A note of an erasure that never happened, since the process ended in between, has a query work out buckets that have not
/// changed.
package final class ErasureNotes: Sendable {
    /// Rows that are erased from a table that is read.
    package struct Erasure: Sendable, Hashable {
        package var time: TimeRange
        /// The time of the row that it was written down as; nil where nobody had to.
        package var note: Int64?
    }

    /// Tag `stream`; fields `lower` and `upper`, the range in nanoseconds, both included.
    private static let table = "_stream_erasures"

    private let namespace: any NamespaceEngine
    private let state = Mutex<(readers: [String: [String]], last: Int64)>(([:], .min))

    init(_ namespace: any NamespaceEngine) { self.namespace = namespace }

    /// The names of the continuous queries that read each table.
    func setReaders(_ readers: [String: [String]]) { state.withLock { $0.readers = readers } }

    /// Writes an erasure down for every query that reads the table. Callable from any thread.
    ///
    /// - Returns: what it was written down as; nil where nobody reads the table.
    func take(_ table: String, _ time: TimeRange) throws(MartletError) -> Int64? {
        let names = state.withLock { $0.readers[table] ?? [] }
        if names.isEmpty { return nil }
        let now = namespace.clock.now().nanoseconds
        let stored = try namespace.snapshot().timesChanged(of: Self.table, after: 0)
        let note = state.withLock { state in
            // No two notes have one time, whatever the clock says.
            state.last = max(now, state.last &+ 1, stored.isEmpty ? .min : stored.upperBound &+ 1)
            return state.last
        }
        let rows = names.map { name in
            Row(
                Self.table, tags: ["stream": name],
                fields: ["lower": .int64(time.lowerBound), "upper": .int64(time.upperBound)],
                time: Timestamp(nanoseconds: note))
        }
        let outcome = try namespace.append(RowCollector.collect(rows, now: namespace.clock.now()).batches)
        if let refused = outcome.rejected.first { throw refused.error }
        return note
    }

    static func stored(
        of stream: String, in namespace: any NamespaceEngine, _ queries: QueryEngine
    ) throws(MartletError) -> [Erasure] {
        guard try namespace.snapshot().schema(of: table) != nil else { return [] }
        let query = try StandingQuery("SELECT lower, upper, time FROM \(table) WHERE stream = $1 ORDER BY time")
        return try queries.run(query, in: namespace, parameters: [.string(stream)]).rows().compactMap { row in
            guard case .int64(let lower)? = row[0], case .int64(let upper)? = row[1], lower <= upper,
                case .timestamp(let note)? = row[2]
            else { return nil }
            return Erasure(time: TimeRange(lower, upper), note: note.nanoseconds)
        }
    }

    static func forget(
        _ stream: String, _ notes: TimeRange = .all, in namespace: any NamespaceEngine
    ) throws(MartletError) {
        guard try namespace.snapshot().schema(of: table) != nil else { return }
        _ = try namespace.delete(from: table, time: notes, series: .equals("stream", stream))
    }
}
