import ArgumentParser
import Foundation
import Logging
import Martlet
import MartletModel
import MartletServer
import MartletWire
import Synchronization

struct ServeCommand: AsyncParsableCommand {
    /// Defaults for a kind of machine.
    enum Profile: String, ExpressibleByArgument, CaseIterable {
        case standard, edge

        var options: Database.Options { self == .edge ? .edge : Database.Options() }
    }

    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon: line protocol, wire protocol and HTTP over one data directory.",
        discussion: """
            SIGTERM or Ctrl-C ends it in good order: what was received is committed and answered first. A port of 0 \
            lets the system choose, `off` closes a port. Only this machine's own addresses can be bound, because this \
            version has no authentication.

            Durability: `commit` syncs before each acknowledgement; `interval:MS` syncs every so many milliseconds, and \
            a power cut loses at most what was acknowledged since; `none` leaves it to the operating system. The end \
            of the process, however hard, loses nothing in any setting.
            """)

    @Option(name: .long, help: "The data directory; made if it does not exist.", completion: .directory)
    var data = "martlet-data"

    @Option(name: .long, help: "The address to bind.")
    var bind = "127.0.0.1"

    @Option(name: .long, help: "The port of line protocol.")
    var linePort = "9009"

    @Option(name: .long, help: "The port of the wire protocol.")
    var wirePort = "9010"

    @Option(name: .long, help: "The port of HTTP.")
    var httpPort = "8086"

    @Option(
        name: .long,
        help:
            "standard, or edge for a machine with 1 GiB of memory and a slow card: defaults that other options override."
    )
    var profile = Profile.standard

    @Option(name: .long, help: "commit, interval:MS or none. (default: commit; edge: interval:1000)")
    var durability: String?

    @Option(
        name: .long,
        help: "The memory of head, caches, merges and queries together. (default: 256MiB; edge: 128MiB)")
    var memory: String?

    @Option(name: .long, help: "The most series in a namespace; rows of further ones are refused.")
    var seriesLimit = 1_000_000

    @Option(name: .long, help: "The longest line of line protocol in bytes.")
    var maxLine = 65_536

    @Option(name: .long, help: "Seconds that a new connection to the line-protocol port may stay silent.")
    var helloTimeout = 60

    @Option(name: .long, help: "Seconds that a connection to the line-protocol or wire port may stay silent later on.")
    var idleTimeout = 600

    @Option(name: .long, help: "Connections to the line-protocol port at once.")
    var connections = 1_024

    @Option(name: .long, help: "Connections to the line-protocol port at once from one address.")
    var connectionsPerAddress = 256

    @Option(name: .long, help: "Seconds between runs of retention policies; 0 leaves them to RUN RETENTION.")
    var retentionInterval = 300

    @Option(
        name: .long, help: "What runs of retention read a second at most, such as 4MiB. (default: no limit; edge: 4MiB)"
    )
    var retentionRate: String?

    @Option(name: .long, help: "The longest that a query may run in seconds; 0 for no limit.")
    var queryTimeout = 60.0

    @Option(
        name: .long, help: "The directory that EXPORT may write below; without it, EXPORT to a path is refused.",
        completion: .directory)
    var exportDir: String?

    @Option(
        name: .long,
        help: "A command that is run for each alert that fires or is resolved, which it reads as JSON lines.")
    var alertCommand: String?

    @Option(name: .long, help: "A file to write the process id to; removed at the end.", completion: .file())
    var pidFile: String?

    @Option(name: .long, help: "How much is logged: debug, info, notice, warning or error.")
    var logLevel = "info"

    func validate() throws {
        _ = try configuration()
        _ = try options()
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level must be debug, info, notice, warning or error, not \(logLevel).")
        }
    }

    /// The ports' settings.
    func configuration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        func port(_ text: String, _ option: String) throws -> Int? {
            if text == "off" { return nil }
            guard let number = Int(text), (0...65_535).contains(number) else {
                throw ValidationError("\(option) must be a port, 0 or `off`, not \(text).")
            }
            return number
        }
        let (line, wire, http) = (
            try port(linePort, "--line-port"), try port(wirePort, "--wire-port"), try port(httpPort, "--http-port")
        )
        configuration.lineProtocol.isEnabled = line != nil
        configuration.lineProtocol.host = bind
        configuration.lineProtocol.port = line ?? 0
        configuration.lineProtocol.maximumLineLength = maxLine
        configuration.lineProtocol.firstLineTimeout = .seconds(helloTimeout)
        configuration.lineProtocol.idleTimeout = .seconds(idleTimeout)
        configuration.lineProtocol.maximumConnections = connections
        configuration.lineProtocol.maximumConnectionsPerAddress = connectionsPerAddress
        configuration.wire.idleTimeout = .seconds(idleTimeout)
        for (value, option) in [
            (helloTimeout, "--hello-timeout"), (idleTimeout, "--idle-timeout"), (connections, "--connections"),
            (connectionsPerAddress, "--connections-per-address"),
        ] where value < 1 {
            throw ValidationError("\(option) must be positive.")
        }
        configuration.wire.isEnabled = wire != nil
        configuration.wire.host = bind
        configuration.wire.port = wire ?? 0
        configuration.http.isEnabled = http != nil
        configuration.http.host = bind
        configuration.http.port = http ?? 0
        configuration.http.maximumLineLength = maxLine
        do {
            try configuration.validate()
        } catch {
            throw ValidationError(error.description)
        }
        return configuration
    }

    /// The database's settings.
    func options() throws -> Database.Options {
        var options = profile.options
        if let durability { options.durability = try Self.durability(durability) }
        if let memory { options.memoryLimit = try Self.bytes(memory) }
        if let retentionRate {
            options.retentionBytesPerSecond = try Self.bytes(retentionRate, option: "--retention-rate")
        }
        options.seriesLimit = seriesLimit
        options.queryTimeout = queryTimeout == 0 ? nil : queryTimeout
        options.retentionInterval = retentionInterval == 0 ? nil : retentionInterval
        guard retentionInterval >= 0 else { throw ValidationError("--retention-interval must not be negative.") }
        options.exports =
            exportDir.map { .below($0) } ?? .nowhere(reason: "the daemon was started without --export-dir")
        guard alertCommand != "" else { throw ValidationError("--alert-command must not be empty.") }
        guard exportDir != "" else { throw ValidationError("--export-dir must not be empty.") }
        guard options.memoryLimit >= 16 << 20 else { throw ValidationError("--memory must be at least 16MiB.") }
        guard seriesLimit > 0 else { throw ValidationError("--series-limit must be positive.") }
        guard queryTimeout >= 0 else { throw ValidationError("--query-timeout must not be negative.") }
        return options
    }

    static func durability(_ text: String) throws -> Database.Durability {
        if text == "commit" { return .commit }
        if text == "none" { return .none }
        let parts = text.split(separator: ":")
        guard parts.count == 2, parts[0] == "interval", let milliseconds = Int(parts[1]), milliseconds > 0 else {
            throw ValidationError("--durability must be commit, interval:MILLISECONDS or none, not \(text).")
        }
        return .interval(milliseconds: milliseconds)
    }

    /// A size such as `64MiB`, `1G` or `1000000`; k, M and G count in powers of 1,024.
    static func bytes(_ text: String, option: String = "--memory") throws -> Int {
        guard let bytes = ByteSize.parse(text) else {
            throw ValidationError("\(option) must be a size such as 256MiB or 1GiB, not \(text).")
        }
        return bytes
    }

    func run() async throws {
        HeapPolicy.apply()
        var logger = Logger(label: "martlet") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        // Watched before anything is opened, so that no signal finds the daemon half awake.
        let stop = StopSignals()
        let database: Database
        let acknowledgesDurably: Bool
        do throws(MartletError) {
            var options = try databaseOptions()
            acknowledgesDurably = options.durability == .commit
            logger.info(
                "opening",
                metadata: [
                    "data": "\(data)", "profile": "\(profile.rawValue)", "durability": "\(options.durability)",
                    "memory": "\(ByteSize.text(options.memoryLimit))",
                ])
            options.notifiers.append(LogNotifier(logger))
            if let alertCommand { options.notifiers.append(CommandNotifier(alertCommand)) }
            database = try Database.open(at: data, options: options)
            try database.startStreams()
        } catch {
            throw CommandFailure(error, status: .cannotConnect)
        }
        let backend = EngineBackend(
            directory: database.namespaceDirectory, queries: database.queries, memory: database.engine.memory,
            acknowledgesDurably: acknowledgesDurably, storage: database.engine)
        let service = try MartletService(backend: backend, configuration: try configuration(), logger: logger)
        do {
            let addresses = try await service.start()
            try writeProcessID()
            logger.info(
                "ready",
                metadata: [
                    "line": "\(addresses.lineProtocol?.port.map(String.init) ?? "off")",
                    "wire": "\(addresses.wire?.port.map(String.init) ?? "off")",
                    "http": "\(addresses.http?.port.map(String.init) ?? "off")", "version": "\(Version.current)",
                ])
            let signal = await stop.wait()
            logger.info("stopping", metadata: ["signal": "\(signal)"])
            await service.shutdown()
        } catch {
            await service.shutdown()
            try database.close()
            throw error
        }
        try database.close()
        removeProcessID()
        logger.info("stopped")
    }

    private func databaseOptions() throws(MartletError) -> Database.Options {
        do { return try options() } catch { throw MartletError(.invalidArgument, "\(error)") }
    }

    private func writeProcessID() throws {
        guard let pidFile else { return }
        do {
            try "\(ProcessInfo.processInfo.processIdentifier)\n"
                .write(toFile: pidFile, atomically: true, encoding: .utf8)
        } catch {
            throw CommandFailure("cannot write \(pidFile): \(error.localizedDescription)")
        }
    }

    /// Removes the file if it still names this process.
    private func removeProcessID() {
        guard let pidFile, let text = try? String(contentsOfFile: pidFile, encoding: .utf8),
            text == "\(ProcessInfo.processInfo.processIdentifier)\n"
        else { return }
        unlink(pidFile)
    }
}

/// Waits for SIGTERM or SIGINT. A second signal ends the process at once.
final class StopSignals: Sendable {
    private struct State {
        var received: String?
        var waiter: CheckedContinuation<String, Never>?
    }

    // Touched in `init` only, then merely kept alive.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]
    private let shared: Shared

    private final class Shared: Sendable {
        let state = Mutex(State())

        func receive(_ name: String) {
            let (waiter, isSecond) = state.withLock { state in
                defer {
                    state.waiter = nil
                    state.received = name
                }
                return (state.waiter, state.received != nil)
            }
            if isSecond { exit(ExitStatus.interrupted.rawValue) }
            waiter?.resume(returning: name)
        }
    }

    init() {
        let shared = Shared()
        self.shared = shared
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { shared.receive(name) }
            source.resume()
            return source
        }
    }

    /// Whether a signal has come.
    var hasCome: Bool { shared.state.withLock { $0.received != nil } }

    /// The name of the signal that came or comes first.
    func wait() async -> String {
        await withCheckedContinuation { continuation in
            let received = shared.state.withLock { state in
                if state.received == nil { state.waiter = continuation }
                return state.received
            }
            if let received { continuation.resume(returning: received) }
        }
    }
}
