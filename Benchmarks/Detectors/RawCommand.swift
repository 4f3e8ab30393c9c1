import MartletDetectors

/// Raw scores of a detector, without calibration.
struct RawCommand {
    /// Prints the raw score of each row, a second apart.
    static func run(_ method: String, _ parameters: String, _ path: String) throws {
        let rows = try Rows.read(path)
        let parameters = try DetectorRegistry.builtIn.parameters(of: method, parameters)
        let detector = try DetectorRegistry.builtIn.method(method).make(parameters, rows.first?.count ?? 1)
        for (index, row) in rows.enumerated() { print(detector.observe(Int64(index) * 1_000_000_000, row)) }
    }
}
