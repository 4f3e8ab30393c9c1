import MartletModel
import MartletStorage
import MartletTestSupport

/// Rows for one table.
struct HistoryBatch: Hashable, Sendable, CustomStringConvertible {
    var table: String
    var rows: [HistoryRow]
    /// Whether the tags come as one `.series` column.
    var usesSeriesColumn: Bool

    var description: String {
        let lines = rows.map { row in
            let tags = row.tags.tags.map { ",\($0.key)=\($0.value)" }.joined()
            let fields = row.fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            return "\(table)\(tags) \(fields) \(row.time)"
        }
        return lines.joined(separator: "; ") + (usesSeriesColumn ? " [series column]" : "")
    }
}

/// A predicate that prints and compares.
enum HistoryPredicate: Hashable, Sendable {
    case all
    case host(String)
    case notHost(String)
    case noRegion

    var predicate: TagPredicate {
        switch self {
        case .all: .all
        case .host(let host): .equals("host", host)
        case .notHost(let host): .not(.equals("host", host))
        case .noRegion: .not(.present("region"))
        }
    }
}

/// A deletion or a change of the schema.
enum HistoryChange: Hashable, Sendable {
    case delete(String, TimeRange, HistoryPredicate)
    case createTable(String)
    case dropTable(String)
    case addField(String, String, ColumnType)
    case dropField(String, String)
    case changeType(String, String, ColumnType)
}

/// One step of a history.
enum HistoryStep: Hashable, Sendable {
    case append([HistoryBatch])
    case change(HistoryChange)
    case compact
    /// Seals and merges what is due, as the background does.
    case maintain
    /// Closes and opens again.
    case reopen
    /// Ends the process and opens again.
    case kill
    /// Cuts the power between two steps and opens again.
    case crash
    /// Makes the n-th operation on the disk from now fail.
    case fault(SimulatedFault, after: Int)
    /// Leaves this many bytes free on the disk until the next reopening.
    case fillDisk(Int)
    /// Compares everything that can be read.
    case verify
}

/// A seed and the steps that came from it.
struct History: Sendable, CustomStringConvertible {
    var seed: UInt64
    var steps: [HistoryStep]

    var description: String {
        "history of seed \(seed):\n" + steps.enumerated().map { "  \($0). \($1)" }.joined(separator: "\n")
    }

    init(seed: UInt64, steps: [HistoryStep]) {
        self.seed = seed
        self.steps = steps
    }

    /// A random history of `length` steps.
    init(seed: UInt64, length: Int) {
        var generator = HistoryGenerator(seed: seed)
        self.init(seed: seed, steps: (0..<length).map { _ in generator.step() } + [.verify, .reopen, .verify])
    }
}

private struct HistoryGenerator {
    private var random: SeededGenerator
    private let tables = ["cpu", "mem", "größe"]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func step() -> HistoryStep {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<50: return .append(batches())
        case 50..<58: return .change(.delete(table(), range(), predicate()))
        case 58..<60: return .change(.createTable(table()))
        case 60..<61: return .change(.dropTable(table()))
        case 61..<63: return .change(.addField(table(), field(), type()))
        case 63..<65: return .change(.dropField(table(), field()))
        case 65..<66:
            return .change(.changeType(table(), field(), type()))
        case 66..<69: return .compact
        case 69..<72: return .maintain
        case 72..<75: return .reopen
        case 75..<78: return .kill
        case 78..<82: return .crash
        case 82..<90: return .fault(.powerLoss, after: Int.random(in: 0..<25, using: &random))
        case 90..<94:
            let fault: SimulatedFault = [.inputOutputError, .storageFull, .syncLoss].randomElement(using: &random)!
            return .fault(fault, after: Int.random(in: 0..<15, using: &random))
        case 94..<95: return .fillDisk(Int.random(in: 0..<2_000, using: &random))
        default: return .verify
        }
    }

    private mutating func table() -> String { tables.randomElement(using: &random)! }
    private mutating func field() -> String { ["f", "i", "s", "b", "u"].randomElement(using: &random)! }
    private mutating func type() -> ColumnType {
        [.float64, .int64, .string, .bool, .uint64].randomElement(using: &random)!
    }

    private mutating func range() -> TimeRange {
        if Int.random(in: 0..<6, using: &random) == 0 { return .all }
        let start = Int64.random(in: -5..<200, using: &random)
        return TimeRange(start, start + Int64.random(in: 0..<60, using: &random))
    }

    private mutating func predicate() -> HistoryPredicate {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .all
        case 1: .host("h\(Int.random(in: 0..<4, using: &random))")
        case 2: .notHost("h\(Int.random(in: 0..<4, using: &random))")
        default: .noRegion
        }
    }

    private mutating func batches() -> [HistoryBatch] {
        (0..<Int.random(in: 1...2, using: &random)).map { _ in
            let name = table()
            let count = [1, 1, 3, 8, 30].randomElement(using: &random)!
            // The columns of a batch have one type each; now and then one that conflicts with the table's.
            var types: [String: ColumnType] = ["f": .float64, "i": .int64, "s": .string, "b": .bool, "u": .uint64]
            if Int.random(in: 0..<8, using: &random) == 0 { types[field()] = type() }
            let rows = (0..<count).map { _ in row(types) }
            return HistoryBatch(table: name, rows: rows, usesSeriesColumn: Bool.random(using: &random))
        }
    }

    private mutating func row(_ types: [String: ColumnType]) -> HistoryRow {
        var tags: [(String, String)] = []
        if Int.random(in: 0..<20, using: &random) > 0 {
            tags.append(("host", "h\(Int.random(in: 0..<4, using: &random))"))
        }
        if Bool.random(using: &random) { tags.append(("region", ["eu", "us"].randomElement(using: &random)!)) }
        var fields: [String: FieldValue] = [:]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let name = field()
            let number = Int64.random(in: 0..<1_000, using: &random)
            fields[name] =
                switch types[name]! {
                case .float64: .float64(Double(number) / 8)
                case .int64: .int64(number - 500)
                case .uint64: .uint64(UInt64(number))
                case .bool: .bool(number % 2 == 0)
                default: .string(number % 10 == 0 ? "" : "text-\(number % 40)")
                }
        }
        // Out of order and with duplicates.
        let time = Int64.random(in: 0..<200, using: &random)
        return HistoryRow(tags: (try? TagSet(tags)) ?? .empty, time: time, fields: fields)
    }
}
