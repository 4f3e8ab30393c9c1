import MartletModel

/// What the values of a series are measured from and in, fixed by a baseline: each dimension's mean and deviation.
struct Standardization {
    private(set) var origins: ContiguousArray<Double>
    private(set) var units: ContiguousArray<Double>

    /// Values stand for themselves until something is learnt.
    init(dimensions: Int) {
        origins = ContiguousArray(repeating: 0, count: dimensions)
        units = ContiguousArray(repeating: 1, count: dimensions)
    }

    /// Learns a dimension from finite values.
    ///
    /// - Returns: whether there were any.
    mutating func learn(_ dimension: Int, from values: some Collection<Double>) -> Bool {
        var moments = Moments(span: values.count)
        for value in values { moments.add(min(max(value, -1e140), 1e140)) }
        guard moments.count > 0 else { return false }
        origins[dimension] = moments.mean
        units[dimension] = moments.deviation
        return true
    }

    /// A value in deviations from the mean, `limit` at most on each side.
    @inline(__always)
    func standardized(_ value: Double, _ dimension: Int, limit: Double) -> Float {
        Float(min(max((value - origins[dimension]) / units[dimension], -limit), limit))
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&origins)
        try archive.transfer(&units)
    }
}
