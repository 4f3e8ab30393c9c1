import MartletModel

/// The usual value at each phase of a period of time: bins on a circle, read between their middles in proportion.
struct PhaseProfile {
    private var bins: ContiguousArray<Float>
    private var counts: ContiguousArray<UInt16>
    /// Nanoseconds; 0 switches the profile off.
    private(set) var period: Double
    private let memory: Float

    /// - Parameters:
    ///   - memory: how many visits of a bin it remembers.
    init(bins: Int, period: Double, memory: Int) {
        self.bins = ContiguousArray(repeating: 0, count: bins)
        counts = ContiguousArray(repeating: 0, count: bins)
        self.period = period
        self.memory = Float(memory)
    }

    /// Where in the period `time` is, from 0 up to 1.
    @inline(__always)
    func phase(_ time: Int64) -> Double {
        let turns = Double(time) / period
        return turns - turns.rounded(.down)
    }

    @inline(__always)
    private func place(_ time: Int64) -> (low: Int, high: Int, share: Double) {
        let position = phase(time) * Double(bins.count) - 0.5
        let floor = position.rounded(.down)
        let low = floor < 0 ? bins.count - 1 : min(Int(floor), bins.count - 1)
        return (low, low + 1 == bins.count ? 0 : low + 1, position - floor)
    }

    /// The usual value at `time`; 0 where nothing is known yet.
    @inline(__always)
    func value(_ time: Int64) -> Double {
        if period <= 0 { return 0 }
        let place = place(time)
        return Double(bins[place.low]) * (1 - place.share) + Double(bins[place.high]) * place.share
    }

    /// Moves the two bins around `time` so that the value there comes nearer by `error`.
    @inline(__always)
    mutating func correct(_ time: Int64, by error: Double) {
        if period <= 0 { return }
        let place = place(time)
        correct(place.low, Float(error * (1 - place.share)), Float(1 - place.share))
        correct(place.high, Float(error * place.share), Float(place.share))
    }

    @inline(__always)
    private mutating func correct(_ bin: Int, _ error: Float, _ share: Float) {
        if share > 0.5, counts[bin] < UInt16.max { counts[bin] += 1 }
        bins[bin] += error / min(Float(counts[bin]) + 1, memory)
    }

    /// Switches to another period and forgets.
    mutating func restart(period: Double) {
        self.period = period
        for index in bins.indices {
            bins[index] = 0
            counts[index] = 0
        }
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try archive.transfer(&bins)
        try archive.transfer(&counts)
        try archive.transfer(&period)
        guard period.isFinite, period >= 0 else { throw StateArchive.corrupt("holds a period of \(period)") }
    }

    var bytes: Int { bins.count * 6 + 64 }
}
