import MartletModel

/// What a baseline of one value looks like: what `auto` decides by.
struct BaselineFindings {
    /// Share of rows without a value.
    var missing = 0.0
    /// Share of neighbouring rows with equal values.
    var standing = 0.0
    /// Distinct values, counted up to 64.
    var distinct = 0
    /// Rows of a period, if one stands out.
    var period: Int?
    /// Share of the distances of rows that are within a fifth of the median one.
    var regularity = 0.0

    init(_ baseline: Baseline) {
        let values = baseline.values
        let present = values.filter(\.isFinite)
        guard !present.isEmpty, baseline.count > 1 else {
            missing = 1
            return
        }
        missing = 1 - Double(present.count) / Double(values.count)
        var kinds = Set<Double>()
        for value in present where kinds.count < 64 { kinds.insert(value) }
        distinct = kinds.count
        standing = Double(zip(present, present.dropFirst()).count { $0 == $1 }) / Double(max(present.count - 1, 1))
        period = Periodicity.find(values, longest: values.count / 2)
        let gaps = zip(baseline.times, baseline.times.dropFirst()).map { Double($1) - Double($0) }
        let median = gaps.sorted()[gaps.count / 2]
        regularity = Double(gaps.count { abs($0 - median) <= 0.2 * median }) / Double(gaps.count)
    }
}
