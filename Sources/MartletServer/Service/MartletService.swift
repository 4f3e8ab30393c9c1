import Logging
import MartletModel
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The ports of one database: line protocol, the wire protocol and HTTP, opened and closed together.
///
/// Run it in a `ServiceGroup`, which hands the signals of the process on, or call `start` and `shutdown`. The database
/// stays open; whoever opened it closes it afterwards.
public final class MartletService: Service {
    /// Where the ports are, once they are open.
    public struct Addresses: Sendable, Hashable {
        /// The line-protocol port, if it is enabled.
        public var lineProtocol: SocketAddress?
        /// The wire-protocol port, if it is enabled.
        public var wire: SocketAddress?
        /// The HTTP port, if it is enabled.
        public var http: SocketAddress?
    }

    private struct State {
        var started: [any Listener] = []
        var addresses = Addresses()
    }

    private let configuration: ServerConfiguration
    private let logger: Logger
    private let line: LineListener?
    private let wire: WirePort?
    private let http: HTTPListener?
    private let state = Mutex(State())

    /// The ports of `backend`.
    ///
    /// - Throws: `.invalidArgument`; see `ServerConfiguration.validate`.
    package init(
        backend: some ServerBackend & WireBackend, configuration: ServerConfiguration, logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) throws(MartletError) {
        try configuration.validate()
        self.configuration = configuration
        self.logger = logger
        line =
            configuration.lineProtocol.isEnabled
            ? LineListener(settings: configuration.lineProtocol, backend: backend, logger: logger, group: group) : nil
        if configuration.wire.isEnabled {
            var settings = WireConfiguration()
            settings.host = configuration.wire.host
            settings.port = configuration.wire.port
            settings.maximumConnections = configuration.wire.maximumConnections
            settings.queryThreads = configuration.wire.queryThreads
            settings.idleTimeout = Int64(configuration.wire.idleTimeout / .nanoseconds(1))
            settings.shutdownGrace = Int64(configuration.shutdownGrace / .nanoseconds(1))
            wire = WirePort(WireListener(configuration: settings, backend: backend, logger: logger, group: group))
        } else {
            wire = nil
        }
        let others: [any Listener] = [line as (any Listener)?, wire].compactMap(\.self)
        http =
            configuration.http.isEnabled
            ? HTTPListener(
                settings: configuration.http, backend: backend, logger: logger, group: group,
                otherFigures: { others.flatMap(\.figures) }) : nil
    }

    /// Where the ports are: all `nil` before `start` returned.
    public var addresses: Addresses { state.withLock { $0.addresses } }

    /// Opens the ports.
    ///
    /// - Throws: `MartletError` of code `.io` when a port cannot be bound; those opened before are closed again.
    @discardableResult public func start() async throws -> Addresses {
        do {
            var addresses = Addresses()
            addresses.lineProtocol = try await open(line)
            addresses.wire = try await open(wire)
            addresses.http = try await open(http)
            state.withLock { [addresses] in $0.addresses = addresses }
            return addresses
        } catch {
            await shutdown()
            throw error
        }
    }

    private func open(_ listener: (some Listener)?) async throws -> SocketAddress? {
        guard let listener else { return nil }
        let address = try await listener.start()
        state.withLock { $0.started.append(listener) }
        logger.info("listening", metadata: ["protocol": "\(listener.name)", "address": "\(address)"])
        return address
    }

    /// Closes the ports: what was read is committed and answered first, within `ServerConfiguration.shutdownGrace`.
    public func shutdown() async {
        let started = state.withLock { state in
            defer { state.started = [] }
            return state.started
        }
        await withTaskGroup(of: Void.self) { [configuration] group in
            for listener in started { group.addTask { await listener.shutdown(grace: configuration.shutdownGrace) } }
        }
    }

    /// Opens the ports and keeps them open until a graceful shutdown is asked for.
    public func run() async throws {
        try await start()
        // A cancelled task ends the wait as well; the ports are closed either way.
        do { try await gracefulShutdown() } catch { logger.debug("cancelled", metadata: ["error": "\(error)"]) }
        await shutdown()
    }
}
