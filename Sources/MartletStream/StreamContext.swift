import MartletModel
import MartletQuery
import MartletStorage
import Synchronization

/// What a task works with: its namespace, queries on it, its stored state, its subscribers.
package final class StreamContext: Sendable {
    /// The table that keeps the state of streams, a row for each part of each stream.
    package static let stateTable = "_stream_state"

    /// The stream's name.
    package let name: String
    package let namespace: any NamespaceEngine
    package let queries: QueryEngine
    /// Unchanged by commits before it: rows of these were there when the stream was created.
    package let createdAtCommit: UInt64
    /// Whether state of that name is of a stream that this one takes the place of, and not its own.
    private let isNew: Atomic<Bool>
    private let subscriptions: SubscriptionHub

    init(
        name: String, namespace: any NamespaceEngine, queries: QueryEngine, createdAtCommit: UInt64, isNew: Bool,
        subscriptions: SubscriptionHub
    ) {
        self.name = name
        self.namespace = namespace
        self.queries = queries
        self.createdAtCommit = createdAtCommit
        self.isNew = Atomic(isNew)
        self.subscriptions = subscriptions
    }

    /// Appends rows and batches in one commit: all of them exist afterwards, or none.
    ///
    /// - Throws: what storage throws, and the reason where a single row is refused.
    package func commit(_ rows: [Row], _ batches: [TableBatch] = []) throws(MartletError) {
        let collected = try RowCollector.collect(rows, now: namespace.clock.now()).batches
        if collected.isEmpty && batches.isEmpty { return }
        let outcome = try namespace.append(batches + collected)
        if let refused = outcome.rejected.first {
            throw MartletError(
                refused.error.code,
                "\(outcome.rejected.count) rows of '\(name)' were refused: \(refused.error.message)",
                at: refused.error.location, hint: refused.error.hint)
        }
    }

    /// A row that keeps a part of the stream's state.
    package func stateRow(_ part: String, _ state: String) -> Row {
        Row(
            Self.stateTable, tags: ["stream": name, "part": part], fields: ["state": .string(state)],
            time: Timestamp(nanoseconds: 0))
    }

    /// The stream was created: from now on the state that is stored is its own.
    func becameStored() { isNew.store(false, ordering: .releasing) }

    /// The parts of the stream's stored state.
    package func storedState() throws(MartletError) -> [String: String] {
        guard !isNew.load(ordering: .acquiring), try namespace.snapshot().schema(of: Self.stateTable) != nil else {
            return [:]
        }
        let query = try StandingQuery("SELECT part, state FROM \(Self.stateTable) WHERE stream = $1")
        let result = try queries.run(query, in: namespace, parameters: [.string(name)])
        var state: [String: String] = [:]
        for row in try result.rows() {
            if case .string(let part)? = row[0], case .string(let text)? = row[1] { state[part] = text }
        }
        return state
    }

    /// Forgets the stream's stored state, but for one part where it is named.
    package func eraseState(except part: String? = nil) throws(MartletError) {
        guard try namespace.snapshot().schema(of: Self.stateTable) != nil else { return }
        var series = [TagPredicate.equals("stream", name)]
        if let part { series.append(.not(.equals("part", part))) }
        _ = try namespace.delete(from: Self.stateTable, time: .all, series: .and(series))
        if part == nil { try ErasureNotes.forget(name, in: namespace) }
    }

    /// Erasures from tables that the stream reads which it has not accounted for.
    package func storedErasures() throws(MartletError) -> [ErasureNotes.Erasure] {
        isNew.load(ordering: .acquiring) ? [] : try ErasureNotes.stored(of: name, in: namespace, queries)
    }

    /// Forgets erasures that the stored state accounts for.
    package func forget(_ erasures: [ErasureNotes.Erasure]) throws(MartletError) {
        for erasure in erasures {
            if let note = erasure.note { try ErasureNotes.forget(name, TimeRange(note, note), in: namespace) }
        }
    }

    /// Hands rows to those who subscribed to the stream.
    package func publish(_ batch: RecordBatch) { subscriptions.publish(batch, of: name) }

    /// Whether anybody would get what is published.
    package var hasSubscribers: Bool { subscriptions.hasSubscribers(of: name) }
}
