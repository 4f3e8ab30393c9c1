import Dispatch
import MartletModel
import Synchronization

/// One open namespace: a directory with its manifest, segments and, unless it was opened for reading, its writer.
final class NamespaceStore: NamespaceEngine {
    /// Frozen logs that may wait for the background.
    private static let longestBacklog = 6

    let name: String
    let core: StorageCore
    let directory: String
    let series: SeriesCatalog
    /// Bytes that recovery found damaged.
    let damage: [DamagedLayer]
    private let writer: Guarded<NamespaceWriter>
    private let current: Guarded<NamespaceState>
    private let queue: CommitQueue
    /// Held while a step of sealing or merging runs.
    let maintenance = Guarded(MaintenanceProgress())
    private let latestRows = LatestRows()
    /// What tables keep nothing of, by name.
    let expiry = Guarded<[String: TableExpiry]>([:])
    /// The runs of retention that are under way.
    let retentionRuns = Guarded<[QueryContext]>([])
    /// Held while a lot of rows is exported and erased: a lot that another run finds unfinished is then one that died.
    let archiving = Guarded(())
    private let watching = Guarded(Watching())
    private struct Watching: Sendable { weak var observer: (any NamespaceObserver)? }
    private let isSyncScheduled = Atomic<Bool>(false)
    private let isMaintenanceScheduled = Atomic<Bool>(false)

    var clock: any Clock { core.clock }
    /// The memory that the engine and its queries share.
    var memory: MemoryBudget { core.budget }

    private init(_ opened: sending OpenedNamespace, name: String, core: StorageCore, directory: String) {
        self.name = name
        self.core = core
        self.directory = directory
        series = opened.series
        damage = opened.damage
        current = Guarded(opened.writer.state)
        writer = Guarded(opened.writer)
        let target = WeakStore()
        queue = CommitQueue(label: "martlet.commit.\(name)", cache: core.cache) { target.commit($0) }
        target.store = self
    }

    /// Opens a namespace's directory for writing, making it if it is new.
    static func open(
        _ name: String, at directory: String, core: StorageCore
    ) throws(MartletError) -> NamespaceStore {
        let store = NamespaceStore(
            try NamespaceOpener(core: core, directory: directory).openForWriting(), name: name, core: core,
            directory: directory)
        store.scheduleRetention()
        return store
    }

    /// Has the background carry out the retention policies from time to time, as long as the store is open.
    private func scheduleRetention() {
        guard core.options.mergesInBackground, let seconds = core.options.retentionInterval else { return }
        core.timers.asyncAfter(deadline: DispatchTime.now() + DispatchTimeInterval.seconds(seconds)) { [weak self] in
            self?.core.retention.async { [weak self] in
                guard let self else { return }
                let outcome = Result { () throws(MartletError) in
                    try self.runRetention(
                        policy: nil, table: nil, isDryRun: false,
                        context: QueryContext(memory: self.core.budget, clock: self.core.clock))
                }
                if case .failure(let error) = outcome {
                    if error.code == .closed { return }
                    // The next run goes on where this one ended.
                    StorageCounters.add(self.core.counters.failures, 1)
                }
                self.scheduleRetention()
            }
        }
    }

    // MARK: - Reading

    func snapshot() throws(MartletError) -> any ReadSnapshot {
        NamespaceSnapshot(current.withLock { $0 }, series: series, core: core, latestRows: latestRows)
    }

    // MARK: - Appending

    func append(_ batches: [TableBatch]) throws(MartletError) -> AppendOutcome {
        try queue.appendAndWait(try Self.checked(batches))
    }

    func append(
        _ batches: [TableBatch], completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) {
        do throws(MartletError) {
            queue.append(PendingAppend(batches: try Self.checked(batches), completion: completion))
        } catch {
            completion(.failure(error))
        }
    }

    private static func checked(_ batches: [TableBatch]) throws(MartletError) -> [AppendBatch] {
        var result: [AppendBatch] = []
        result.reserveCapacity(batches.count)
        for batch in batches {
            try TierTable.checkFree(batch.table)
            result.append(try AppendBatch(batch))
        }
        return result
    }

    fileprivate func commit(_ group: [PendingAppend]) {
        let outcome = Result<[AppendOutcome], MartletError> { () throws(MartletError) in
            let expiry = expiry.withLock { $0 }
            return try change { (writer) throws(MartletError) in try writer.commit(group, expiry: expiry) }
        }
        scheduleMaintenance()
        scheduleSync()
        switch outcome {
        case .success(let outcomes):
            for (pending, outcome) in zip(group, outcomes) { pending.completion(.success(outcome)) }
            observer?.changed(.rows)
        case .failure(let error):
            for pending in group { pending.completion(.failure(error)) }
        }
        relieveBacklog()
    }

    func observe(_ observer: (any NamespaceObserver)?) { watching.withLock { $0.observer = observer } }

    /// Who is told of changes, if anybody is.
    var observer: (any NamespaceObserver)? { watching.withLock { $0.observer } }

    /// Runs `body` as the namespace's only writer and publishes the state that it leaves.
    func change<Result: Sendable>(
        _ body: (NamespaceWriter) throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        try writer.withLock { (writer) throws(MartletError) in
            // Whatever was done is published, also where the last part of it failed.
            defer {
                let state = writer.state
                current.withLock { $0 = state }
            }
            return try body(writer)
        }
    }

    /// Reads a state while others append, and writes what follows from it if that still holds; where it does not, reads
    /// again, the third time as the only writer.
    ///
    /// What an earlier commit that failed may have left on the disk is settled before: an answer that nothing was to be
    /// done promises that as well.
    func change<Reading, Result: Sendable>(
        reading: (NamespaceState) throws(MartletError) -> Reading,
        whileStill: (_ reading: Reading, _ former: NamespaceState, _ present: NamespaceState) -> Bool,
        writing: (NamespaceWriter, Reading) throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        for _ in 0..<2 {
            let state = try settled()
            let read = try reading(state)
            let result = try change { (writer) throws(MartletError) -> Result? in
                whileStill(read, state, writer.state) ? try writing(writer, read) : nil
            }
            if let result { return result }
        }
        return try change { (writer) throws(MartletError) in
            try writer.ensureUsableLog()
            return try writing(writer, try reading(writer.state))
        }
    }

    /// The present state, once what an earlier commit that failed may have left on the disk is settled.
    func settled() throws(MartletError) -> NamespaceState {
        try change { (writer) throws(MartletError) in
            try writer.ensureUsableLog()
            return writer.state
        }
    }

    var currentState: NamespaceState { current.withLock { $0 } }

    /// Has what was written synced within the time that the durability setting promises.
    private func scheduleSync() {
        guard case .interval(let milliseconds) = core.options.durability,
            !isSyncScheduled.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        core.timers.asyncAfter(deadline: DispatchTime.now() + DispatchTimeInterval.milliseconds(milliseconds)) {
            [weak self] in
            guard let self else { return }
            isSyncScheduled.store(false, ordering: .releasing)
            flush()
        }
    }

    /// Makes everything that was written durable. Where the device refuses, the log is abandoned, and its layers, of
    /// which the head has a copy, are written anew as a sealed segment.
    func flush() {
        let outcome = Result { () throws(MartletError) in
            try change { (writer) throws(MartletError) in try writer.sync() }
        }
        guard case .failure(let error) = outcome, error.code != .closed else { return }
        StorageCounters.add(core.counters.failures, 1)
        let rotation = Result { () throws(MartletError) in
            try change { (writer) throws(MartletError) in try writer.rotateIfNeeded() }
        }
        if case .success = rotation { scheduleMaintenance() }
    }

    /// Where logs freeze faster than the background seals them, the committing thread takes part in sealing: that holds
    /// the next commits back, and so bounds the memory and the time that an opening needs.
    private func relieveBacklog() {
        guard core.options.mergesInBackground,
            currentState.hot.lazy.filter(\.isFrozen).count > Self.longestBacklog
        else { return }
        let isFailing = maintenance.withLockIfAvailable { $0.lastError != nil } ?? false
        if !isFailing { maintain() }
    }

    /// Has the background seal frozen segments, if there are any.
    private func scheduleMaintenance() {
        guard core.options.mergesInBackground, currentState.hot.contains(where: \.isFrozen),
            !isMaintenanceScheduled.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        core.background.async { [weak self] in
            guard let self else { return }
            isMaintenanceScheduled.store(false, ordering: .releasing)
            maintain()
        }
    }

    func close() throws(MartletError) {
        try writer.withLock { (writer) throws(MartletError) in try writer.close() }
        // A step of maintenance that is under way ends at its next look at the writer.
        maintenance.withLock { _ in }
    }
}

/// Breaks the cycle between a store and its queue.
private final class WeakStore: @unchecked Sendable {
    // Set once, before the queue is used.
    weak var store: NamespaceStore?

    func commit(_ group: [PendingAppend]) {
        guard let store else {
            for pending in group {
                pending.completion(.failure(MartletError(.closed, "the namespace is closed")))
            }
            return
        }
        store.commit(group)
    }
}
