#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Trains an `LSTMNetwork` on windows of rows: Adam (Kingma and Ba, ICLR 2015) with clipped gradients (Pascanu et al.,
/// ICML 2013), until windows that are held back get no better.
///
/// The same rows and the same seed give the same weights on one kind of machine.
struct LSTMTraining {
    /// Windows of one step.
    private static let batch = 16
    private static let rate: Float = 0.005
    private static let clip: Float = 1
    /// Epochs without a better result on the held-back windows after which it ends.
    private static let patience = 6
    /// Windows of one epoch: of more, as many are drawn.
    static let windowsPerEpoch = 1024
    static let heldBackShare = 0.2

    let network: LSTMNetwork
    let epochs: Int

    /// Trains on the first rows; the last fifth is held back.
    ///
    /// - Parameter rows: row after row, standardized; at least twice the window.
    /// - Returns: the first row of the held-back part, the loss on it, and how many epochs it took.
    func run(_ rows: [Float], _ random: inout SplitMix) -> (heldBack: Int, loss: Float, epochs: Int) {
        let count = rows.count / network.dimensions
        let last = count - network.window
        let heldBack = min(max(Int(Double(count) * (1 - Self.heldBackShare)), network.window), last)
        let starts = Array(0...max(0, heldBack - network.window))
        let parameterCount = network.parameterCount
        var gradients = [Float](repeating: 0, count: parameterCount)
        var first = [Float](repeating: 0, count: parameterCount)
        var second = [Float](repeating: 0, count: parameterCount)
        var best = (loss: Float.infinity, weights: [Float](), epoch: 0)
        var decay: (Float, Float) = (1, 1)
        var epoch = 0
        rows.withUnsafeBufferPointer { rows in
            let rows = rows.baseAddress!
            while epoch < epochs, epoch - best.epoch < Self.patience {
                epoch += 1
                var drawn = starts.shuffled(using: &random)[...]
                drawn = drawn.prefix(Self.windowsPerEpoch)
                while !drawn.isEmpty {
                    let batch = drawn.prefix(Self.batch)
                    drawn = drawn.dropFirst(batch.count)
                    for index in gradients.indices { gradients[index] = 0 }
                    gradients.withUnsafeMutableBufferPointer { gradients in
                        for start in batch {
                            let window = rows + start * network.dimensions
                            network.reconstruct(window)
                            network.backward(window, gradients.baseAddress!)
                        }
                    }
                    decay = (decay.0 * 0.9, decay.1 * 0.999)
                    step(&gradients, &first, &second, decay, batch.count)
                }
                let loss = loss(rows, heldBack, last)
                if loss < best.loss * 0.995 {
                    best = (loss, (0..<parameterCount).map { network.parameters[$0] }, epoch)
                }
            }
        }
        for (index, weight) in best.weights.enumerated() { network.parameters[index] = weight }
        return (heldBack, best.loss, epoch)
    }

    private func loss(_ rows: UnsafePointer<Float>, _ from: Int, _ last: Int) -> Float {
        var (sum, count): (Float, Float) = (0, 0)
        for start in stride(from: from, through: last, by: max(1, network.window / 4)) {
            network.reconstruct(rows + start * network.dimensions)
            sum += network.loss(rows + start * network.dimensions)
            count += 1
        }
        return sum / max(count, 1)
    }

    private func step(
        _ gradients: inout [Float], _ first: inout [Float], _ second: inout [Float], _ decay: (Float, Float),
        _ count: Int
    ) {
        let scale = 1 / Float(count)
        var square: Float = 0
        for gradient in gradients { square += gradient * gradient }
        let norm = square.squareRoot() * scale
        let factor = norm > Self.clip ? scale * Self.clip / norm : scale
        for index in gradients.indices {
            let gradient = gradients[index] * factor
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient * gradient
            let mean = first[index] / (1 - decay.0)
            let spread = (second[index] / (1 - decay.1)).squareRoot()
            network.parameters[index] -= Self.rate * mean / (spread + 1e-8)
        }
    }
}
