import MartletModel

/// Rows that come late and values that are missing: the distance to the row before, or to the last row with a value, in
/// mean distances.
///
/// Sees a gap when the row after it comes. Absence that is to be noticed while it lasts is driven by a clock, which is
/// for alert rules.
struct MissingData: UnivariateModel {
    static let method = "missing"
    static let summary = "rows that come late and values that are missing; scored at the row after the gap"
    static let parameters: [DetectorParameter] = []
    static let seesMissing = true

    private var gaps = Scale(span: 500)
    private var lastTime: Int64 = 0
    private var seen = 0
    private var nulls = 0
    private var gap = 0.0

    init(_ parameters: DetectorParameters) {}

    mutating func observe(_ time: Int64, _ value: Double) -> Double {
        defer {
            if !value.isNaN { lastTime = time }
            if seen < 17 { seen += 1 }
        }
        if seen == 0 {
            lastTime = time
            return .nan
        }
        gap = max(0, (Double(time) - Double(lastTime)) / 1e9)
        if value.isNaN { nulls += 1 }
        let usual = gaps.count > 0 ? max(gaps.mean, 1e-9) : max(gap, 1e-9)
        if !value.isNaN {
            gaps.add(gap)
            nulls = 0
        }
        return seen < 17 ? .nan : gap / usual
    }

    var explanation: Explanation {
        let usual = "where one comes every \(shortText(gaps.mean)) s"
        return Explanation(
            reason: nulls > 0
                ? "\(nulls) rows have come without a value in \(shortText(gap)) s, \(usual)"
                : "no value came for \(shortText(gap)) s, \(usual)")
    }

    mutating func transfer(_ archive: inout StateArchive) throws(MartletError) {
        try gaps.transfer(&archive)
        try archive.transfer(&lastTime)
        try archive.transfer(&seen, in: 0...17)
        try archive.transfer(&nulls, in: 0...Int.max / 2)
    }
}
