import MartletModel

extension ResidualPlan {
    /// What predictions of order two and more remember from one vector of a page to the next.
    struct History {
        /// The differences before, the newest first.
        var differences: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)?
    }

    /// Turns the magnitudes of a vector into values `low + divisor * y`; `origin` is the y before the vector, and then
    /// its last.
    func restore(
        _ magnitudes: UnsafePointer<UInt64>, _ count: Int, origin: inout UInt64, history: inout History, low: Int64,
        divisor: UInt64, into output: UnsafeMutablePointer<Int64>
    ) {
        // One loop for each way to read a residual, so that no loop asks which it is.
        if isOneSided {
            restore(count, &origin, &history, low, divisor, output) { Int64(bitPattern: magnitudes[$0]) }
        } else {
            restore(count, &origin, &history, low, divisor, output) { ZigZag.decode(magnitudes[$0]) }
        }
    }

    @inline(__always)
    private func restore(
        _ count: Int, _ origin: inout UInt64, _ history: inout History, _ low: Int64, _ divisor: UInt64,
        _ output: UnsafeMutablePointer<Int64>, _ residual: (Int) -> Int64
    ) {
        let low = UInt64(bitPattern: low)
        var sum = origin
        switch mode {
        case .reference:
            let step = UInt64(bitPattern: step)
            for index in 0..<count {
                output[index] = Int64(
                    bitPattern: low &+ divisor &* (UInt64(bitPattern: residual(index)) &+ step))
            }
        case .delta:
            let step = UInt64(bitPattern: step)
            for index in 0..<count {
                sum = sum &+ step &+ UInt64(bitPattern: residual(index))
                output[index] = Int64(bitPattern: low &+ divisor &* sum)
            }
        case .deltaOfDelta:
            var difference = history.differences?.0 ?? step
            for index in 0..<count {
                difference = difference &+ residual(index)
                sum = sum &+ UInt64(bitPattern: difference)
                output[index] = Int64(bitPattern: low &+ divisor &* sum)
            }
            history.differences = (difference, 0, 0, 0, 0, 0, 0, 0)
        case .linear:
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
                let difference = residual(index) &+ (forecast &>> Self.weightShift)
                (d7, d6, d5, d4, d3, d2, d1, d0) = (d6, d5, d4, d3, d2, d1, d0, difference)
                sum = sum &+ UInt64(bitPattern: difference)
                output[index] = Int64(bitPattern: low &+ divisor &* sum)
            }
            history.differences = (d0, d1, d2, d3, d4, d5, d6, d7)
        }
        origin = sum
    }
}
