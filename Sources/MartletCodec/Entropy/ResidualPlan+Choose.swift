import MartletModel

extension ResidualPlan {
    /// The plans that are worth a try for these values.
    static func candidates(_ values: UnsafePointer<UInt64>, _ count: Int, effort: Effort) -> [ResidualPlan] {
        var plans = [ResidualPlan(mode: .reference, isOneSided: true)]
        guard count > 16 else { return plans }
        plans.append(ResidualPlan(mode: .delta))
        let steps = sortedSteps(values, count)
        let median = steps[steps.count / 2]
        if median != 0 { plans.append(ResidualPlan(mode: .delta, step: median)) }
        if let floor = floorOfSteps(values, count, steps) {
            plans.append(ResidualPlan(mode: .delta, step: floor, isOneSided: true))
        }
        plans.append(ResidualPlan(mode: .deltaOfDelta, step: median))
        if effort == .cold {
            for order in [4, longestFilter] {
                let stretch = min(count, 16_384)
                if let weights = filter(values + (count - stretch) / 2, stretch, order: order) {
                    plans.append(ResidualPlan(mode: .linear, weights: weights))
                }
            }
        }
        return plans
    }

    private static func sortedSteps(_ values: UnsafePointer<UInt64>, _ count: Int) -> [Int64] {
        let taken = min(511, count - 1)
        return (0..<taken).map { sample in
            let index = 1 + sample * (count - 1) / taken
            return Int64(bitPattern: values[index] &- values[index - 1])
        }.sorted()
    }

    /// The least difference of values that mostly ascend, jumps back between series left out.
    private static func floorOfSteps(
        _ values: UnsafePointer<UInt64>, _ count: Int, _ steps: [Int64]
    ) -> Int64? {
        let low = steps[steps.count / 8]
        let median = steps[steps.count / 2]
        let spread = steps[steps.count * 7 / 8].subtractingReportingOverflow(low)
        guard !spread.overflow, spread.partialValue > 0, spread.partialValue < 1 << 50, median.magnitude < 1 << 60
        else { return nil }
        let bound = median - 4 * spread.partialValue
        var floor = Int64.max
        for index in 1..<count {
            let step = Int64(bitPattern: values[index] &- values[index &- 1])
            if step >= bound { floor = min(floor, step) }
        }
        return floor == .max ? nil : floor
    }

    /// The weights that predict a difference from those before it with the least squared error: Levinson and Durbin's
    /// recursion on the autocorrelation, rounded to multiples of 1 / 4096. Floating point is used here only, by the
    /// encoder; the decoder computes with the rounded weights in integers.
    private static func filter(_ values: UnsafePointer<UInt64>, _ count: Int, order: Int) -> [Int64]? {
        let differences = Scratch<Double>(count: count)
        var magnitude = 0.0
        for index in 1..<count {
            let difference = Double(Int64(bitPattern: values[index] &- values[index &- 1]))
            differences.pointer[index] = difference
            magnitude += min(abs(difference), 1e12)
        }
        // Jumps would drown everything else.
        let bound = 16 * magnitude / Double(count)
        guard bound > 0 else { return nil }
        differences.pointer[0] = 0
        for index in 1..<count {
            differences.pointer[index] = max(-bound, min(bound, differences.pointer[index]))
        }
        var correlation = [Double](repeating: 0, count: order + 1)
        for lag in 0...order {
            var sum = 0.0
            for index in lag..<count { sum += differences.pointer[index] * differences.pointer[index - lag] }
            correlation[lag] = sum
        }
        guard correlation[0] > 0 else { return nil }
        var weights = [Double](repeating: 0, count: order)
        var error = correlation[0] * 1.0000001
        for step in 0..<order {
            var reflection = correlation[step + 1]
            for tap in 0..<step { reflection -= weights[tap] * correlation[step - tap] }
            reflection /= error
            let before = weights
            weights[step] = reflection
            for tap in 0..<step { weights[tap] = before[tap] - reflection * before[step - 1 - tap] }
            error *= 1 - reflection * reflection
            guard error > 0 else { return nil }
        }
        // A filter that predicts little is not worth its decoding time.
        guard error < 0.9 * correlation[0] else { return nil }
        let scaled = weights.map { ($0 * Double(1 << weightShift)).rounded() }
        guard scaled.allSatisfy({ abs($0) < 32_768 }) else { return nil }
        return scaled.map { Int64($0) }
    }
}
