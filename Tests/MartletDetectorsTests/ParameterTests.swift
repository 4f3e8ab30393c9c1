import MartletModel
import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct ParameterTests {
    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }

    @Test func `an unknown detector is answered with those that there are`() {
        let text = message { _ = try DetectorRegistry.builtIn.scorer("zscor") }
        #expect(text.contains("there is no detector 'zscor'") && text.contains("zscore"))
    }

    @Test func `parameters are named numbers separated by commas`() throws {
        let parameters = try DetectorRegistry.builtIn.parameters(of: "EWMA", " lambda= 0.5 ,span =200,")
        #expect(parameters["lambda"] == 0.5)
        #expect(parameters["span"] == 200)
        #expect(parameters["refractory"] == 100)
    }

    @Test(arguments: [
        ("lamda = 1", "there is no parameter 'lamda'"), ("lambda = 2", "lambda = 2 is not accepted"),
        ("span = 20.5", "span = 20.5 is not accepted"), ("lambda", "'lambda' is no parameter"),
        ("lambda = x", "'lambda = x' is no parameter"), ("lambda = nan", "is not accepted"),
    ]) func `wrong parameters are refused by name`(text: String, expected: String) {
        let answer = message { _ = try DetectorRegistry.builtIn.scorer("ewma", text) }
        #expect(answer.contains(expected), "\(answer)")
    }

    @Test func `the number of values a row must fit the detector`() {
        let text = message { _ = try DetectorRegistry.builtIn.scorer("zscore", dimensions: 2) }
        #expect(text.contains("'zscore' looks at exactly 1 values a row, not 2"))
    }

    @Test func `a stranger's detector goes through the same door`() throws {
        final class Always: Detector {
            func observe(_ time: Int64, _ row: UnsafePointer<Double>) -> Double { row[0] }
            var explanation: Explanation { Explanation(reason: "it is") }
            func transfer(_ archive: inout StateArchive) throws(MartletError) {}
            var stateBytes: Int { 0 }
        }
        var registry = DetectorRegistry.builtIn
        registry.register(DetectorMethod("always", "raw values") { (_, _) throws(MartletError) in Always() })
        let scorer = try registry.scorer("always", "warmup = 20")
        for row in 0..<100 { _ = try scorer.score(Int64(row), Double(row % 10)) }
        #expect(try scorer.score(100, 1000)?.score ?? 0 > 0.99)
    }

    @Test(arguments: DetectorRegistry.builtIn.names)
    func `every parameter has a meaning and a default that is accepted`(name: String) throws {
        var parameters = try DetectorRegistry.builtIn.parameters(of: name)
        for parameter in try DetectorRegistry.builtIn.method(name).parameters {
            #expect(parameter.meaning.count > 8)
            try parameters.set(parameter.name, parameter.standard)
        }
    }
}
