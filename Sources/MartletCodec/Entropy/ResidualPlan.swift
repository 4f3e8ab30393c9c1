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
    /// Whether residuals are taken as they are, and not zig-zag coded. The few that are negative then, and in any case
    /// magnitudes too large for the codes, are listed apart.
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
        if !isOneSided {
            for index in 0..<count { output[index] = ZigZag.encode(Int64(bitPattern: output[index])) }
        }
        // Negative residuals of a one-sided plan have high bits too.
        for index in 0..<count where output[index] >> UInt64(BucketCode.longestMagnitude) != 0 {
            if exceptions.count >= limit { return false }
            let residual = isOneSided ? Int64(bitPattern: output[index]) : ZigZag.decode(output[index])
            exceptions.append((place + index, residual))
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
}
