import Dispatch
import MartletModel
import MartletQuery
import MartletStorage
import Synchronization

/// The streams of one namespace: loads them, lets them work when rows are committed and when their time has come, and
/// carries out statements on them.
///
/// `@unchecked Sendable`: everything that changes is touched on `queue` alone, or lies behind a lock.
package final class NamespaceStreams: NamespaceObserver, @unchecked Sendable {
    /// Nanoseconds after which a task that failed is tried again, doubled each time.
    private static let firstRetry: Int64 = 1_000_000_000
    private static let longestRetry: Int64 = 60_000_000_000
    /// Between two rounds, so that many small commits are worked off together.
    private static let pause = DispatchTimeInterval.milliseconds(2)

    private final class Entry {
        var record: StreamRecord
        var task: (any StreamTask)?
        var failure: MartletError?
        /// When it wants to work, whatever is committed.
        var due: Int64?
        /// A task that failed rests until then.
        var restsUntil: Int64?
        var retry = NamespaceStreams.firstRetry

        init(_ record: StreamRecord) { self.record = record }
    }

    private let namespace: any NamespaceEngine
    private let queries: QueryEngine
    private let factory: any StreamTaskFactory
    private let queue: DispatchQueue
    private let worksInBackground: Bool
    private let subscriptions = SubscriptionHub()
    private let isScheduled = Atomic<Bool>(false)
    private let erasures = Mutex<[(table: String, erasure: ErasureNotes.Erasure)]>([])
    private let notes: ErasureNotes
    private var entries: [String: Entry] = [:]
    private var unreadable: [(name: String, error: MartletError)] = []
    private var isStopped = false
    private var timer: (due: Int64, item: DispatchWorkItem)?

    /// - Parameters:
    ///   - queue: serial; may be shared by many namespaces.
    ///   - worksInBackground: whether rounds come by themselves; otherwise `settle` runs them.
    package init(
        _ namespace: any NamespaceEngine, queries: QueryEngine, factory: any StreamTaskFactory, queue: DispatchQueue,
        worksInBackground: Bool = true
    ) {
        self.namespace = namespace
        self.queries = queries
        self.factory = factory
        self.queue = queue
        self.worksInBackground = worksInBackground
        notes = ErasureNotes(namespace)
    }

    /// Loads the namespace's streams and lets them work.
    package func start() throws(MartletError) {
        let (records, failures) = try StreamRecord.stored(in: namespace, queries)
        if records.isEmpty && failures.isEmpty { return }
        // At once: what is erased while they are loaded concerns them too.
        observe(records.map(\.definition))
        queue.async { [self] in
            unreadable = failures
            for record in records {
                let entry = Entry(record)
                entries[record.definition.name] = entry
                if record.isEnabled { load(entry) }
            }
            schedule()
        }
    }

    /// Lets every stream write down where it stands, and ends them.
    package func stop() {
        namespace.observe(nil)
        queue.sync {
            isStopped = true
            timer?.item.cancel()
            subscriptions.endAll()
            for entry in entries.values {
                guard let task = entry.task else { continue }
                // What cannot be written down is worked out again after the next start.
                _ = Result { () throws(MartletError) in try task.checkpoint() }
            }
            entries = [:]
        }
    }

    private func observe(_ definitions: [StreamDefinition]) {
        var readers: [String: [String]] = [:]
        for definition in definitions {
            guard case .continuousQuery(let query) = definition else { continue }
            let tables = (try? queries.shape(of: query.query, in: namespace).tables) ?? []
            for table in tables { readers[table, default: []].append(query.name) }
        }
        notes.setReaders(readers)
        namespace.observe(self)
    }

    package func changed(_ change: NamespaceChange) {
        if case .erasure(let table, let time, let note) = change {
            erasures.withLock { $0.append((table, .init(time: time, note: note))) }
        }
        schedule()
    }

    package func willErase(from table: String, _ time: TimeRange) throws(MartletError) -> Int64? {
        try notes.take(table, time)
    }

    private func context(_ record: StreamRecord, isNew: Bool = false) -> StreamContext {
        StreamContext(
            name: record.definition.name, namespace: namespace, queries: queries,
            createdAtCommit: record.createdAtCommit, isNew: isNew, subscriptions: subscriptions)
    }

    private func load(_ entry: Entry) {
        do throws(MartletError) {
            entry.task = try factory.task(entry.record.definition, context(entry.record))
            entry.failure = nil
        } catch { fail(entry, error) }
    }

    private func fail(_ entry: Entry, _ error: MartletError) {
        entry.failure = error
        entry.restsUntil = namespace.clock.now().nanoseconds + entry.retry
        entry.retry = min(entry.retry * 2, Self.longestRetry)
    }

    // MARK: Rounds

    /// Has a round run soon. Callable from any thread; returns at once.
    private func schedule() {
        guard worksInBackground, !isScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.async { [weak self] in self?.round() }
    }

    /// Runs rounds until there is nothing to do at this moment of the clock, so many at most.
    package func settle(rounds: Int) {
        queue.sync {
            for _ in 0..<rounds {
                let commit = try? namespace.snapshot().commit
                // What one stream writes may be another's to read.
                let isDone = !round() && !entries.values.contains(where: isDue)
                if isDone, commit == (try? namespace.snapshot().commit) { return }
            }
        }
    }

    private func isDue(_ entry: Entry) -> Bool {
        guard entry.record.isEnabled, let due = entry.restsUntil ?? entry.due else { return false }
        return due <= namespace.clock.now().nanoseconds
    }

    /// - Returns: whether there is more to do at once.
    @discardableResult
    private func round() -> Bool {
        isScheduled.store(false, ordering: .releasing)
        if isStopped { return false }
        for erasure in erasures.withLock({ list in
            defer { list = [] }
            return list
        }) {
            for entry in entries.values { entry.task?.noteErasure(of: erasure.table, erasure.erasure) }
        }
        let snapshot: any ReadSnapshot
        do throws(MartletError) { snapshot = try namespace.snapshot() } catch {
            // The namespace is closed.
            isStopped = true
            return false
        }
        var hasMore = false
        let moment = StreamMoment(snapshot: snapshot, now: namespace.clock.now().nanoseconds)
        for entry in entries.values where entry.record.isEnabled {
            if let rest = entry.restsUntil {
                if moment.now < rest { continue }
                entry.restsUntil = nil
            }
            if entry.task == nil { load(entry) }
            guard let task = entry.task else { continue }
            do throws(MartletError) {
                let step = try task.step(moment)
                hasMore = hasMore || step.hasMore
                entry.due = step.due
                entry.failure = nil
                entry.retry = Self.firstRetry
            } catch {
                fail(entry, error)
            }
        }
        if hasMore {
            schedule()
        } else {
            setTimer(now: moment.now)
        }
        return hasMore
    }

    private func setTimer(now: Int64) {
        guard worksInBackground else { return }
        timer?.item.cancel()
        timer = nil
        let moments = entries.values.compactMap { entry -> Int64? in
            guard entry.record.isEnabled else { return nil }
            return entry.restsUntil ?? entry.due
        }
        guard let due = moments.min() else { return }
        let item = DispatchWorkItem { [weak self] in self?.schedule() }
        timer = (due, item)
        // No longer than a second: the wall clock may be set, and a test's clock moves as it likes.
        let wait = min(max(0, due - now), 1_000_000_000)
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(wait)) + Self.pause, execute: item)
    }

    // MARK: Statements

    /// Carries out a statement.
    package func run(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer {
        let outcome = queue.sync { () -> Result<StreamAnswer, MartletError> in
            do throws(MartletError) { return .success(try perform(statement)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private func perform(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer {
        if isStopped { throw MartletError(.closed, "the namespace is closed") }
        switch statement {
        case .create(let definition, let text, let replaces): return try create(definition, text, replaces: replaces)
        case .drop(let kind, let name, let ifExists):
            guard let entry = entries[name], entry.record.definition.kind == kind else {
                if ifExists { return Self.done("DROP \(kind.words)", name, changed: false) }
                throw unknown(kind.rawValue, name)
            }
            try remove(entry)
            return Self.done("DROP \(kind.words)", name, changed: true)
        case .setEnabled(let kind, let name, let isEnabled):
            guard let entry = entries[name], entry.record.definition.kind == kind else {
                throw unknown(kind.rawValue, name)
            }
            let isChanged = entry.record.isEnabled != isEnabled
            if isChanged {
                var record = entry.record
                record.isEnabled = isEnabled
                if !isEnabled { try entry.task?.checkpoint() }
                try context(record).commit([record.row])
                entry.record = record
                entry.task = nil
                if isEnabled { load(entry) }
                schedule()
            }
            return Self.done("ALTER \(kind.words)", name, changed: isChanged)
        case .subscribe(let name):
            guard let entry = entries[name] else { throw unknown("stream", name) }
            guard let task = entry.task else {
                throw entry.failure ?? MartletError(.invalidArgument, "'\(name)' is disabled")
            }
            let subscription = subscriptions.subscribe(to: name)
            return StreamAnswer(columns: task.outputColumns, rows: []) { (check) throws(MartletError) in
                try subscription.next(check)
            }
        case .train(let name, _), .acknowledge(let name, _, _, _, _):
            guard let entry = entries[name], entry.record.definition.kind == .detector, let task = entry.task else {
                throw unknown("detector", name)
            }
            let answer = try task.run(statement)
            schedule()
            return answer ?? Self.done("", name, changed: false)
        case .show(let listing, let name): return try show(listing, of: name, statement)
        case .detect: throw MartletError(.unsupported, "DETECT is no statement on what stands in a namespace")
        }
    }

    private func unknown(_ what: String, _ name: String) -> MartletError {
        let names = entries.keys.sorted()
        return MartletError(
            .notFound, "there is no \(what) '\(name)'",
            hint: names.isEmpty ? nil : "there are \(names.joined(separator: ", "))")
    }

    private func create(
        _ definition: StreamDefinition, _ text: String, replaces: Bool
    ) throws(MartletError) -> StreamAnswer {
        let former = entries[definition.name]
        if let former {
            guard replaces else {
                throw MartletError(
                    .alreadyExists, "there is a \(former.record.definition.kind.rawValue) '\(definition.name)' already",
                    hint: "CREATE OR REPLACE changes it")
            }
            guard former.record.definition.kind == definition.kind else {
                throw MartletError(
                    .alreadyExists, "'\(definition.name)' is a \(former.record.definition.kind.rawValue)",
                    hint: "DROP it first, or choose another name")
            }
        }
        let record = StreamRecord(
            definition: definition, statement: text, isEnabled: true, createdAt: namespace.clock.now().nanoseconds,
            createdAtCommit: try namespace.snapshot().commit)
        // The new one is made before the former goes, so that a definition that cannot work changes nothing.
        let context = context(record, isNew: true)
        let task = try factory.task(definition, context)
        try task.prepare()
        if former != nil { try context.eraseState() }
        try context.commit([record.row] + task.initialRows)
        context.becameStored()
        let entry = Entry(record)
        entry.task = task
        if former != nil { subscriptions.end(definition.name) }
        entries[definition.name] = entry
        observe(entries.values.map(\.record.definition))
        schedule()
        return Self.done("CREATE \(definition.kind.words)", definition.name, changed: true)
    }

    private func remove(_ entry: Entry) throws(MartletError) {
        let name = entry.record.definition.name
        _ = try namespace.delete(from: StreamRecord.table, time: .all, series: .equals("stream", name))
        entries[name] = nil
        observe(entries.values.map(\.record.definition))
        subscriptions.end(name)
        try context(entry.record).eraseState()
    }

    static func done(_ statement: String, _ name: String, changed: Bool) -> StreamAnswer {
        StreamAnswer(
            columns: [
                ColumnDescription("statement", .string), ColumnDescription("name", .string),
                ColumnDescription("changed", .bool),
            ], rows: [[.string(statement), .string(name), .bool(changed)]])
    }

    // MARK: SHOW

    private static let figureColumns = [
        ColumnDescription("name", .string), ColumnDescription("state", .string), ColumnDescription("lag_ms", .float64),
        ColumnDescription("rows_in", .int64), ColumnDescription("rows_out", .int64),
        ColumnDescription("ns_per_row", .float64), ColumnDescription("series", .int64),
        ColumnDescription("bytes_per_series", .float64), ColumnDescription("last_error", .string),
        ColumnDescription("remark", .string), ColumnDescription("definition", .string),
    ]

    private func show(
        _ listing: StreamStatement.Listing, of name: String?, _ statement: StreamStatement
    ) throws(MartletError) -> StreamAnswer {
        let kind: StreamKind
        switch listing {
        case .continuousQueries: kind = .continuousQuery
        case .detectors: kind = .detector
        case .alerts: kind = .alert
        case .anomalies, .models: return try collect(.detector, name, statement)
        case .activeAlerts: return try collect(.alert, name, statement)
        }
        var rows: [[FieldValue?]] = []
        for (key, entry) in entries.sorted(by: { $0.key < $1.key })
        where entry.record.definition.kind == kind && (name ?? key) == key {
            let figures = entry.task?.figures ?? StreamFigures()
            let error = entry.failure ?? figures.error
            let state = !entry.record.isEnabled ? "disabled" : error != nil ? "failing" : "running"
            rows.append([
                .string(key), .string(state), .float64(Double(figures.lag) / 1e6), .int64(Int64(figures.rowsIn)),
                .int64(Int64(figures.rowsOut)),
                figures.rowsIn == 0 ? nil : .float64(Double(figures.nanoseconds) / Double(figures.rowsIn)),
                .int64(Int64(figures.series)),
                figures.series == 0 ? nil : .float64(Double(figures.stateBytes) / Double(figures.series)),
                error.map { .string("\($0)") }, figures.remark.map { .string($0) }, .string(entry.record.statement),
            ])
        }
        for failure in unreadable where kind == .continuousQuery {
            rows.append(
                [.string(failure.name), .string("unreadable")] + Array(repeating: nil, count: 6)
                    + [.string("\(failure.error)"), nil, nil])
        }
        return StreamAnswer(columns: Self.figureColumns, rows: rows)
    }

    /// What streams of a kind answer to the same question, one after the other.
    private func collect(
        _ kind: StreamKind, _ name: String?, _ statement: StreamStatement
    ) throws(MartletError) -> StreamAnswer {
        if let name, entries[name]?.record.definition.kind != kind { throw unknown(kind.rawValue, name) }
        var answer: StreamAnswer?
        for (key, entry) in entries.sorted(by: { $0.key < $1.key })
        where entry.record.definition.kind == kind && (name ?? key) == key {
            guard let part = try entry.task?.run(statement) else { continue }
            if answer == nil { answer = part } else { answer?.rows += part.rows }
        }
        return answer ?? StreamAnswer(columns: [ColumnDescription(kind.rawValue, .string)], rows: [])
    }
}
