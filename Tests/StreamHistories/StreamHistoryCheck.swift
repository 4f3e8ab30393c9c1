/// Runs one seeded history of streams, and makes a failing one as short as it goes.
package enum StreamHistoryCheck {
    /// The report of the history of this seed, or `nil` where it ends well.
    package static func failure(ofSeed seed: UInt64) -> String? {
        let history = StreamHistory(seed: seed)
        guard let failure = StreamHistoryRunner.failure(of: history) else { return nil }
        var small = history
        var runs = 0
        var chunk = small.steps.count / 2
        while chunk > 0 {
            var start = 0
            while start < small.steps.count, runs < 300 {
                var fewer = small.steps
                fewer.removeSubrange(start..<min(start + chunk, fewer.count))
                runs += 1
                let shorter = StreamHistory(seed: seed, steps: fewer)
                if StreamHistoryRunner.failure(of: shorter) != nil { small = shorter } else { start += chunk }
            }
            chunk /= 2
        }
        return "\(failure)\nminimised: \(StreamHistoryRunner.failure(of: small) ?? "not repeatable")\n\(small)"
    }
}
