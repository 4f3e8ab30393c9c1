import MartletStorage

/// Runs one seeded history, and makes a failing one as short as it goes.
package enum HistoryCheck {
    /// The report of the history of this seed, or `nil` where it ends well.
    package static func failure(ofSeed seed: UInt64) -> String? {
        let options = options(for: seed)
        let history = History(seed: seed, length: 20 + Int(seed % 60))
        guard let (failure, _) = run(history, options: options) else { return nil }
        let small = minimised(history, options: options)
        guard let (reason, operations) = run(small, options: options) else {
            return "\(failure)\nnot repeatable:\n\(history)"
        }
        return """
            \(failure)
            minimised: \(reason)
            \(small)
            the disk's last operations:
            \(operations.suffix(60).joined(separator: "\n"))
            """
    }

    /// Why a history fails, and what its disks were asked to do; `nil` where it ends well.
    private static func run(_ history: History, options: StorageOptions) -> (HistoryRunner.Failure, [String])? {
        var runner = HistoryRunner(history, options: options)
        do throws(HistoryRunner.Failure) {
            try runner.run()
            return nil
        } catch {
            return (error, runner.operations)
        }
    }

    /// Leaves out steps and rows as long as the history still fails, within a limit of runs.
    private static func minimised(_ history: History, options: StorageOptions) -> History {
        var small = history
        var runs = 0
        func fails(_ steps: [HistoryStep]) -> Bool {
            runs += 1
            if runs > 400 || run(History(seed: history.seed, steps: steps), options: options) == nil { return false }
            small.steps = steps
            return true
        }
        var chunk = small.steps.count / 2
        while chunk > 0 {
            var start = 0
            while start < small.steps.count {
                var fewer = small.steps
                fewer.removeSubrange(start..<min(start + chunk, fewer.count))
                if !fails(fewer) { start += chunk }
            }
            chunk /= 2
        }
        for index in small.steps.indices {
            guard case .append(let batches) = small.steps[index] else { continue }
            for batch in batches.indices {
                for row in batches[batch].rows.indices.reversed() {
                    guard case .append(var fewer) = small.steps[index] else { continue }
                    fewer[batch].rows.remove(at: row)
                    var steps = small.steps
                    steps[index] = .append(fewer)
                    _ = fails(steps)
                }
            }
        }
        return small
    }

    private static func options(for seed: UInt64) -> StorageOptions {
        var options = StorageOptions()
        options.mergesInBackground = false
        options.memoryLimit = 64 << 20
        options.hotSegmentBytes = seed % 3 == 0 ? 4 << 10 : 64 << 10
        options.hotSegmentLayers = seed % 2 == 0 ? 4 : 64
        return options
    }
}
