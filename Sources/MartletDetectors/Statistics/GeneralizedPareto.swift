#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The generalized Pareto distribution of excesses over a high threshold.
struct GeneralizedPareto: Equatable {
    /// The shape: 0 falls as an exponential, above 0 as a power, below 0 it ends.
    var shape = 0.0
    var scale = 1.0

    /// P(excess > `excess`), as -log10.
    func significance(_ excess: Double) -> Double {
        if abs(shape) < 1e-6 { return excess / scale * 0.4342944819 }
        let base = 1 + shape * excess / scale
        // Beyond the end of a bounded tail nothing was possible: as rare as doubles can tell.
        if base <= 0 { return 300 }
        return min(300, log10(base) / shape)
    }

    /// The excess that one in 1 / `probability` excesses is above.
    func quantile(_ probability: Double) -> Double {
        if abs(shape) < 1e-6 { return -scale * log(probability) }
        return scale / shape * (pow(probability, -shape) - 1)
    }

    /// The fit of Zhang and Stephens (Technometrics 51, 2009): a mean over a grid of the likelihood, no iteration that
    /// could fail. With few excesses the shape is drawn towards 0.
    ///
    /// - Parameter sorted: the excesses, ascending and positive. O(n sqrt(n)).
    init(fitting sorted: ArraySlice<Double>) {
        let count = sorted.count
        guard count >= 5, let largest = sorted.last, let first = sorted.first, largest > 0 else {
            if count > 0 {
                let mean = sorted.reduce(0, +) / Double(count)
                if mean > 0 { scale = mean }
            }
            return
        }
        let n = Double(count)
        let grid = 20 + Int(n.squareRoot())
        let quarter = max(sorted[sorted.startIndex + Int(n / 4 + 0.5) - 1], max(first, largest * 1e-6))
        func profile(_ theta: Double) -> (likelihood: Double, shape: Double) {
            var sum = 0.0
            for value in sorted { sum += log1p(-theta * value) }
            let k = -sum / n
            guard k != 0, theta / k > 0 else { return (-.infinity, 0) }
            return (n * (log(theta / k) + k - 1), -k)
        }
        var thetas: [Double] = []
        var likelihoods: [Double] = []
        for index in 1...grid {
            let theta = 1 / largest + (1 - (Double(grid) / (Double(index) - 0.5)).squareRoot()) / (3 * quarter)
            thetas.append(theta)
            likelihoods.append(profile(theta).likelihood)
        }
        guard let best = likelihoods.max(), best.isFinite else {
            scale = max(sorted.reduce(0, +) / n, 1e-300)
            return
        }
        var weights = 0.0
        var mean = 0.0
        for (theta, likelihood) in zip(thetas, likelihoods) where likelihood.isFinite {
            let weight = exp(likelihood - best)
            weights += weight
            mean += weight * theta
        }
        let theta = mean / weights
        let found = profile(theta)
        guard found.likelihood.isFinite else {
            scale = max(sorted.reduce(0, +) / n, 1e-300)
            return
        }
        scale = max(found.shape / -theta, 1e-300)
        // Ten imaginary excesses of shape 0, as in Vehtari et al. (Pareto smoothed importance sampling, 2024).
        shape = found.shape * n / (n + 10)
    }

    init() {}
}
