import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

/// States as bytes: format-spec/detector-state.md.
///
/// `MARTLET_WRITE_GOLDEN=DIRECTORY swift test --filter StateTests` writes the golden files anew: a change of format.
@Suite struct StateTests {
    static let all = DetectorRegistry.builtIn.names

    private static func dimensions(_ method: String) throws -> Int {
        max(1, try DetectorRegistry.builtIn.method(method).dimensions.lowerBound)
    }

    /// A small scorer that has seen `rows` rows; deterministic.
    private static func trained(_ method: String, rows: Int) throws -> AnomalyScorer {
        let own = try DetectorRegistry.builtIn.parameters(of: method).names
        var text = "baseline = 40, warmup = 20"
        if own.contains("trees") { text += ", trees = 4, samples = 16" }
        if own.contains("recent") { text += ", recent = 4" }
        if own.contains("states") { text += ", states = 8" }
        if own.contains("window") { text += ", window = 8" }
        if own.contains("history") { text += ", history = 64" }
        if own.contains("units") { text += ", units = 3, epochs = 3" }
        let scorer = try DetectorRegistry.builtIn.scorer(method, text, dimensions: dimensions(method))
        for row in 0..<rows { _ = try scorer.score(time(row), values(row, dimensions(method))) }
        return scorer
    }

    private static func time(_ row: Int) -> Int64 { 1_700_000_000_000_000_000 + Int64(row) * 60_000_000_000 }
    private static func values(_ row: Int, _ count: Int) -> [Double] {
        (0..<count).map { Double((row * (7 + $0 * 4)) % 23) + Double(row % 5) / 4 }
    }

    @Test(arguments: all, [10, 300]) func `a restored scorer goes on as the saved one`(
        method: String, rows: Int
    ) throws {
        let saved = try Self.trained(method, rows: rows)
        let bytes = saved.state()
        let restored = try DetectorRegistry.builtIn.scorer(restoring: bytes)
        #expect(restored.state() == bytes)
        let count = try Self.dimensions(method)
        for row in rows..<rows + 200 {
            let values = row == rows + 100 ? [Double](repeating: 1000, count: count) : Self.values(row, count)
            #expect(
                try saved.score(Self.time(row), values) == restored.score(Self.time(row), values),
                "\(method), row \(row)")
        }
        #expect(saved.state() == restored.state())
    }

    @Test(arguments: all) func `golden states are read, and written as they were`(method: String) throws {
        if let directory = ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] {
            let target = URL(fileURLWithPath: directory).appendingPathComponent("\(method).state")
            try Data(try Self.trained(method, rows: 120).state()).write(to: target)
        }
        let url = try #require(
            Bundle.module.url(forResource: "\(method)", withExtension: "state", subdirectory: "Golden"))
        let bytes = [UInt8](try Data(contentsOf: url))
        let scorer = try DetectorRegistry.builtIn.scorer(restoring: bytes)
        #expect(scorer.method.name == method)
        #expect(scorer.state() == bytes)
        let verdict = try scorer.score(Self.time(120), Self.values(120, try Self.dimensions(method)))
        if let verdict { #expect(verdict.score >= 0 && verdict.score <= 1) }
    }

    @Test(arguments: all) func `damaged states are refused or borne, never a trap`(method: String) throws {
        let bytes = try Self.trained(method, rows: 120).state()
        let count = try Self.dimensions(method)
        var random = SeededGenerator(seed: 17)
        for round in 0..<400 {
            var damaged = bytes
            switch round % 4 {
            case 0: damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
            case 1: damaged.append(contentsOf: [1, 2, 3])
            default:
                for _ in 0..<Int.random(in: 1...12, using: &random) {
                    let place = Int.random(in: 0..<damaged.count, using: &random)
                    damaged[place] = round % 4 == 2 ? UInt8.random(in: 0...255, using: &random) : 0xff
                }
            }
            do throws(MartletError) {
                let scorer = try DetectorRegistry.builtIn.scorer(restoring: damaged)
                #expect(round % 4 > 1, "\(method): a cut or lengthened state was accepted")
                for row in 120..<160 {
                    if let verdict = try scorer.score(Self.time(row), Self.values(row, count)) {
                        _ = verdict.score
                        _ = scorer.detector.explanation
                    }
                }
            } catch {
                #expect(
                    [.corrupt, .unsupportedVersion, .notFound, .invalidArgument].contains(error.code), "\(error)")
            }
        }
    }

    @Test func `a newer version is said to be one`() throws {
        var bytes = try Self.trained("zscore", rows: 50).state()
        bytes[4] = 9
        let error = #expect(throws: MartletError.self) { try DetectorRegistry.builtIn.scorer(restoring: bytes) }
        #expect(error?.code == .unsupportedVersion)
    }
}
