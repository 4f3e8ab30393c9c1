import Dispatch
import MartletModel
import MartletQuery
import Synchronization

/// Who wants to see what streams make, as they make it.
final class SubscriptionHub: Sendable {
    private struct Entry {
        weak var subscription: Subscription?
    }

    private let entries = Mutex<[String: [Entry]]>([:])

    /// A subscription to a stream's rows; it ends when it goes away.
    func subscribe(to name: String) -> Subscription {
        let subscription = Subscription(name)
        entries.withLock { $0[name, default: []].append(Entry(subscription: subscription)) }
        return subscription
    }

    func hasSubscribers(of name: String) -> Bool {
        entries.withLock { $0[name]?.contains { $0.subscription != nil } ?? false }
    }

    func publish(_ batch: RecordBatch, of name: String) {
        let present = entries.withLock { entries in
            entries[name]?.removeAll { $0.subscription == nil }
            return entries[name]?.compactMap(\.subscription) ?? []
        }
        for subscription in present { subscription.offer(batch) }
    }

    /// The stream is gone: its subscriptions end.
    func end(_ name: String) {
        let present = entries.withLock { $0.removeValue(forKey: name)?.compactMap(\.subscription) ?? [] }
        for subscription in present { subscription.end() }
    }

    /// All streams are gone.
    func endAll() { for name in entries.withLock({ Array($0.keys) }) { end(name) } }
}

/// Rows of a stream on their way to one client.
final class Subscription: Sendable {
    /// Batches that wait for the client at most.
    private static let longestQueue = 1024
    /// How long a wait lasts before the client is asked whether it still wants rows.
    private static let patience = DispatchTimeInterval.milliseconds(100)

    private struct State {
        var batches: [RecordBatch] = []
        var isOver = false
        var fellBehind = false
    }

    private let name: String
    private let state = Mutex(State())
    private let arrivals = DispatchSemaphore(value: 0)

    init(_ name: String) { self.name = name }

    func offer(_ batch: RecordBatch) {
        state.withLock { state in
            if state.batches.count >= Self.longestQueue { state.fellBehind = true } else { state.batches.append(batch) }
        }
        arrivals.signal()
    }

    func end() {
        state.withLock { $0.isOver = true }
        arrivals.signal()
    }

    /// The next rows; waits for them. `nil` when the stream is gone.
    ///
    /// - Throws: what `check` throws; `.resourceExhausted` when the client did not keep up.
    func next(_ check: QueryCancellation) throws(MartletError) -> RecordBatch? {
        while true {
            try check()
            let (batch, isOver, fellBehind) = state.withLock { state in
                let batch = state.batches.isEmpty ? nil : state.batches.removeFirst()
                return (batch, state.isOver, state.fellBehind)
            }
            if let batch { return batch }
            if fellBehind {
                throw MartletError(
                    .resourceExhausted, "the subscription to '\(name)' fell \(Self.longestQueue) batches behind",
                    hint: "the rows are in their table: query what is missing, and subscribe again")
            }
            if isOver { return nil }
            _ = arrivals.wait(timeout: .now() + Self.patience)
        }
    }
}
