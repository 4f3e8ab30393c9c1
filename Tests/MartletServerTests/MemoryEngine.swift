import MartletModel
import MartletStorage
import Synchronization

@testable import MartletServer

/// A namespace in memory, whose commits a test can hold back or let fail.
final class MemoryEngine: NamespaceEngine {
    struct State {
        var batches: [TableBatch] = []
        var schemas: [String: TableSchema] = [:]
        var held: [@Sendable () -> Void] = []
        var isHolding = false
        var failures: [MartletError] = []
        var rejectRows: (@Sendable (TableBatch, Int) -> MartletError?)?
        var commits = 0
    }

    struct Snapshot: ReadSnapshot {
        var commit: UInt64 { 0 }
        func timesChanged(of table: String, after commit: UInt64) throws(MartletError) -> TimeRange { .empty }
        var schemas: [String: TableSchema]
        var tables: [TableSchema] { schemas.values.sorted { $0.name < $1.name } }
        func schema(of table: String) -> TableSchema? { schemas[table] }
        func scan(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan {
            throw MartletError(.unsupported, "the test's engine does not scan")
        }
        func latest(_ request: ScanRequest, context: QueryContext) throws(MartletError) -> any TableScan {
            throw MartletError(.unsupported, "the test's engine does not scan")
        }
        func series(of table: String, matching predicate: TagPredicate) throws(MartletError) -> [TagSet] { [] }
        var segments: [SegmentDescription] { [] }
    }

    let name: String
    let clock: any Clock = SystemClock()
    let state = Mutex(State())

    init(name: String = "default") { self.name = name }

    var rows: Int { state.withLock { $0.batches.reduce(0) { $0 + $1.batch.rowCount } } }
    var commits: Int { state.withLock { $0.commits } }

    /// Values of field `field` of `table`, in the order of arrival.
    func values(_ field: String, of table: String) -> [FieldValue?] {
        state.withLock { state in
            state.batches.filter { $0.table == table }.flatMap { batch in
                (0..<batch.batch.rowCount).map { batch.batch[field]?.value(at: $0) }
            }
        }
    }

    func times(of table: String) -> [Int64] {
        state.withLock { state in
            state.batches.filter { $0.table == table }.flatMap { batch in
                Array(batch.batch.columns[0].values.elements(of: Int64.self))
            }
        }
    }

    /// Lets held commits go on, and further ones through once no earlier one is held.
    func release() {
        while true {
            let held = state.withLock { state -> [@Sendable () -> Void] in
                if state.held.isEmpty { state.isHolding = false }
                defer { state.held = [] }
                return state.held
            }
            if held.isEmpty { return }
            for commit in held { commit() }
        }
    }

    func snapshot() throws(MartletError) -> any ReadSnapshot { Snapshot(schemas: state.withLock { $0.schemas }) }

    func append(_ batches: [TableBatch]) throws(MartletError) -> AppendOutcome { try commit(batches) }

    private func commit(_ batches: [TableBatch]) throws(MartletError) -> AppendOutcome {
        let result = state.withLock { state -> Result<AppendOutcome, MartletError> in
            if !state.failures.isEmpty { return .failure(state.failures.removeFirst()) }
            state.commits += 1
            var rejected: [RejectedRow] = []
            for (index, batch) in batches.enumerated() {
                for row in 0..<batch.batch.rowCount {
                    guard let error = state.rejectRows?(batch, row) else { continue }
                    rejected.append(RejectedRow(batch: index, row: row, error: error))
                }
            }
            state.batches += batches
            let rows = batches.reduce(0) { $0 + $1.batch.rowCount } - rejected.count
            return .success(
                AppendOutcome(accepted: rows, rejected: rejected, commit: UInt64(state.commits), isDurable: true))
        }
        return try result.get()
    }

    func append(
        _ batches: [TableBatch], completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) {
        let work: @Sendable () -> Void = { [self] in
            do throws(MartletError) { completion(.success(try commit(batches))) } catch { completion(.failure(error)) }
        }
        let isHeld = state.withLock { state in
            if state.isHolding { state.held.append(work) }
            return state.isHolding
        }
        if !isHeld { work() }
    }

    func delete(from table: String, time: TimeRange, series: TagPredicate) throws(MartletError) -> Int { 0 }
    func createTable(_ schema: TableSchema) throws(MartletError) {}
    func dropTable(_ name: String) throws(MartletError) {}
    func addField(_ field: ColumnDescription, to table: String) throws(MartletError) {}
    func changeType(of field: String, in table: String, to type: ColumnType) throws(MartletError) {}
    func dropField(_ field: String, from table: String) throws(MartletError) {}
    func compact() throws(MartletError) -> CompactionReport { CompactionReport() }
}

/// A backend of memory engines, whose queries answer what the test says.
struct MemoryBackend: ServerBackend {
    let memory = MemoryBudget(limit: 256 << 20)
    var engines: [String: MemoryEngine]
    var onQuery: @Sendable (String, String) throws(MartletError) -> any ServerQuery = { (_, _) throws(MartletError) in
        throw MartletError(.unsupported, "the test answers no queries")
    }

    init(_ engines: MemoryEngine...) {
        self.engines = Dictionary(uniqueKeysWithValues: engines.map { ($0.name, $0) })
    }

    var namespaceNames: [String] { engines.keys.sorted() }
    func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine {
        guard let engine = engines[name] else { throw MartletError(.notFound, "there is no namespace '\(name)'") }
        return engine
    }
    func query(_ sql: String, namespace: String, timeout: Duration?) throws(MartletError) -> any ServerQuery {
        try onQuery(sql, namespace)
    }
    var figures: [Figure] { [Figure("test_total", .counter, "A figure of the test.", 7)] }
}
