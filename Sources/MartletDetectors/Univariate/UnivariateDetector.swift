import MartletModel

/// The arithmetic of a detector of one value a row. A struct, so that `UnivariateDetector` is compiled around it.
protocol UnivariateModel: Sendable {
    static var method: String { get }
    static var summary: String { get }
    static var parameters: [DetectorParameter] { get }
    static var baselineRows: Int { get }
    /// Whether missing values are its business; otherwise it never sees one.
    static var seesMissing: Bool { get }
    init(_ parameters: DetectorParameters)
    /// The raw score of `value`, then learns from it. Infinite values are not passed on.
    mutating func observe(_ time: Int64, _ value: Double) -> Double
    mutating func learn(_ baseline: Baseline) throws(MartletError)
    var explanation: Explanation { get }
    var remarks: [String] { get }
    mutating func transfer(_ archive: inout StateArchive) throws(MartletError)
    /// Bytes behind pointers, beside the struct itself.
    var heapBytes: Int { get }
    static var leastTailIndex: Double { get }
    static var isCalibrated: Bool { get }
}

extension UnivariateModel {
    static var baselineRows: Int { 0 }
    static var seesMissing: Bool { false }
    static var leastTailIndex: Double { ScoreHistory.tailIndexOfDistances }
    static var isCalibrated: Bool { false }
    var heapBytes: Int { 0 }
    var remarks: [String] { [] }
    mutating func learn(_ baseline: Baseline) throws(MartletError) {}
}

/// A detector of one value a row.
final class UnivariateDetector<Model: UnivariateModel>: Detector {
    private var model: Model

    init(_ parameters: DetectorParameters) { model = Model(parameters) }

    func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double {
        let value = row[0]
        if !value.isFinite {
            // An infinite value is beyond every bound, and nothing to learn from.
            if !Model.seesMissing { return value.isNaN ? .nan : 1e300 }
            return model.observe(time, .nan)
        }
        // The squares of larger values would overflow.
        return model.observe(time, min(max(value, -1e140), 1e140))
    }

    func learn(_ baseline: Baseline) throws(MartletError) { try model.learn(baseline) }
    var leastTailIndex: Double { Model.leastTailIndex }
    var isCalibrated: Bool { Model.isCalibrated }
    var explanation: Explanation { model.explanation }
    var remarks: [String] { model.remarks }
    func transfer(_ archive: inout StateArchive) throws(MartletError) { try model.transfer(&archive) }
    var stateBytes: Int { MemoryLayout<Model>.size + 16 + model.heapBytes }

    static var method: DetectorMethod {
        DetectorMethod(
            Model.method, Model.summary, parameters: Model.parameters, baselineRows: Model.baselineRows
        ) { (parameters, _) throws(MartletError) in UnivariateDetector(parameters) }
    }
}
