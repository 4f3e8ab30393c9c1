import Logging
import MartletModel
import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// Listens on the wire port and serves its connections; see format-spec/wire-protocol.md.
package final class WireListener: Sendable {
    private struct State {
        var server: (any Channel)?
        var sessions: [ObjectIdentifier: WireSession] = [:]
        var isStopping = false
    }

    private let configuration: WireConfiguration
    private let backend: any WireBackend
    private let logger: Logger
    private let group: any EventLoopGroup
    private let clock: any Clock
    private let pool: NIOThreadPool
    private let meter = WireMeter()
    private let state = Mutex(State())

    package init(
        configuration: WireConfiguration = .init(), backend: any WireBackend, logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, clock: any Clock = SystemClock()
    ) {
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
        self.group = group
        self.clock = clock
        pool = NIOThreadPool(numberOfThreads: configuration.queryThreads)
    }

    /// The listener's figures as they stand.
    package var figures: WireFigures { meter.current }

    /// Binds the port; returns the address that it got.
    ///
    /// - Throws: `.io` when the address cannot be bound.
    package func start() async throws(MartletError) -> SocketAddress {
        pool.start()
        do {
            let bootstrap = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 4)
                .childChannelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture { try accept(channel) }
                }
            let server = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
            state.withLock { $0.server = server }
            guard let address = server.localAddress else {
                throw MartletError(.io, "the wire port has no address")
            }
            return address
        } catch {
            // The pool has run nothing yet; whatever its end reports does not matter beside the error below.
            try? await pool.shutdownGracefully()
            throw error as? MartletError
                ?? MartletError(
                    .io, "cannot listen on \(configuration.host):\(configuration.port) for the wire protocol: \(error)",
                    hint: "another process may have the port; choose one with --wire-port")
        }
    }

    private func accept(_ channel: any Channel) throws {
        let session = WireSession(
            channel: channel, backend: backend, configuration: configuration, pool: pool, meter: meter, clock: clock)
        let key = ObjectIdentifier(session)
        let problem = state.withLock { state -> MartletError? in
            if state.isStopping { return MartletError(.closed, "the server is shutting down") }
            guard state.sessions.count < configuration.maximumConnections else {
                return MartletError(
                    .resourceExhausted, "\(configuration.maximumConnections) connections are open, which is the limit")
            }
            state.sessions[key] = session
            return nil
        }
        if let problem {
            session.end(problem)
            return
        }
        meter.add {
            $0.connections += 1
            $0.openConnections += 1
        }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { _ = $0.sessions.removeValue(forKey: key) }
            meter.add { $0.openConnections -= 1 }
        }
        try channel.pipeline.syncOperations.addHandlers([
            IdleStateHandler(allTimeout: .nanoseconds(configuration.idleTimeout)),
            ByteToMessageHandler(
                FrameDecoder(maximumBody: configuration.maximumBody),
                maximumBufferSize: FrameDecoder.maximumBufferSize(forBody: configuration.maximumBody) + (1 << 20)),
            WireHandler(session: session, logger: logger),
        ])
    }

    /// Stops accepting, lets open requests end within the grace time, closes the connections.
    package func shutdown() async {
        let (server, sessions) = state.withLock { state in
            state.isStopping = true
            defer { state.server = nil }
            return (state.server, Array(state.sessions.values))
        }
        // Closing a listening socket fails only when it is closed already.
        try? await server?.close()
        for session in sessions { session.drain() }
        let deadline = clock.monotonicNanoseconds() + configuration.shutdownGrace
        while sessions.contains(where: { $0.openRequests > 0 }), clock.monotonicNanoseconds() < deadline {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
        }
        for session in sessions {
            session.close()
            // The outcome of closing a socket that is given up changes nothing.
            try? await session.closeChannel().get()
        }
        // Every session is closed, so no step is queued that would be lost.
        try? await pool.shutdownGracefully()
    }
}
