import Foundation
import MartletDetectors
import MartletModel
import MartletTestSupport

/// Measures every detector on made series whose anomalies are known, and prints the tables of docs/detectors.md.
///
/// Four weeks of five-minute rows a series: ten days with nothing wrong, then three anomalies of one kind. Recall is the
/// share of events with an anomalous row up to ten rows after their end, precision the share of alarms that are about an
/// event, both at the default setting; areas are over the rows after the first ten days.
struct QualityCommand {
    let seeds: Int
    let methods: [String]
    /// The kinds of anomaly to make; empty: all.
    let kinds: [LabelledSeries.Kind]
    let firstSeed: UInt64
    private let registry = DetectorRegistry.builtIn
    private static let rows = 8064
    private static let quiet = 3000
    private static let anomalies = 3
    /// Above those that the tests use, which detectors were tuned on.
    static let firstSeed: UInt64 = 1000

    /// - Parameter words: methods, and where wanted `kind=KIND` and `seed=FIRST`.
    init(seeds: Int, _ words: [String]) throws {
        self.seeds = seeds
        func values(_ name: String) -> [String] {
            words.filter { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
        }
        kinds = try values("kind").map { name in
            guard let kind = LabelledSeries.Kind(rawValue: name) else {
                let names = LabelledSeries.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw MartletError(.invalidArgument, "there is no kind of anomaly '\(name)': \(names)")
            }
            return kind
        }
        firstSeed =
            try values("seed").first.map { text in
                guard let seed = UInt64(text) else { throw MartletError(.invalidArgument, "'\(text)' is no seed") }
                return seed
            } ?? Self.firstSeed
        let named = words.filter { !$0.hasPrefix("kind=") && !$0.hasPrefix("seed=") }
        methods = named.isEmpty ? registry.names : named
    }

    struct Outcome {
        var found = 0
        var events = 0
        var trueAlarms = 0
        var falseAlarms = 0
        var delays: [Int] = []
        var normalRows = 0
        var exceeding = 0
        var weeks = 0.0
        var areas: [Double] = []
        var volumes: [Double] = []
        var nanoseconds = 0.0
        var rows = 0
        var bytes = 0

        var foundShare: Double { Double(found) / Double(max(events, 1)) }

        static func + (left: Outcome, right: Outcome) -> Outcome {
            var sum = left
            sum.found += right.found
            sum.events += right.events
            sum.trueAlarms += right.trueAlarms
            sum.falseAlarms += right.falseAlarms
            sum.delays += right.delays
            sum.normalRows += right.normalRows
            sum.exceeding += right.exceeding
            sum.weeks += right.weeks
            sum.areas += right.areas
            sum.volumes += right.volumes
            sum.nanoseconds += right.nanoseconds
            sum.rows += right.rows
            sum.bytes = max(left.bytes, right.bytes)
            return sum
        }
    }

    func run() throws {
        var purposes: [(method: String, scene: DetectorScene, kinds: [LabelledSeries.Kind], least: Double)] = []
        for scene in DetectorScene.allCases {
            let kinds = self.kinds.isEmpty ? scene.kinds : scene.kinds.filter { self.kinds.contains($0) }
            var lines: [(String, [LabelledSeries.Kind?: Outcome])] = []
            for method in methods where try registry.method(method).dimensions.contains(scene.shape.dimensions) {
                let outcomes = try outcomes(method, scene.shape, [nil] + kinds.map { Optional($0) })
                lines.append((method, outcomes))
                let own = scene.purposes(of: method).filter { kinds.contains($0) }
                let least = own.map { outcomes[$0]?.foundShare ?? 0 }.min()
                if let least { purposes.append((method, scene, own, least)) }
            }
            print("\n### \(Self.title(scene)): events found\n")
            printFound(lines, kinds)
            print("\n### \(Self.title(scene)): over all kinds\n")
            printOverall(lines)
        }
        print("\n### What each is for\n\n| method | setting | kinds | found, the least |\n|---|---|---|---:|")
        for row in purposes.sorted(by: { $0.method < $1.method }) {
            let kinds = row.kinds.map(Self.words).joined(separator: ", ")
            print("| `\(row.method)` | \(row.scene.rawValue) | \(kinds) | \(Self.percent(row.least)) |")
        }
    }

    private static func title(_ scene: DetectorScene) -> String {
        switch scene {
        case .season: "With a daily and weekly season"
        case .steady: "Without a season"
        case .shared: "Five values a row that share a cause"
        case .separate: "Five values a row, each of its own"
        }
    }

    private static func words(_ kind: LabelledSeries.Kind) -> String { kind.rawValue.replacing("_", with: " ") }

    private static func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }

    private func outcomes(
        _ method: String, _ shape: LabelledSeries.Shape, _ kinds: [LabelledSeries.Kind?]
    ) throws -> [LabelledSeries.Kind?: Outcome] {
        var result: [LabelledSeries.Kind?: Outcome] = [:]
        for kind in kinds {
            var sum = Outcome()
            for seed in 0..<seeds {
                sum = sum + (try outcome(method, kind, shape, seed: firstSeed + UInt64(seed)))
            }
            result[kind] = sum
        }
        return result
    }

    private func outcome(
        _ method: String, _ kind: LabelledSeries.Kind?, _ shape: LabelledSeries.Shape, seed: UInt64
    ) throws -> Outcome {
        let series = LabelledSeries(
            kind, count: Self.rows, anomalies: kind == nil ? 0 : Self.anomalies, quiet: Self.quiet, shape: shape,
            seed: seed)
        let scorer = try registry.scorer(method, dimensions: series.dimensions)
        var verdicts = [Verdict?](repeating: nil, count: series.times.count)
        var result = Outcome()
        let start = cpuNanoseconds()
        try series.values.withUnsafeBufferPointer { (values) throws(MartletError) in
            for row in series.times.indices {
                verdicts[row] = try scorer.score(
                    series.times[row], values.baseAddress! + row * series.dimensions)
            }
        }
        result.nanoseconds = cpuNanoseconds() - start
        result.rows = series.times.count
        result.bytes = scorer.stateBytes
        result.events = series.events.count
        result.weeks = Double(series.times.count * shape.spacing) / 604_800
        var found = Set<Int>()
        for (row, verdict) in verdicts.enumerated() {
            guard let verdict else { continue }
            // An alarm up to ten rows after an event is about it.
            let event = series.events.firstIndex { row >= $0.lowerBound && row < $0.upperBound + 10 }
            if let event {
                if verdict.isAnomaly, found.insert(event).inserted {
                    result.delays.append(row - series.events[event].lowerBound)
                }
            } else {
                result.normalRows += 1
                if verdict.score >= 0.99 { result.exceeding += 1 }
            }
            if verdict.isAlarm { if event == nil { result.falseAlarms += 1 } else { result.trueAlarms += 1 } }
        }
        result.found = found.count
        if kind != nil {
            let scores = verdicts[Self.quiet...].map { $0?.significance ?? 0 }
            let labels = Array(series.labels[Self.quiet...])
            let events = series.events.map { $0.lowerBound - Self.quiet..<$0.upperBound - Self.quiet }
            result.areas = [Evaluation.areaUnderROC(scores, labels)]
            result.volumes = [Evaluation.volumeUnderPR(scores, labels, events, longest: 40)]
        }
        return result
    }

    private func cpuNanoseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    private func printFound(
        _ lines: [(String, [LabelledSeries.Kind?: Outcome])], _ kinds: [LabelledSeries.Kind]
    ) {
        print("| method | " + kinds.map(Self.words).joined(separator: " | ") + " |")
        print("|---|" + String(repeating: "---:|", count: kinds.count))
        for (method, outcomes) in lines {
            let cells = kinds.map { kind in
                Self.percent((outcomes[kind] ?? Outcome()).foundShare)
            }
            print("| `\(method)` | " + cells.joined(separator: " | ") + " |")
        }
    }

    private func printOverall(_ lines: [(String, [LabelledSeries.Kind?: Outcome])]) {
        print(
            "| method | precision | recall | ROC AUC | VUS-PR | delay, rows | alarms a week, nothing wrong | "
                + "rows at 0.99 and more, nothing wrong | ns a row | bytes |")
        print("|---|" + String(repeating: "---:|", count: 9))
        for (method, outcomes) in lines {
            let quiet = outcomes[nil] ?? Outcome()
            let all = outcomes.filter { $0.key != nil }.values.reduce(Outcome(), +)
            let delays = all.delays.sorted()
            let alarms = all.trueAlarms + all.falseAlarms
            let cells = [
                alarms == 0 ? "—" : decimal(Double(all.trueAlarms) / Double(alarms)),
                decimal(all.foundShare),
                decimal(all.areas.reduce(0, +) / Double(all.areas.count)),
                decimal(all.volumes.reduce(0, +) / Double(all.volumes.count)),
                delays.isEmpty ? "—" : "\(delays[delays.count / 2])", decimal(Double(quiet.falseAlarms) / quiet.weeks),
                String(format: "%.2f %%", 100 * Double(quiet.exceeding) / Double(max(quiet.normalRows, 1))),
                "\(Int(((all.nanoseconds + quiet.nanoseconds) / Double(all.rows + quiet.rows)).rounded()))",
                "\(max(all.bytes, quiet.bytes))",
            ]
            print("| `\(method)` | " + cells.joined(separator: " | ") + " |")
        }
    }

    private func decimal(_ value: Double) -> String { String(format: "%.2f", value) }
}
