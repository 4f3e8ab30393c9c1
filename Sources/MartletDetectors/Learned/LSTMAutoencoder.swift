import MartletModel

/// How badly a network that learnt to write down windows of the past writes down the last one (EncDec-AD: Malhotra et
/// al., LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection, 2016).
///
/// Trained on the baseline, of which the last fifth is held back: the errors there are the measure of later ones. The raw
/// score is the error of the last row, or of the whole window if that is greater, in deviations of those. What comes
/// after the baseline is scored and changes nothing.
package final class LSTMAutoencoder: Detector {
    private let dimensions: Int
    private let epochs: Int
    private let seed: UInt64
    private let network: LSTMNetwork
    private var isTrained = false
    private var scale: Standardization
    /// Root mean square of the held-back errors of a value: in the last row, and over windows.
    private var lastErrors: ContiguousArray<Double>
    private var windowErrors: ContiguousArray<Double>
    /// The last rows, standardized, the oldest first.
    private var rows: ContiguousArray<Float>
    private var filled = 0
    private var worst = (dimension: 0, isWindow: false, score: 0.0)
    package private(set) var remarks: [String] = []

    static var method: DetectorMethod {
        DetectorMethod(
            "lstm_autoencoder", "how badly a network that learnt the past can write down the last rows",
            parameters: [
                .integer("window", 24, 2...512, "rows that are written down together"),
                .integer("units", 16, 1...128, "numbers that a window has to pass through"),
                .integer("epochs", 40, 1...1000, "times that the baseline is learnt from, at most"),
                .integer("seed", 0, 0...1_000_000_000, "where the random numbers begin"),
            ], dimensions: 1...64, baselineRows: 2000
        ) { (parameters, dimensions) throws(MartletError) in
            LSTMAutoencoder(parameters, dimensions)
        }
    }

    package init(_ parameters: DetectorParameters, _ dimensions: Int) {
        self.dimensions = dimensions
        epochs = parameters.integer("epochs")
        seed = UInt64(parameters.integer("seed"))
        network = LSTMNetwork(
            dimensions: dimensions, units: parameters.integer("units"), window: parameters.integer("window"))
        scale = Standardization(dimensions: dimensions)
        lastErrors = ContiguousArray(repeating: 1, count: dimensions)
        windowErrors = ContiguousArray(repeating: 1, count: dimensions)
        rows = ContiguousArray(repeating: 0, count: network.window * dimensions)
    }

    package func learn(_ baseline: Baseline) throws(MartletError) {
        let complete = (0..<baseline.count).filter { row in
            baseline.values[row * dimensions..<(row + 1) * dimensions].allSatisfy(\.isFinite)
        }
        guard complete.count >= 2 * network.window else {
            throw MartletError(
                .invalidArgument,
                "a network over windows of \(network.window) rows cannot learn from \(complete.count) complete rows of "
                    + "\(baseline.count)", hint: "give it a longer baseline, or a smaller window")
        }
        for dimension in 0..<dimensions {
            _ = scale.learn(dimension, from: complete.lazy.map { baseline.values[$0 * self.dimensions + dimension] })
        }
        var rows: [Float] = []
        rows.reserveCapacity(complete.count * dimensions)
        for row in complete {
            for dimension in 0..<dimensions {
                // What is far off would be all that is learnt.
                rows.append(scale.standardized(baseline.values[row * dimensions + dimension], dimension, limit: 4))
            }
        }
        var random = SplitMix(seed: seed)
        network.draw(&random)
        let outcome = LSTMTraining(network: network, epochs: epochs).run(rows, &random)
        measureErrors(rows, from: outcome.heldBack)
        isTrained = true
        filled = 0
        remarks = [
            "learnt from \(complete.count) rows in \(outcome.epochs) epochs; on the held-back fifth "
                + "\(shortText(Double(100 * min(outcome.loss, 1e6)).rounded())) % of the variance is left over"
        ]
    }

    private func measureErrors(_ rows: [Float], from heldBack: Int) {
        var last = [Double](repeating: 0, count: dimensions)
        var whole = last
        var count = 0.0
        rows.withUnsafeBufferPointer { rows in
            for start in heldBack...max(heldBack, rows.count / dimensions - network.window) {
                network.reconstruct(rows.baseAddress! + start * dimensions)
                count += 1
                for dimension in 0..<dimensions {
                    for row in 0..<network.window {
                        let place = row * dimensions + dimension
                        let error = Double(network.output[place] - rows[start * dimensions + place])
                        whole[dimension] += error * error
                        if row == network.window - 1 { last[dimension] += error * error }
                    }
                }
            }
        }
        for dimension in 0..<dimensions {
            lastErrors[dimension] = max((last[dimension] / count).squareRoot(), 1e-6)
            windowErrors[dimension] = max((whole[dimension] / count / Double(network.window)).squareRoot(), 1e-6)
        }
    }

    package func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        for dimension in 0..<dimensions where row[dimension].isNaN { return .nan }
        guard isTrained else { return .nan }
        let kept = rows.count - dimensions
        for place in 0..<kept { rows[place] = rows[place + dimensions] }
        for dimension in 0..<dimensions {
            rows[kept + dimension] = scale.standardized(row[dimension], dimension, limit: 1e6)
        }
        filled = min(filled + 1, network.window)
        guard filled == network.window else { return .nan }
        rows.withUnsafeBufferPointer { network.reconstruct($0.baseAddress!) }
        worst = (0, false, 0)
        for dimension in 0..<dimensions {
            var sum = 0.0
            for row in 0..<network.window {
                let place = row * dimensions + dimension
                let error = Double(network.output[place] - rows[place])
                sum += error * error
            }
            let last = Double(network.output[kept + dimension] - rows[kept + dimension])
            note(dimension, false, abs(last) / lastErrors[dimension])
            note(dimension, true, (sum / Double(network.window)).squareRoot() / windowErrors[dimension])
        }
        return worst.score
    }

    private func note(_ dimension: Int, _ isWindow: Bool, _ score: Double) {
        if score > worst.score { worst = (dimension, isWindow, score) }
    }

    package var explanation: Explanation {
        let kept = rows.count - dimensions
        let dimension = worst.dimension
        let expected = scale.origins[dimension] + scale.units[dimension] * Double(network.output[kept + dimension])
        let what = worst.isWindow ? "the last \(network.window) rows" : "the last row"
        var result = Explanation.around(
            expected, 3 * scale.units[dimension] * lastErrors[dimension],
            "the network that learnt the past writes \(what) down with an error \(shortText(worst.score)) times the usual"
                + (dimensions > 1 ? ", most of all value \(dimension + 1)" : ""))
        if dimensions > 1 { result.contributors = [dimension] }
        return result
    }

    package func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&isTrained)
        guard isTrained else { return }
        try scale.transfer(&archive)
        try archive.transfer(&lastErrors)
        try archive.transfer(&windowErrors)
        for index in 0..<network.parameterCount { try archive.transfer(&network.parameters[index]) }
        try archive.transfer(&rows)
        try archive.transfer(&filled, in: 0...network.window)
        let lines = try archive.transferCount(remarks.count, maximum: 4, bytesEach: 1)
        if archive.isReading { remarks = [String](repeating: "", count: lines) }
        for line in 0..<lines { try archive.transfer(&remarks[line]) }
    }

    package var stateBytes: Int { network.bytes + 4 * rows.count + 32 * dimensions + 160 }
}
