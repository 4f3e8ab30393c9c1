import Dispatch
import Foundation
import MartletHistories
import MartletStreamHistories
import Synchronization

// Runs seeded crash histories on all cores: `MartletCrashHistories COUNT FIRST_SEED [streams]`, of the store or of streams.
// Prints the report of each that fails, minimised, and ends with 1 where one did, with 2 where the command line is wrong.

/// What all threads share: the next seed, and how many failed.
struct Progress: ~Copyable, Sendable {
    let next: Atomic<UInt64>
    let failures = Atomic<Int>(0)
}

let arguments = Array(CommandLine.arguments.dropFirst())
let numbers = arguments.prefix(2).compactMap { UInt64($0) }
guard numbers.count == 2, numbers[0] > 0, arguments.count == 2 || arguments[2...] == ["streams"] else {
    FileHandle.standardError.write(Data("usage: MartletCrashHistories COUNT FIRST_SEED [streams]\n".utf8))
    exit(2)
}
let (count, first) = (numbers[0], numbers[1])
let check = arguments.count == 2 ? HistoryCheck.failure : StreamHistoryCheck.failure
let progress = Progress(next: Atomic(first))
DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { _ in
    while progress.failures.load(ordering: .relaxed) < 3 {
        let seed = progress.next.add(1, ordering: .relaxed).oldValue
        guard seed < first + count else { return }
        guard let report = check(seed) else { continue }
        progress.failures.add(1, ordering: .relaxed)
        print("seed \(seed): \(report)\n")
    }
}
let failures = progress.failures.load(ordering: .relaxed)
print("\(count) crash histories from seed \(first): \(failures == 0 ? "all end well" : "\(failures) failed")")
exit(failures == 0 ? 0 : 1)
