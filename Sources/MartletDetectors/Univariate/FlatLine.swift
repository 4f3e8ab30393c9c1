import MartletModel

/// A value that does not change for longer than it used to: the length of the run, in mean lengths of past runs.
struct FlatLine: UnivariateModel {
    static let method = "flatline"
    static let summary = "a value that stands still for longer than it used to; for sensors that stick"
    static let parameters: [DetectorParameter] = [
        .init("tolerance", 0, 0...1e12, "change that still counts as standing still, in the value's unit")
    ]

    private let tolerance: Double
    private var runs = Scale(span: 500)
    private var anchor = 0.0
    private var run = 0
    private var seen = 0

    init(_ parameters: DetectorParameters) { tolerance = parameters["tolerance"] }

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        if seen < 16 { seen += 1 }
        if run > 0, abs(value - anchor) <= tolerance {
            run += 1
        } else {
            if run > 0 { runs.add(Double(run)) }
            anchor = value
            run = 1
        }
        // A value that comes twice is chance even where hardly one does: readings are rounded.
        return seen < 16 ? .nan : Double(max(0, run - 2)) / (runs.mean + 1)
    }

    var explanation: Explanation {
        Explanation(
            reason: "the value has stood at \(shortText(anchor)) for \(run) rows, where it changes every "
                + "\(shortText(max(runs.mean, 1))) rows on average")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try runs.transfer(&archive)
        try archive.transfer(&anchor)
        try archive.transfer(&run, in: 0...Int.max / 2)
        try archive.transfer(&seen, in: 0...16)
    }
}
