import MartletModel

/// Values of one device that moved together, of which one no longer follows the others.
///
/// Every value is predicted from all others by the usual covariance S, exponentially weighted: with P = S^-1 and
/// standardized values z, the error of value j in its own deviations is (P z)_j / sqrt(P_jj) (regression adjusted
/// variables: Hawkins, Technometrics 33, 1991). The raw score is the root of the mean square of the last errors, of the
/// value where it is greatest.
///
/// O(d^2) a row: the inverse, O(d^3), is renewed every d rows.
final class CorrelationBreak: Detector {
    static let parameters: [DetectorParameter] = [
        .integer("recent", 12, 1...10_000, "rows over which errors are averaged"),
        .integer("span", 500, 32...1_000_000, "rows that the usual covariance weighs"),
    ]

    static var method: DetectorMethod {
        DetectorMethod(
            "correlation_break", "a value that no longer follows the others; for the metrics of one device",
            parameters: parameters, dimensions: 2...64
        ) { (parameters, dimensions) throws(MartletError) in
            CorrelationBreak(parameters, dimensions)
        }
    }
    /// Rows before means and deviations are good enough to standardize by.
    private static let settling = 32

    private let dimensions: Int
    private let weight: Double
    private let span: Int
    private var rows = 0
    private var moments: [Moments]
    /// Exponentially weighted means of products of standardized values, a full matrix by rows.
    private var covariance: ContiguousArray<Double>
    private var precision: ContiguousArray<Double>
    /// What `invert` works on.
    private var left: ContiguousArray<Double>
    /// Mean squares of the last errors.
    private var squares: ContiguousArray<Double>
    private var values: ContiguousArray<Double>
    private var errors: ContiguousArray<Double>

    init(_ parameters: DetectorParameters, _ dimensions: Int) {
        self.dimensions = dimensions
        weight = 2 / (parameters["recent"] + 1)
        let span = parameters.integer("span")
        self.span = span
        moments = (0..<dimensions).map { _ in Moments(span: span) }
        covariance = ContiguousArray(repeating: 0, count: dimensions * dimensions)
        precision = ContiguousArray(repeating: 0, count: dimensions * dimensions)
        left = ContiguousArray(repeating: 0, count: dimensions * dimensions)
        squares = ContiguousArray(repeating: 1, count: dimensions)
        values = ContiguousArray(repeating: 0, count: dimensions)
        errors = ContiguousArray(repeating: 0, count: dimensions)
    }

    func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        for dimension in 0..<dimensions where !row[dimension].isFinite { return .nan }
        for dimension in 0..<dimensions {
            let value = min(max(row[dimension], -1e140), 1e140)
            values[dimension] = min(max(moments[dimension].standardized(value), -1e6), 1e6)
            moments[dimension].add(value)
        }
        rows += rows < Int.max ? 1 : 0
        guard rows > Self.settling else { return .nan }
        let isReady = rows > Self.settling + 4 * dimensions + 32
        var greatest = 0.0
        if isReady {
            if rows % dimensions == 0 || rows == Self.settling + 4 * dimensions + 33 { invert() }
            for dimension in 0..<dimensions {
                var sum = 0.0
                for other in 0..<dimensions { sum += precision[dimension * dimensions + other] * values[other] }
                let diagonal = max(precision[dimension * dimensions + dimension], 1e-12)
                let error = sum / diagonal.squareRoot()
                errors[dimension] = sum / diagonal
                squares[dimension] += weight * (min(error * error, 1e12) - squares[dimension])
                greatest = max(greatest, squares[dimension])
            }
        }
        let step = max(1 / Double(rows - Self.settling), 1 / Double(span))
        for first in 0..<dimensions {
            // What is learnt from one row is bounded, so that a break does not become the rule at once.
            let bounded = min(max(values[first], -4), 4)
            for second in 0..<dimensions {
                let product = bounded * min(max(values[second], -4), 4)
                covariance[first * dimensions + second] += step * (product - covariance[first * dimensions + second])
            }
        }
        return isReady ? greatest.squareRoot() : .nan
    }

    /// The inverse of the covariance, with a hundredth added to its diagonal so that values that are copies of each
    /// other have one: Gauss and Jordan without pivoting, which a positive definite matrix does not need.
    private func invert() {
        let n = dimensions
        for index in left.indices { left[index] = covariance[index] }
        for index in 0..<n { left[index * n + index] += 0.01 }
        for index in precision.indices { precision[index] = 0 }
        for index in 0..<n { precision[index * n + index] = 1 }
        for column in 0..<n {
            let pivot = max(left[column * n + column], 1e-9)
            for place in 0..<n {
                left[column * n + place] /= pivot
                precision[column * n + place] /= pivot
            }
            for other in 0..<n where other != column {
                let factor = left[other * n + column]
                if factor == 0 { continue }
                for place in 0..<n {
                    left[other * n + place] -= factor * left[column * n + place]
                    precision[other * n + place] -= factor * precision[column * n + place]
                }
            }
        }
    }

    var explanation: Explanation {
        let order = (0..<dimensions).sorted { squares[$0] > squares[$1] }
        let broken = order[0]
        let scale = moments[broken]
        let found = scale.mean + values[broken] * scale.deviation
        let expected = found - errors[broken] * scale.deviation
        return Explanation(
            expected: expected.isFinite ? expected : nil,
            reason: "value \(broken + 1) no longer follows the others: they let expect \(shortText(expected)), it is "
                + "\(shortText(found)), and its errors are \(shortText(squares[broken].squareRoot())) times as large as "
                + "usual",
            contributors: order.filter { squares[$0] * 4 >= squares[broken] })
    }

    func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&rows, in: 0...Int.max)
        for dimension in 0..<dimensions { try moments[dimension].transfer(&archive) }
        try archive.transfer(&covariance)
        try archive.transfer(&precision)
        try archive.transfer(&squares)
    }

    var stateBytes: Int { 24 * covariance.count + dimensions * (24 + MemoryLayout<Moments>.size) + 320 }
}
