import MartletModel
import MartletTestSupport

/// One step of a history of a namespace in which streams stand.
enum StreamStep: Sendable, CustomStringConvertible {
    /// Rows of `load`, that a continuous query reads: of any time, also twice.
    case load([StreamRow])
    /// Rows of `meter`, that a detector and an alert read: each host's in order of time.
    case meter([StreamRow])
    /// Erases rows of `load`: of a host, or of all, from one minute to another.
    case erase(host: String?, from: Int64, to: Int64)
    /// Seconds pass.
    case wait(Int64)
    /// Streams work for so many rounds.
    case work(Int)
    /// The operation so many after this fails.
    case fault(SimulatedFault, Int)
    case powerCut
    case kill
    case reopen
    case setQueryEnabled(Bool)
    /// Segments are sealed and merged.
    case compact

    var description: String {
        switch self {
        case .load(let rows): "load \(rows)"
        case .meter(let rows): "meter \(rows.count) rows from \(rows.first.map { "\($0)" } ?? "")"
        case .erase(let host, let from, let to): "erase \(host ?? "all") \(from)..<\(to)"
        case .wait(let seconds): "wait \(seconds)"
        case .work(let rounds): "work \(rounds)"
        case .fault(let fault, let after): "fault \(fault) after \(after)"
        case .powerCut: "power cut"
        case .kill: "kill"
        case .reopen: "reopen"
        case .setQueryEnabled(let isEnabled): "query \(isEnabled ? "enabled" : "disabled")"
        case .compact: "compact"
        }
    }
}

/// A host's value at a second.
struct StreamRow: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var second: Int64
    var value: Double

    var description: String { "\(host)@\(second)=\(value)" }
}

/// A seeded list of steps.
struct StreamHistory: Sendable, CustomStringConvertible {
    let seed: UInt64
    var steps: [StreamStep]

    var description: String { steps.enumerated().map { "\($0). \($1)" }.joined(separator: "\n") }

    init(seed: UInt64, steps: [StreamStep]) {
        self.seed = seed
        self.steps = steps
    }

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        var second: Int64 = 0
        var steps: [StreamStep] = []
        for _ in 0..<Int.random(in: 15...40, using: &random) {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<5:
                steps.append(
                    .load(
                        (0..<Int.random(in: 1...6, using: &random)).map { _ in
                            StreamRow(
                                host: ["a", "b", "c"].randomElement(using: &random)!,
                                second: max(0, second + Int64.random(in: -300...20, using: &random)),
                                value: Double(Int.random(in: 0..<100, using: &random)))
                        }))
            case 5..<11:
                let count = Int64.random(in: 1...40, using: &random)
                steps.append(.meter(Self.meter(second..<second + count, &random)))
                second += count
            case 11:
                let from = Int64.random(in: 0...max(1, second / 60), using: &random)
                steps.append(
                    .erase(
                        host: ["a", nil].randomElement(using: &random)!, from: from,
                        to: from + Int64.random(in: 1...3, using: &random)))
            case 12: steps.append(.wait(Int64.random(in: 1...200, using: &random)))
            case 13, 14: steps.append(.work(Int.random(in: 1...6, using: &random)))
            case 15:
                let fault: [SimulatedFault] = [.inputOutputError, .storageFull, .syncLoss, .powerLoss]
                steps.append(
                    .fault(fault.randomElement(using: &random)!, Int.random(in: 0..<12, using: &random)))
            case 16: steps.append(.powerCut)
            case 17: steps.append(.kill)
            case 18: steps.append(Bool.random(using: &random) ? .reopen : .compact)
            default: steps.append(.setQueryEnabled(Bool.random(using: &random)))
            }
        }
        self.steps = steps
    }

    /// Values around 50, now and then one that is far off.
    private static func meter(_ seconds: Range<Int64>, _ random: inout SeededGenerator) -> [StreamRow] {
        seconds.flatMap { second in
            ["a", "b"].map { host in
                let isOdd = Int.random(in: 0..<60, using: &random) == 0
                return StreamRow(
                    host: host, second: second, value: isOdd ? 95 : 50 + Double.random(in: -1...1, using: &random))
            }
        }
    }
}
