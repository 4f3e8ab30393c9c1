import ArgumentParser
import MartletWire

/// Which data a command works on.
struct ConnectionOptions: ParsableArguments {
    @Option(name: .long, help: "Work on this data directory instead of a running daemon.", completion: .directory)
    var data: String?

    @Option(name: .long, help: "The daemon's address.")
    var host = "127.0.0.1"

    @Option(name: .long, help: "The daemon's wire port.")
    var port = WireProtocol.defaultPort

    @Option(name: .long, help: "The namespace.")
    var namespace = "default"

    func validate() throws {
        guard (1...65535).contains(port) else { throw ValidationError("--port must be between 1 and 65535.") }
    }

    /// Opens what the options name.
    ///
    /// - Parameter making: whether a data directory that does not exist is made.
    /// - Throws: `CommandFailure` of status `.cannotConnect`.
    func open(making: Bool = false) async throws -> any StatementTarget {
        if let data { return try DirectoryTarget.open(data, making: making) }
        return try await DaemonTarget.connect(host: host, port: port)
    }
}
