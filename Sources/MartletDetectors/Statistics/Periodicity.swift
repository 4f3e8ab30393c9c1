/// Finding the period of a baseline.
enum Periodicity {
    /// The number of rows after which the values repeat, or `nil` where none stands out.
    ///
    /// The autocorrelation of the values less their linear trend; the first lag after it fell below 0.1 that is a local
    /// maximum, above 0.3, and within 0.1 of the greatest one (Box, Jenkins and Reinsel, Time Series Analysis, ch. 2).
    /// At least two periods must be in the baseline. Missing values count as the mean. O(n * longest).
    static func find(_ values: [Double], longest: Int) -> Int? {
        let count = values.count
        let longest = min(longest, count / 2)
        guard longest >= 4 else { return nil }
        let series = detrended(values)
        var energy = 0.0
        for value in series { energy += value * value }
        guard energy > 1e-9 * Double(count) * 1e-9 else { return nil }
        var correlation = [Double](repeating: 0, count: longest + 2)
        for lag in 1..<min(longest + 2, count) {
            var sum = 0.0
            for index in lag..<count { sum += series[index] * series[index - lag] }
            // The unbiased form, so that long periods do not lose to short ones.
            correlation[lag] = sum / energy * Double(count) / Double(count - lag)
        }
        var start = 1
        while start <= longest, correlation[start] > 0.1 { start += 1 }
        var peaks: [(lag: Int, height: Double)] = []
        if start + 1 <= longest {
            for lag in max(start, 2)...longest
            where correlation[lag] > 0.3 && correlation[lag] >= correlation[lag - 1]
                && correlation[lag] >= correlation[lag + 1]
            {
                peaks.append((lag, correlation[lag]))
            }
        }
        guard let best = peaks.max(by: { $0.height < $1.height }) else { return nil }
        return peaks.first { $0.height > best.height - 0.1 }?.lag
    }

    /// The finite values less their regression line on the row number; 0 for the others.
    static func detrended(_ values: [Double]) -> [Double] {
        var n = 0.0
        var sumX = 0.0
        var sumY = 0.0
        for (index, value) in values.enumerated() where value.isFinite {
            n += 1
            sumX += Double(index)
            sumY += value
        }
        guard n > 2 else { return values.map { _ in 0 } }
        let meanX = sumX / n
        let meanY = sumY / n
        var cross = 0.0
        var square = 0.0
        for (index, value) in values.enumerated() where value.isFinite {
            cross += (Double(index) - meanX) * (value - meanY)
            square += (Double(index) - meanX) * (Double(index) - meanX)
        }
        let slope = cross / square
        return values.enumerated().map { index, value in
            value.isFinite ? value - meanY - slope * (Double(index) - meanX) : 0
        }
    }
}
