import MartletModel

/// How a model does on rows that it has not learnt from: left alone, and with anomalies put into them.
public struct ModelAccuracy: Sendable, Hashable {
    /// Injected anomalies of a kind, and how many of them had an anomalous row.
    public struct Recall: Sendable, Hashable {
        /// Those of which at least one row was found anomalous.
        public var found: Int
        /// Those that were put in.
        public var injected: Int
        /// The share that was found.
        public var share: Double { injected == 0 ? 0 : Double(found) / Double(injected) }
    }

    /// Rows held back.
    public var rows: Int
    /// Rows that were found anomalous with nothing injected.
    public var falseAnomalies: Int
    /// The share of them among the rows.
    public var falseShare: Double { rows == 0 ? 0 : Double(falseAnomalies) / Double(rows) }
    /// Single values ten deviations off.
    public var spikes: Recall
    /// Twenty rows ten deviations off.
    public var shifts: Recall
    /// Twenty rows that repeat one.
    public var flatLines: Recall
}

/// Rows that are held back from a model to measure it by.
///
/// A copy of the model, taken before the first of them, judges them four times: as they are, and with anomalies of one kind
/// each in the first value. A deviation is that of the noise: 1.4826 times the median distance of neighbours, divided by
/// the square root of 2.
struct HeldBackRows {
    static let count = 256
    private static let stretch = 20

    /// The model, as `AnomalyScorer.state()`.
    var model: [UInt8]
    var rows: Baseline

    var isFull: Bool { rows.count >= Self.count }

    private enum Injection { case spike, shift, flatLine }

    /// Runs the copies. O(rows).
    func measure(_ registry: DetectorRegistry) throws(MartletError) -> ModelAccuracy {
        let unit = noise
        let spikes = try run(registry, .spike, length: 1, spacing: 32, unit)
        let shifts = try run(registry, .shift, length: Self.stretch, spacing: 84, unit)
        let flatLines = try run(registry, .flatLine, length: Self.stretch, spacing: 84, unit)
        return ModelAccuracy(
            rows: rows.count, falseAnomalies: try run(registry, nil, length: 0, spacing: 1, unit).injected,
            spikes: spikes, shifts: shifts, flatLines: flatLines)
    }

    /// - Returns: of no injection, the anomalous rows as `injected`.
    private func run(
        _ registry: DetectorRegistry, _ injection: Injection?, length: Int, spacing: Int, _ unit: Double
    ) throws(MartletError) -> ModelAccuracy.Recall {
        let scorer = try registry.scorer(restoring: model)
        let dimensions = rows.dimensions
        var row = [Double](repeating: 0, count: dimensions)
        var result = ModelAccuracy.Recall(found: 0, injected: 0)
        var isFound = false
        for index in 0..<rows.count {
            for dimension in 0..<dimensions { row[dimension] = rows.values[index * dimensions + dimension] }
            // The first anomaly comes after half a spacing; every other one points down.
            let place = (index + spacing / 2) % spacing
            let isInjected = injection != nil && index >= spacing / 2 && place < length
            if let injection, isInjected {
                let first = index - place
                let sign: Double = (index / spacing) % 2 == 0 ? 1 : -1
                switch injection {
                case .spike, .shift: row[0] += sign * 10 * unit
                case .flatLine: row[0] = rows.values[first * dimensions]
                }
                if place == 0 {
                    result.injected += 1
                    isFound = false
                }
            }
            let verdict = try scorer.score(rows.times[index], row)
            guard verdict?.isAnomaly == true else { continue }
            if injection == nil {
                result.injected += 1
            } else if isInjected, !isFound {
                result.found += 1
                isFound = true
            }
        }
        return result
    }

    private var noise: Double {
        let column = stride(from: 0, to: rows.values.count, by: rows.dimensions).map { rows.values[$0] }
            .filter(\.isFinite)
        let distances = zip(column, column.dropFirst()).map { abs($1 - $0) }.sorted()
        let median = distances.isEmpty ? 0 : distances[distances.count / 2]
        let size = column.reduce(0) { max($0, abs($1)) }
        return max(1.4826 * median / 2.0.squareRoot(), 1e-3 * size, 1e-9)
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&model, maximum: 1 << 26)
        try rows.transfer(&archive, maximum: Self.count)
    }
}
