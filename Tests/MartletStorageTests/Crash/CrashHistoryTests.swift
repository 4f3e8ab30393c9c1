import Foundation
import MartletHistories
import Testing

/// Seeded histories of appends, deletions, changes of the schema, merges, crashes and faults against a model. A sample
/// of them; `tools/tests/crash-histories` runs thousands, optimised. `MARTLET_HISTORIES=N` runs N of them,
/// `MARTLET_HISTORY_SEED=S` begins at seed S.
@Suite struct CrashHistoryTests {
    @Test func `what was acknowledged is there and nothing else is, whatever the disk does`() {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["MARTLET_HISTORIES"].flatMap(UInt64.init) ?? 60
        let first = environment["MARTLET_HISTORY_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        for seed in first..<first + count {
            guard let report = HistoryCheck.failure(ofSeed: seed) else { continue }
            Issue.record("\(report)")
            failures += 1
            if failures == 3 { break }
        }
    }
}
