import MartletModel
import MartletStorage

/// Aggregates over a group's samples in order of time.
///
/// A counter that falls was reset: the new value counts from 0, as in Prometheus. Nothing is extrapolated to the ends
/// of a window, so `increase` over neighbouring windows of a counter without gaps misses only the steps between them.
enum TimedResult {
    /// Growth of a counter.
    case increase
    /// Growth of a counter per second between the first and the last sample.
    case rate
    /// The same between the last two samples.
    case instantRate
    /// The last value less the first (of a gauge).
    case delta
    /// The slope of the line of least squares, per second.
    case derivative
    /// How often a counter fell.
    case resets
    /// How often the value changed.
    case changes
    /// The mean over time; each value holds until the next sample.
    case averageStep
    /// The mean over time; values between samples lie on a straight line.
    case averageLinear

    /// The statistic of samples in ascending order of time, or `nil` where there are too few of them.
    ///
    /// - Parameter steps: for each sample how much the counter grew up to it, where that is not told by the two values; NaN
    ///   where it is. Empty where it is for all.
    func value(
        _ times: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>, steps: ArraySlice<Double> = []
    ) -> Double? {
        let count = times.count
        let last = count - 1
        if count == 0 { return nil }
        switch self {
        case .resets: return tally(values) { $1 < $0 }
        case .changes: return tally(values) { !FloatOrder.equal($0, $1) }
        case .averageStep, .averageLinear: return average(times, values)
        case .increase, .rate, .instantRate, .delta, .derivative: if count < 2 { return nil }
        }
        let seconds = Self.seconds(times[0], times[last])
        switch self {
        case .delta: return values[last] - values[0]
        case .increase: return increase(values, steps)
        case .rate: return seconds == 0 ? nil : increase(values, steps) / seconds
        case .instantRate:
            let step = Self.seconds(times[last - 1], times[last])
            return step == 0 ? nil : CounterStep.growth(from: values[last - 1], to: values[last]) / step
        case .derivative:
            var moments = PairMoments()
            for index in 0..<count { moments.add(y: values[index], x: Self.seconds(times[0], times[index])) }
            return PairResult.slope.value(moments)
        case .resets, .changes, .averageStep, .averageLinear: return nil
        }
    }

    private static func seconds(_ from: Int64, _ to: Int64) -> Double {
        let (span, overflow) = to.subtractingReportingOverflow(from)
        return (overflow ? Double(to) - Double(from) : Double(span)) / 1e9
    }

    private func increase(_ values: UnsafeBufferPointer<Double>, _ steps: ArraySlice<Double>) -> Double {
        var total = 0.0
        for index in 1..<values.count {
            if !steps.isEmpty, !steps[steps.startIndex + index].isNaN {
                total += steps[steps.startIndex + index]
                continue
            }
            total += CounterStep.growth(from: values[index - 1], to: values[index])
        }
        return total
    }

    private func tally(_ values: UnsafeBufferPointer<Double>, _ test: (Double, Double) -> Bool) -> Double {
        var count = 0
        for index in 1..<max(values.count, 1) where test(values[index - 1], values[index]) { count += 1 }
        return Double(count)
    }

    private func average(_ times: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>) -> Double {
        let total = Self.seconds(times[0], times[times.count - 1])
        if total == 0 { return values[values.count - 1] }
        var area = 0.0
        for index in 1..<times.count {
            let height = self == .averageStep ? values[index - 1] : (values[index - 1] + values[index]) / 2
            area += height * Self.seconds(times[index - 1], times[index])
        }
        return area / total
    }
}

/// Gathers samples and orders each group's by time at the end (rows of equal times stay in order). 20 bytes a sample.
///
/// A rollup gives two samples, its first and its last value, and how much the counter grew from the one to the other.
final class TimedAccumulator: SummaryAccumulator {
    private var groupOf: [UInt32] = []
    /// By the number of a rollup's last sample: its growth since the first one, which is the sample before.
    private var growths: [Int: Double] = [:]
    private var times: [Int64] = []
    private var values: [Double] = []
    private let result: TimedResult

    init(_ result: TimedResult) { self.result = result }

    func grow(toGroups count: Int) {}

    func add(
        _ arguments: [Column], times rowTimes: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        guard let rowTimes else { throw MartletError(.internal, "an aggregate over time was run without times") }
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEachNumber(arguments[0]) { (group, row, value) throws(MartletError) in
            append(group, rowTimes[row], value)
        }
    }

    @inline(__always)
    private func append(_ group: Int, _ time: Int64, _ value: Double) {
        groupOf.append(UInt32(truncatingIfNeeded: group))
        times.append(time)
        values.append(value)
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (sample, growth) in other.growths { growths[groupOf.count + sample] = growth }
        groupOf.append(contentsOf: other.groupOf.lazy.map { mapping[Int($0)] })
        times.append(contentsOf: other.times)
        values.append(contentsOf: other.values)
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, let growth = result == .delta ? .nan : summary.growth, let first = summary.first?.number,
            let last = summary.last?.number
        else { return }
        append(group, summary.firstTime ?? time.lowerBound, first)
        if summary.count < 2 { return }
        append(group, summary.lastTime ?? time.upperBound, last)
        growths[groupOf.count - 1] = growth
    }

    /// Leaves out the samples that lie within a rollup's time, which its growth does not count, and gives the growth up to
    /// each sample that is left where a rollup says it.
    private func thinned(_ order: inout [Int32], _ starts: inout [Int], groupCount: Int) -> [Double] {
        var kept: [Int32] = []
        var steps: [Double] = []
        var newStarts = [0]
        for group in 0..<groupCount {
            var end: Int32?
            for sample in order[starts[group]..<starts[group + 1]] {
                if let last = end {
                    guard sample == last else { continue }
                    end = nil
                } else if growths[Int(sample) + 1] != nil {
                    end = sample + 1
                }
                let isNext = kept.count > newStarts[group] && kept.last == sample - 1
                steps.append(isNext ? growths[Int(sample)] ?? .nan : .nan)
                kept.append(sample)
            }
            newStarts.append(kept.count)
        }
        (order, starts) = (kept, newStarts)
        return steps
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var starts = [Int](repeating: 0, count: groupCount + 1)
        for group in groupOf { starts[Int(group) + 1] += 1 }
        for group in 0..<groupCount { starts[group + 1] += starts[group] }
        var next = starts
        var order = [Int32](repeating: 0, count: times.count)
        for index in 0..<times.count {
            let group = Int(groupOf[index])
            order[next[group]] = Int32(truncatingIfNeeded: index)
            next[group] += 1
        }
        for group in 0..<groupCount {
            let range = starts[group]..<starts[group + 1]
            let isSorted = range.dropFirst().allSatisfy { times[Int(order[$0 - 1])] <= times[Int(order[$0])] }
            if isSorted { continue }
            order[range].sort { a, b in
                let x = times[Int(a)]
                let y = times[Int(b)]
                return x != y ? x < y : a < b
            }
        }
        let steps = growths.isEmpty ? [] : thinned(&order, &starts, groupCount: groupCount)
        let sortedTimes = order.map { times[Int($0)] }
        let sortedValues = order.map { values[Int($0)] }
        let isCount = result == .resets || result == .changes
        return try sortedTimes.withUnsafeBufferPointer { times throws(MartletError) in
            try sortedValues.withUnsafeBufferPointer { values throws(MartletError) in
                func statistic(_ group: Int) -> Double? {
                    let range = starts[group]..<starts[group + 1]
                    return result.value(
                        UnsafeBufferPointer(rebasing: times[range]), UnsafeBufferPointer(rebasing: values[range]),
                        steps: steps.isEmpty ? [] : steps[range])
                }
                if isCount {
                    return try words(.int64, groupCount) { (group) throws(MartletError) in
                        statistic(group).map { UInt64($0) }
                    }
                }
                return floats(groupCount, statistic)
            }
        }
    }

    var memoryFootprint: Int {
        groupOf.capacity * 4 + times.capacity * 8 + values.capacity * 8 + growths.count * 32
    }
}
