import MartletModel
import MartletStorage
import MartletWire
import Synchronization

@testable import MartletServer

/// A backend whose statements are little scripts: `count N` gives N batches of one row, `wide N B` one batch
/// of N rows of B bytes, `forever` batches without
/// end, `stuck` waits until it is cancelled, `nothing` has no result; all else is a syntax error.
final class ScriptedBackend: WireBackend {
    struct State {
        var appended: [TableBatch] = []
        var held: [@Sendable () -> Void] = []
        var limits: WireQueryLimits?
        var liveQueries = 0
        var produced = 0
    }

    let acknowledgesDurably: Bool
    let holdsAppends: Bool
    let state = Mutex(State())

    init(acknowledgesDurably: Bool = true, holdsAppends: Bool = false) {
        self.acknowledgesDurably = acknowledgesDurably
        self.holdsAppends = holdsAppends
    }

    func append(
        _ batches: [TableBatch], namespace: String,
        completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) throws(MartletError) {
        guard namespace == "default" else { throw MartletError(.notFound, "there is no namespace '\(namespace)'") }
        let rows = batches.reduce(0) { $0 + $1.batch.rowCount }
        let answer: @Sendable () -> Void = {
            let rejected = [RejectedRow(batch: 0, row: 0, error: MartletError(.typeConflict, "row 0 is refused"))]
            completion(
                .success(
                    AppendOutcome(
                        accepted: rows - 1, rejected: rejected, commit: 7, isDurable: self.acknowledgesDurably)
                ))
        }
        state.withLock { state in
            state.appended += batches
            if holdsAppends { state.held.append(answer) }
        }
        if !holdsAppends { answer() }
    }

    func releaseAppends() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer() }
    }

    func query(_ sql: String, namespace: String, limits: WireQueryLimits) throws(MartletError) -> any WireQuery {
        state.withLock { $0.limits = limits }
        let words = sql.split(separator: " ")
        switch words.first {
        case "count": return ScriptedQuery(self, batches: Int(words[1]) ?? 0)
        case "wide": return ScriptedQuery(self, batches: 1, wide: (rows: Int(words[1]) ?? 0, bytes: Int(words[2]) ?? 0))
        case "forever": return ScriptedQuery(self, batches: .max)
        case "stuck": return ScriptedQuery(self, batches: .max, isStuck: true)
        case "nothing": return ScriptedQuery(self, batches: 0, hasColumns: false)
        default:
            throw MartletError(.syntax, "what is '\(sql)'?", at: .statement(offset: 3, line: 1, column: 4), hint: "no")
        }
    }
}

final class ScriptedQuery: WireQuery {
    private let backend: ScriptedBackend
    private let batches: Int
    private let isStuck: Bool
    private let hasColumns: Bool
    private let wide: (rows: Int, bytes: Int)?
    private let position = Mutex(0)
    private let isCancelled = Atomic(false)
    let notices = ["a notice"]

    init(
        _ backend: ScriptedBackend, batches: Int, isStuck: Bool = false, hasColumns: Bool = true,
        wide: (rows: Int, bytes: Int)? = nil
    ) {
        self.backend = backend
        self.batches = batches
        self.isStuck = isStuck
        self.hasColumns = hasColumns
        self.wide = wide
        backend.state.withLock { $0.liveQueries += 1 }
    }

    deinit { backend.state.withLock { $0.liveQueries -= 1 } }

    var schema: [ColumnDescription] {
        if wide != nil { return [ColumnDescription("text", .string)] }
        return hasColumns ? [ColumnDescription("n", .int64)] : []
    }

    func next() throws(MartletError) -> RecordBatch? {
        while isStuck && !isCancelled.load(ordering: .relaxed) { usleepBriefly() }
        if isCancelled.load(ordering: .relaxed) { throw MartletError(.cancelled, "cancelled in the engine") }
        let number = position.withLock { position in
            defer { position += 1 }
            return position
        }
        guard number < batches else { return nil }
        backend.state.withLock { $0.produced += 1 }
        if let wide {
            let text = String(repeating: "x", count: wide.bytes)
            let texts = (0..<wide.rows).map { FieldValue.string("\($0)" + text) }
            return RecordBatch(schema: schema, columns: [try Column(.string, texts)], rowCount: wide.rows)
        }
        return RecordBatch(
            schema: schema, columns: [Column(.int64, unsafeElements: [Int64(number)])], rowCount: 1)
    }

    func cancel() { isCancelled.store(true, ordering: .relaxed) }
}
