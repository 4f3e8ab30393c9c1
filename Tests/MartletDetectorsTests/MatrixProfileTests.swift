import MartletTestSupport
import Testing

@testable import MartletDetectors

@Suite struct MatrixProfileTests {
    /// The distances by their definition, each from scratch.
    private func expected(_ values: [Double], window: Int, normalized: Bool) -> [Double?] {
        func subsequence(_ start: Int) -> [Double] {
            let rows = values[start..<start + window]
            guard normalized else { return Array(rows) }
            let mean = rows.reduce(0, +) / Double(window)
            let deviation = (rows.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(window)).squareRoot()
            return rows.map { deviation < 1e-7 ? 0 : ($0 - mean) / deviation }
        }
        let all = (0...values.count - window).map(subsequence)
        return values.indices.map { row in
            let start = row - window + 1
            guard start > window else { return nil }
            return all[..<(start - window)].map { other -> Double in
                zip(all[start], other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
            }.min()
        }
    }

    @Test(arguments: [0, 1], UInt64(0)..<4)
    func `distances are those of the definition`(normalize: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let window = 8
        var values = (0..<700).map { Double(($0 * 7) % 23) * 3 + Double.random(in: -1...1, using: &random) + 1000 }
        for row in 300..<330 { values[row] = 5 }
        for row in 500..<530 { values[row] = 9 }
        // The history holds everything: nothing is dropped.
        var parameters = DetectorParameters(MatrixProfile.parameters)
        try parameters.set("window = \(window), history = 5000, normalize = \(normalize), plain = 1")
        var profile = MatrixProfile(parameters, silence: 3 * window)
        let expected = expected(values, window: window, normalized: normalize == 1)
        for row in values.indices {
            let distance = profile.observe(Int64(row), values[row])
            if distance.isNaN { continue }
            let wanted = try #require(expected[row])
            #expect(abs(distance - wanted) < 1e-4 + 1e-6 * wanted, "seed \(seed), row \(row): \(distance), \(wanted)")
        }
    }

    @Test func `what the history no longer holds is far again, and rounding does not grow`() throws {
        var parameters = DetectorParameters(MatrixProfile.parameters)
        try parameters.set("window = 8, history = 64")
        var profile = MatrixProfile(parameters)
        // A pattern of period 50 with a bump that comes once in 400 rows, on a large level.
        var bumps: [Double] = []
        for row in 0..<20_000 {
            let value = 1e6 + Double(row % 50) + (row % 400 == 399 ? 100 : 0)
            let distance = profile.observe(Int64(row), value)
            if row % 400 == 399, row > 1000 { bumps.append(distance) }
            if row % 400 > 150, row % 400 < 399, row > 1000 { #expect(distance < 1e-3, "row \(row): \(distance)") }
        }
        #expect(bumps.allSatisfy { $0 > 90 })
    }

    @Test func `an odd shape is found where every value is common`() throws {
        let scorer = try DetectorRegistry.builtIn.scorer("matrix_profile", "normalize = 1, window = 16")
        var random = SeededGenerator(seed: 5)
        var alarms: [Int] = []
        for row in 0..<4000 {
            // A saw tooth, once turned over.
            let place = row % 20
            let value = (3000..<3020).contains(row) ? 19 - place : place
            let noisy = Double(value) + Double.random(in: -0.5...0.5, using: &random)
            if try scorer.score(Int64(row) * 1_000_000_000, noisy)?.isAlarm == true { alarms.append(row) }
        }
        #expect(alarms.contains { (3000..<3040).contains($0) }, "\(alarms)")
        #expect(alarms.filter { !(3000..<3040).contains($0) }.isEmpty, "\(alarms)")
    }

    /// A level between 10 and 20, and twice one of 0 to 5, in the same shape.
    @Test(arguments: ["matrix_profile", "memory"]) func `an anomaly does not hide the next one like it`(
        method: String
    ) throws {
        let scorer = try DetectorRegistry.builtIn.scorer(method)
        var random = SeededGenerator(seed: 11)
        var found = Set<Int>()
        for row in 0..<6000 {
            let event = [3000, 4000].firstIndex { row >= $0 && row < $0 + 40 }
            let value = event == nil ? 15 + LabelledSeries.normal(&random) : Double(row % 10) / 2
            if try scorer.score(Int64(row) * 300_000_000_000, value)?.isAnomaly == true, let event {
                found.insert(event)
            }
        }
        #expect(found == [0, 1])
    }
}
