import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery
@testable import MartletStorage

/// Power cuts and failing disks while rows move through the tiers: every acknowledged row counts once, whichever tier
/// it is in.
@Suite struct RollupCrashTests {
    private static let minute: Int64 = 60_000_000_000
    private static let day = 1_440 * minute

    private struct Machine {
        var disk: SimulatedFileSystem
        let clock = ManualClock(now: Timestamp(nanoseconds: 100 * RollupCrashTests.day))
        var storage: StorageEngine
        var engine: QueryEngine

        init(_ disk: SimulatedFileSystem) throws {
            var options = StorageOptions()
            options.mergesInBackground = false
            options.hotSegmentLayers = 8
            self.disk = disk
            storage = try StorageEngine.open(at: "/data", options: options, fileSystem: disk, clock: clock)
            engine = QueryEngine(directory: storage)
        }

        /// Rows and their sum, per host.
        func answer() throws -> [String] {
            try engine.execute("SELECT host, count(*), sum(v) FROM t GROUP BY host ORDER BY host").rows().map {
                $0.map { TestText.of($0) }.joined(separator: "|")
            }
        }
    }

    private func batch(_ random: inout SeededGenerator, _ number: Int64) throws -> (TableBatch, [(String, Int64)]) {
        let rows = (0..<Int.random(in: 1...30, using: &random)).map { row in
            (
                host: ["a", "b"].randomElement(using: &random)!,
                // No two rows of the same series and time: a row that overwrites one in a rollup would count twice.
                time: Int64.random(in: 0..<30, using: &random) * Self.day + number * 1_000 + Int64(row),
                value: Int64.random(in: -50...50, using: &random)
            )
        }
        let batch = RecordBatch(
            schema: [
                ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
                ColumnDescription("v", .int64, .field),
            ],
            columns: [
                Column(.timestamp, unsafeElements: rows.map(\.time)),
                try Column(.string, rows.map { .string($0.host) }),
                Column(.int64, unsafeElements: rows.map(\.value)),
            ], rowCount: rows.count)
        return (TableBatch(table: "t", batch: batch), rows.map { ($0.host, $0.value) })
    }

    private func text(_ rows: [(String, Int64)]) -> [String] {
        ["a", "b"].compactMap { host in
            let own = rows.filter { $0.0 == host }
            return own.isEmpty ? nil : "\(host)|\(own.count)|\(own.reduce(0) { $0 + $1.1 })"
        }
    }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func everyAcknowledgedRowCountsOnce(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var machine = try Machine(SimulatedFileSystem(seed: seed))
        _ = try machine.engine.execute(
            "CREATE RETENTION POLICY p KEEP '1 day', '1 minute' FOR '5 days', '1 day' FOR '1000 days'"
        ).rows()
        var rows: [(String, Int64)] = []
        for number in 0..<Int64(40) {
            let faults: [SimulatedFault] = [.powerLoss, .inputOutputError, .syncLoss]
            if Int.random(in: 0..<4, using: &random) == 0 {
                machine.disk.inject(
                    faults.randomElement(using: &random)!,
                    atOperation: machine.disk.operationCount + Int.random(in: 0..<12, using: &random))
            }
            let (batch, added) = try batch(&random, number)
            var candidates = [rows]
            do {
                _ = try machine.storage.namespace("default").append([batch])
                candidates = [rows + added]
            } catch {
                candidates.append(rows + added)
            }
            // Whether a run ends or is cut off, no answer changes.
            switch Int.random(in: 0..<4, using: &random) {
            case 0: _ = Result { try machine.engine.execute("RUN RETENTION").rows() }
            case 1: _ = Result { try machine.storage.namespace("default").compact() }
            default: break
            }
            if machine.disk.isOff || Int.random(in: 0..<6, using: &random) == 0 {
                machine = try Machine(machine.disk.crash())
            } else if candidates.count > 1 {
                machine.disk.clearFaults()
                machine = try Machine(machine.disk.killProcess())
            }
            machine.disk.clearFaults()
            let found = try machine.answer()
            let match = candidates.first { text($0) == found }
            #expect(match != nil, "step \(number): \(found) instead of \(candidates.map(text))")
            guard let match else { return }
            rows = match
        }
    }
}
