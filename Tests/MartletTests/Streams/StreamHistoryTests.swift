import Foundation
import MartletStreamHistories
import Testing

/// Seeded histories of appends, erasures, faults, crashes and pauses, while a continuous query, a detector and an alert
/// stand in the namespace. Thousands: tools/tests/stream-histories.
@Suite struct StreamHistoryTests {
    @Test func `whatever fails, what streams make is what they make where nothing does`() {
        let count = ProcessInfo.processInfo.environment["MARTLET_HISTORIES"].flatMap { UInt64($0) } ?? 30
        for seed in UInt64(1)...min(count, 100) {
            if let report = StreamHistoryCheck.failure(ofSeed: seed) { Issue.record("seed \(seed): \(report)") }
        }
    }
}
