import Dispatch
import MartletModel

/// An append that waits for its commit.
struct PendingAppend: Sendable {
    let batches: [AppendBatch]
    let completion: @Sendable (Result<AppendOutcome, MartletError>) -> Void

    let rowCount: Int
    /// Bytes of memory held by the rows.
    let memoryFootprint: Int

    init(batches: [AppendBatch], completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void) {
        self.batches = batches
        self.completion = completion
        rowCount = batches.reduce(0) { $0 + $1.rowCount }
        memoryFootprint = batches.reduce(0) { $0 + $1.memoryFootprint }
    }
}

/// Collects appends and commits them in groups: whoever comes while no commit is running leads one with everything
/// that waits, the others are served by the next. No thread exists while nothing is appended.
final class CommitQueue: Sendable {
    private struct State {
        var waiting: [PendingAppend] = []
        var isLed = false
    }

    /// The most rows that one layer takes from several appends.
    private static let maximumGroupRows = 1 << 19
    /// Of the engine's memory, the share that the rows of a group of several appends take at most.
    private static let groupShare = 16
    private let state = Guarded(State())
    private let followers: DispatchQueue
    private let cache: BlockCache
    private let commit: @Sendable ([PendingAppend]) -> Void

    /// - Parameters:
    ///   - cache: what gives blocks up for rows that wait.
    ///   - commit: commits a group and calls each member's completion.
    init(label: String, cache: BlockCache, commit: @escaping @Sendable ([PendingAppend]) -> Void) {
        followers = DispatchQueue(label: label)
        self.cache = cache
        self.commit = commit
    }

    /// Appends and waits for the outcome. The calling thread may do the work for others that wait.
    func appendAndWait(_ batches: [AppendBatch]) throws(MartletError) -> AppendOutcome {
        let waiter = Waiter()
        let leads = enqueue(PendingAppend(batches: batches) { waiter.finish($0) })
        if leads { lead() }
        return try waiter.wait()
    }

    /// Appends; the completion runs on the queue's thread.
    func append(_ pending: PendingAppend) {
        if enqueue(pending) { followers.async { self.lead() } }
    }

    private func enqueue(_ pending: PendingAppend) -> Bool {
        // The rows exist already, whatever the limit.
        cache.holdInBudget(pending.memoryFootprint)
        return state.withLock { state in
            state.waiting.append(pending)
            if state.isLed { return false }
            state.isLed = true
            return true
        }
    }

    /// Commits one group, which holds the caller's own append, and hands the rest to the queue's thread.
    private func lead() {
        let group = state.withLock { state -> [PendingAppend] in
            var (rows, bytes) = (0, 0)
            var count = 0
            while count < state.waiting.count, rows < Self.maximumGroupRows {
                rows += state.waiting[count].rowCount
                bytes += state.waiting[count].memoryFootprint
                if count > 0, bytes > cache.budget.limit / Self.groupShare { break }
                count += 1
            }
            let group = Array(state.waiting[..<count])
            state.waiting.removeFirst(count)
            return group
        }
        // Once more while the commit puts the rows in order and writes them.
        let bytes = group.reduce(0) { $0 + $1.memoryFootprint }
        cache.holdInBudget(bytes)
        commit(group)
        cache.releaseInBudget(2 * bytes)
        let goesOn = state.withLock { state -> Bool in
            if state.waiting.isEmpty { state.isLed = false }
            return state.isLed
        }
        if goesOn { followers.async { self.lead() } }
    }
}

/// Waits for the outcome of one append.
private final class Waiter: Sendable {
    private let outcome = Guarded<Result<AppendOutcome, MartletError>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func finish(_ result: Result<AppendOutcome, MartletError>) {
        outcome.withLock { $0 = result }
        done.signal()
    }

    func wait() throws(MartletError) -> AppendOutcome {
        done.wait()
        guard let result = outcome.withLock({ $0 }) else {
            throw MartletError(.internal, "an append was completed without an outcome")
        }
        return try result.get()
    }
}
