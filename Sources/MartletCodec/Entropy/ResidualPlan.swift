import MartletModel

/// How the entropy coder predicts the values of a stream and turns what is left over into magnitudes.
struct ResidualPlan {
    enum Mode: UInt8 {
        /// The value itself.
        case reference = 0
        /// The value before it, and `step`.
        case delta = 1
        /// The value before it and the difference before it.
        case deltaOfDelta = 2
        /// The value before it and a weighted sum of the differences before it, in integers.
        case linear = 3
    }

    /// Weights are multiples of 1 / 4096.
    static let weightShift: Int64 = 12
    static let longestFilter = 8

    var mode: Mode
    /// Added to every prediction.
    var step: Int64 = 0
    /// Whether residuals are taken as they are, and not zig-zag coded. The few that are negative then are listed apart.
    var isOneSided = false
    var weights: [Int64] = []

    /// Writes the magnitudes of a page, predicted from `origin`, and lists the positions and residuals of exceptions.
    ///
    /// - Returns: `false` when there are more exceptions than `limit`.
    func magnitudes(
        of values: UnsafePointer<UInt64>, count: Int, origin: UInt64, into output: UnsafeMutablePointer<UInt64>,
        at place: Int = 0, exceptions: inout [(position: Int, residual: Int64)], limit: Int
    ) -> Bool {
        residuals(of: values, count: count, origin: origin, into: output)
        guard isOneSided else {
            for index in 0..<count { output[index] = ZigZag.encode(Int64(bitPattern: output[index])) }
            return true
        }
        for index in 0..<count where Int64(bitPattern: output[index]) < 0 {
            if exceptions.count >= limit { return false }
            exceptions.append((place + index, Int64(bitPattern: output[index])))
            output[index] = 0
        }
        return true
    }

    private func residuals(
        of values: UnsafePointer<UInt64>, count: Int, origin: UInt64, into output: UnsafeMutablePointer<UInt64>
    ) {
        let step = UInt64(bitPattern: step)
        switch mode {
        case .reference:
            for index in 0..<count { output[index] = values[index] &- step }
        case .delta:
            if count > 0 { output[0] = values[0] &- origin &- step }
            for index in 1..<max(count, 1) { output[index] = values[index] &- values[index &- 1] &- step }
        case .deltaOfDelta:
            var previous = origin
            var difference = step
            for index in 0..<count {
                let next = values[index] &- previous
                output[index] = next &- difference
                difference = next
                previous = values[index]
            }
        case .linear:
            weights.withUnsafeBufferPointer { weights in
                let order = weights.count
                let differences = Scratch<Int64>(count: count + order)
                differences.pointer.update(repeating: 0, count: order)
                var previous = origin
                for index in 0..<count {
                    var sum: Int64 = 0
                    for tap in 0..<order {
                        sum = sum &+ weights[tap] &* differences.pointer[index &+ order &- 1 &- tap]
                    }
                    let difference = Int64(bitPattern: values[index] &- previous)
                    output[index] = UInt64(bitPattern: difference &- (sum &>> Self.weightShift))
                    differences.pointer[index &+ order] = difference
                    previous = values[index]
                }
            }
        }
    }

    /// What predictions of order two and more remember from one vector of a page to the next.
    struct History {
        /// The differences before, the newest first.
        var differences: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)?
    }

    /// Turns the residuals of a vector into values in place; `origin` is the value before the vector, and then its last.
    func restore(_ values: UnsafeMutablePointer<UInt64>, _ count: Int, origin: inout UInt64, history: inout History) {
        let step = UInt64(bitPattern: step)
        var sum = origin
        switch mode {
        case .reference:
            for index in 0..<count { values[index] = values[index] &+ step }
        case .delta:
            for index in 0..<count {
                sum = sum &+ step &+ values[index]
                values[index] = sum
            }
        case .deltaOfDelta:
            var difference = UInt64(bitPattern: history.differences?.0 ?? self.step)
            for index in 0..<count {
                difference = difference &+ values[index]
                sum = sum &+ difference
                values[index] = sum
            }
            history.differences = (Int64(bitPattern: difference), 0, 0, 0, 0, 0, 0, 0)
        case .linear: restoreLinear(values, count, &sum, &history)
        }
        origin = sum
    }

    private func restoreLinear(
        _ values: UnsafeMutablePointer<UInt64>, _ count: Int, _ sum: inout UInt64, _ history: inout History
    ) {
        // Missing weights are zero, so that one loop with eight taps in registers serves every order.
        var w = SIMD8<Int64>(repeating: 0)
        for (tap, weight) in weights.enumerated() { w[tap] = weight }
        let (w0, w1, w2, w3, w4, w5, w6, w7) = (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
        var (d0, d1, d2, d3, d4, d5, d6, d7) = history.differences ?? (0, 0, 0, 0, 0, 0, 0, 0)
        let short = weights.count <= 4
        for index in 0..<count {
            // The newest difference comes last, so that the long chain of additions does not wait for it.
            var forecast = w3 &* d3 &+ w2 &* d2 &+ w1 &* d1
            if !short { forecast = forecast &+ (w7 &* d7 &+ w6 &* d6) &+ (w5 &* d5 &+ w4 &* d4) }
            forecast = forecast &+ w0 &* d0
            let difference = Int64(bitPattern: values[index]) &+ (forecast &>> Self.weightShift)
            (d7, d6, d5, d4, d3, d2, d1, d0) = (d6, d5, d4, d3, d2, d1, d0, difference)
            sum = sum &+ UInt64(bitPattern: difference)
            values[index] = sum
        }
        history.differences = (d0, d1, d2, d3, d4, d5, d6, d7)
    }

    // MARK: Choosing

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
                if let weights = filter(values, count, order: order) {
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
