import MartletModel

/// The command line of the suite.
struct Options {
    enum Command: String { case suite, generate, streams }

    static let usage = """
        MartletBench [suite] [--hosts 100] [--points 10000] [--json FILE]
        MartletBench streams [--hosts 1000] [--points 60] [--methods zscore,auto]
        MartletBench generate --form lines|csv --out FILE [--hosts 100] [--points 10000]
        """

    var command = Command.suite
    var hosts = 100
    var points = 10_000
    var form = "lines"
    var out: String?
    var json: String?
    var methods = ["zscore", "robust_z", "spike", "seasonal", "isolation_forest", "auto"]

    init(_ arguments: ArraySlice<String>) throws(MartletError) {
        var rest = arguments
        if let first = rest.first, let command = Command(rawValue: first) {
            self.command = command
            rest.removeFirst()
            if command == .streams { (hosts, points) = (1000, 60) }
        }
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Self.error("\(name) needs a value") }
            switch name {
            case "--hosts": hosts = try Self.positive(value, name)
            case "--points": points = try Self.positive(value, name)
            case "--form":
                guard value == "lines" || value == "csv" else { throw Self.error("--form is lines or csv") }
                form = value
            case "--out": out = value
            case "--json": json = value
            case "--methods": methods = value.split(separator: ",").map(String.init)
            default: throw Self.error("unknown option \(name)")
            }
        }
    }

    private static func positive(_ text: String, _ name: String) throws(MartletError) -> Int {
        guard let number = Int(text), number > 0 else { throw error("\(name) takes a positive number, not \(text)") }
        return number
    }

    private static func error(_ message: String) -> MartletError {
        MartletError(.invalidArgument, message, hint: usage)
    }
}
