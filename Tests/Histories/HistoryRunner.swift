import MartletModel
import MartletStorage
import MartletTestSupport

/// Runs a history against an engine on a simulated disk, beside the model.
///
/// An operation that threw an error of the machine (`.io`, `.storageFull`, ...) was not acknowledged: from then on the
/// model is a set of candidates, with it and without it. Reading must always give one of them, and reopening after a
/// crash settles which.
struct HistoryRunner {
    /// A history that did not end well.
    struct Failure: Error, CustomStringConvertible {
        let step: Int
        let reason: String
        var description: String { "step \(step): \(reason)" }
    }

    private let history: History
    private let options: StorageOptions
    private var disk: SimulatedFileSystem
    private var engine: StorageEngine?
    private var candidates: [HistoryModel] = [HistoryModel()]
    private var index = 0
    private var unacknowledgedInARow = 0
    /// What the disks were asked to do, the last of them last.
    private(set) var operations: [String] = []

    init(_ history: History, options: StorageOptions) {
        self.history = history
        self.options = options
        disk = SimulatedFileSystem(seed: history.seed)
    }

    /// Runs all steps.
    mutating func run() throws(Failure) {
        try reopen(settles: true)
        for (index, step) in history.steps.enumerated() {
            self.index = index
            try run(step)
            if disk.isOff {
                replaceDisk(disk.crash())
                try reopen(settles: true)
            } else if candidates.count > 32 {
                // Too much is open; a crash settles it.
                replaceDisk(disk.crash())
                try reopen(settles: true)
            } else if unacknowledgedInARow >= 3 {
                try close()
                disk.clearFaults()
                disk.capacity = nil
                replaceDisk(disk.killProcess())
                try reopen(settles: false)
            }
        }
        try close()
    }

    private func failed(_ reason: String) -> Failure { Failure(step: index, reason: reason) }

    /// Puts another disk in place of the present one.
    private mutating func replaceDisk(_ next: SimulatedFileSystem) {
        operations += disk.operationLog.map(\.description) + ["-- \(index): next disk"]
        disk = next
    }

    private func namespace() throws(Failure) -> any NamespaceEngine {
        guard let engine else { throw failed("the engine is not open") }
        do throws(MartletError) {
            return try engine.namespace("default")
        } catch {
            throw failed("the namespace is gone: \(error)")
        }
    }

    private mutating func run(_ step: HistoryStep) throws(Failure) {
        switch step {
        case .append(let batches): try append(batches)
        case .change(let change): try apply(change)
        case .compact:
            let namespace = try namespace()
            do throws(MartletError) {
                try namespace.compact()
                unacknowledgedInARow = 0
            } catch {
                try expectMachineError(error, "compact")
            }
        case .maintain:
            do throws(MartletError) {
                try engine?.maintain("default")
            } catch {
                throw failed("maintenance: \(error)")
            }
        case .reopen:
            try close()
            if !disk.isOff { try reopen(settles: false) }
        case .kill:
            replaceDisk(disk.killProcess())
            try reopen(settles: false)
        case .crash:
            replaceDisk(disk.crash())
            try reopen(settles: true)
        case .fault(let fault, let after): disk.inject(fault, atOperation: disk.operationCount + after)
        case .fillDisk(let bytes):
            do throws(MartletError) {
                disk.capacity = (1 << 40) - (try disk.freeBytes(at: "/")) + Int64(bytes)
            } catch {
                throw failed("the disk does not answer: \(error)")
            }
        case .verify: try verify(settles: false)
        }
    }

    private mutating func append(_ batches: [HistoryBatch]) throws(Failure) {
        let namespace = try namespace()
        var next = candidates
        let refusals = next.indices.map { next[$0].append(batches) }
        do throws(MartletError) {
            let outcome = try namespace.append(batches.map { batch throws(MartletError) in try batch.tableBatch() })
            let refused = Set(outcome.rejected.map { [$0.batch, $0.row] })
            for rejection in outcome.rejected where rejection.error.code != .typeConflict {
                throw MartletError(.internal, "a row was refused: \(rejection.error)")
            }
            let matching = next.indices.filter { refusals[$0] == refused }
            guard !matching.isEmpty else {
                throw MartletError(
                    .internal,
                    "rows \(refused.sorted { $0.lexicographicallyPrecedes($1) }) were refused instead of "
                        + "\(refusals.map { $0.sorted { $0.lexicographicallyPrecedes($1) } })")
            }
            let total = batches.reduce(0) { $0 + $1.rows.count }
            guard outcome.accepted == total - refused.count else {
                throw MartletError(.internal, "\(outcome.accepted) rows accepted of \(total), \(refused.count) refused")
            }
            candidates = matching.map { next[$0] }
            unacknowledgedInARow = 0
        } catch {
            try expectMachineError(error, "append")
            merge(next)
        }
    }

    private mutating func apply(_ change: HistoryChange) throws(Failure) {
        let namespace = try namespace()
        var next = candidates
        let expected = next.indices.map { next[$0].apply(change) }
        do throws(MartletError) {
            try change.run(on: namespace)
            candidates = next.indices.filter { expected[$0] == nil }.map { next[$0] }
            guard !candidates.isEmpty else {
                throw MartletError(.internal, "\(change) succeeded where \(expected) was due")
            }
            unacknowledgedInARow = 0
        } catch {
            // A refusal changes nothing, whatever else may still surface.
            if expected.contains(error.code) { return }
            try expectMachineError(error, "\(change)")
            merge(next)
        }
    }

    /// Adds what may have become of an operation that was not acknowledged.
    private mutating func merge(_ others: [HistoryModel]) {
        for other in others where !candidates.contains(other) { candidates.append(other) }
    }

    /// Fails the history unless the error is one that a broken machine explains.
    private mutating func expectMachineError(_ error: MartletError, _ what: String) throws(Failure) {
        switch error.code {
        case .io, .storageFull, .closed, .readOnly: unacknowledgedInARow += 1
        default: throw failed("\(what) failed: \(error)")
        }
    }

    private mutating func close() throws(Failure) {
        guard let engine else { return }
        self.engine = nil
        do throws(MartletError) {
            try engine.close()
        } catch {
            try expectMachineError(error, "close")
        }
    }

    private mutating func reopen(settles: Bool) throws(Failure) {
        engine = nil
        unacknowledgedInARow = 0
        for attempt in 0... {
            do throws(MartletError) {
                let opened = try StorageEngine.open(
                    at: "/data", options: options, fileSystem: disk, clock: ManualClock())
                _ = try opened.namespace("default")
                engine = opened
                break
            } catch {
                // A fault may strike the opening too; without one it must succeed.
                if attempt == 3 { throw failed("reopening needs a person: \(error)") }
                try expectMachineError(error, "open")
                disk.clearFaults()
                disk.capacity = nil
                replaceDisk(disk.isOff ? disk.crash() : disk.killProcess())
            }
        }
        try verify(settles: settles)
    }

    private mutating func verify(settles: Bool) throws(Failure) {
        let namespace = try namespace()
        do throws(MartletError) {
            let observed = try HistoryObserver.read(namespace)
            let matching = candidates.filter { $0.difference(from: observed) == nil }
            guard let match = matching.first else {
                throw MartletError(
                    .internal,
                    "reading differs: "
                        + candidates.map { $0.difference(from: observed) ?? "" }.joined(separator: " | or "))
            }
            if settles { candidates = matching }
            try verifyDetails(namespace, match)
        } catch {
            if disk.isOff { return }
            throw failed("\(error)")
        }
    }

    /// Compares narrow scans and the latest rows.
    private func verifyDetails(_ namespace: any NamespaceEngine, _ model: HistoryModel) throws(MartletError) {
        let snapshot = try namespace.snapshot()
        var random = SeededGenerator(seed: history.seed &+ UInt64(index))
        for schema in snapshot.tables {
            guard let table = model.tables[schema.name] else { continue }
            let start = Int64.random(in: 0..<150, using: &random)
            let time = TimeRange(start, start + Int64.random(in: 0..<50, using: &random))
            let predicate = [HistoryPredicate.all, .host("h1"), .notHost("h2"), .noRegion].randomElement(
                using: &random)!
            let fields = schema.fields.map(\.name).filter { _ in Bool.random(using: &random) }
            let request = ScanRequest(
                table: schema.name, fields: fields, time: time, series: predicate.predicate,
                newestFirst: Bool.random(using: &random))
            let found = try HistoryObserver.rows(of: schema, request, in: snapshot)
            var expected: [TagSet: [Int64: [String: FieldValue]]] = [:]
            for (tags, rows) in table.rows where predicate.predicate.holds(for: tags) {
                for (moment, values) in rows where time.contains(moment) {
                    expected[tags, default: [:]][moment] = values.filter { fields.contains($0.key) }
                }
            }
            for (tags, rows) in expected {
                for (moment, values) in rows where found[tags]?[moment] ?? [:] != values {
                    throw MartletError(
                        .internal, "\(request) gave \(found[tags]?[moment] ?? [:]) instead of \(values) at \(moment)")
                }
            }
            for (tags, rows) in found where rows.contains(where: { expected[tags]?[$0.key] == nil }) {
                throw MartletError(.internal, "\(request) gave rows that are not there: \(tags) \(rows)")
            }
            let latest = try HistoryObserver.latest(of: schema, in: snapshot)
            for (tags, rows) in table.rows {
                guard let newest = rows.filter({ !$0.value.isEmpty }).keys.max() else { continue }
                guard let found = latest[tags]?.first, latest[tags]?.count == 1, found.key >= newest else {
                    throw MartletError(
                        .internal, "the latest row of \(tags) is \(latest[tags] ?? [:]), not at \(newest)")
                }
                if found.key == newest, found.value != rows[newest] {
                    throw MartletError(
                        .internal, "the latest row of \(tags) is \(found.value), not \(rows[newest] ?? [:])")
                }
            }
        }
    }
}

extension HistoryBatch {
    /// The rows as storage takes them.
    func tableBatch() throws(MartletError) -> TableBatch {
        var schema: [ColumnDescription] = [ColumnDescription("time", .timestamp, .time)]
        var columns = [Column(.timestamp, unsafeElements: rows.map(\.time))]
        if usesSeriesColumn {
            var sets: [TagSet] = []
            var offsets = [Int32(0)]
            var bytes: [UInt8] = []
            var codes: [UInt32] = []
            for row in rows {
                if let code = sets.firstIndex(of: row.tags) {
                    codes.append(UInt32(code))
                } else {
                    codes.append(UInt32(sets.count))
                    sets.append(row.tags)
                    bytes += row.tags.canonicalBytes
                    offsets.append(Int32(bytes.count))
                }
            }
            let dictionary = StringDictionary(offsets: Buffer(offsets), bytes: Buffer(bytes), count: sets.count)
            schema.append(ColumnDescription("series", .string, .series))
            columns.append(Column(indices: codes, dictionary: dictionary))
        } else {
            for key in Set(rows.flatMap { $0.tags.tags.map(\.key) }).sorted() {
                schema.append(ColumnDescription(key, .string, .tag))
                columns.append(try Column(.string, rows.map { row in row.tags[key].map { .string($0) } }))
            }
        }
        for name in Set(rows.flatMap(\.fields.keys)).sorted() {
            guard let type = rows.lazy.compactMap({ $0.fields[name]?.type }).first else { continue }
            schema.append(ColumnDescription(name, type, .field))
            columns.append(try Column(type, rows.map { $0.fields[name] }))
        }
        return TableBatch(table: table, batch: RecordBatch(schema: schema, columns: columns, rowCount: rows.count))
    }
}

extension HistoryChange {
    /// Asks an engine for the change.
    func run(on namespace: any NamespaceEngine) throws(MartletError) {
        switch self {
        case .delete(let table, let time, let predicate):
            _ = try namespace.delete(from: table, time: time, series: predicate.predicate)
        case .createTable(let table):
            try namespace.createTable(
                TableSchema(name: table, tags: ["host"], fields: [ColumnDescription("f", .float64, .field)]))
        case .dropTable(let table): try namespace.dropTable(table)
        case .addField(let table, let field, let type):
            try namespace.addField(ColumnDescription(field, type, .field), to: table)
        case .dropField(let table, let field): try namespace.dropField(field, from: table)
        case .changeType(let table, let field, let type): try namespace.changeType(of: field, in: table, to: type)
        }
    }
}
