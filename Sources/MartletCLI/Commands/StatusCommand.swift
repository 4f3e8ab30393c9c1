import ArgumentParser
import MartletModel
import MartletWire

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Tell whether a daemon is up, and how it is doing.",
        discussion: "Exit status: 0 it answers and can be asked; 1 it answers with an error; 3 it does not answer.")

    @Option(name: .long, help: "The daemon's address.")
    var host = "127.0.0.1"

    @Option(name: .long, help: "The daemon's wire port.")
    var port = WireProtocol.defaultPort

    func run() async throws {
        let target = try await DaemonTarget.connect(host: host, port: port)
        let client = target.client
        do throws(MartletError) {
            let time = try await client.ping()
            let seconds = Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
            var lines = [
                "\(client.server.software) answers at \(host):\(port) in \(Figures.duration(seconds))",
                "wire protocol version \(client.server.version)",
            ]
            for row in try await target.rows("SHOW NAMESPACES", namespace: "default") {
                guard case .string(let name)? = row.first ?? nil else { continue }
                let tables = try await target.rows("SHOW TABLES", namespace: name)
                lines.append("namespace \(name): \(tables.count) \(tables.count == 1 ? "table" : "tables")")
            }
            Terminal.write(lines.joined(separator: "\n") + "\n")
            try await target.close()
        } catch {
            throw CommandFailure(error)
        }
    }
}
