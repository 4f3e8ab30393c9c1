import Logging
import MartletModel
import NIOCore
import NIOPosix
import Synchronization

/// Listens on the line-protocol port and serves its connections; see format-spec/line-protocol.md.
package final class LineListener: Listener {
    package let name = "line protocol"

    private struct Connection {
        var address: String
        var handler: NIOLoopBound<LineConnection>
        var ended: EventLoopFuture<Void>
    }

    private struct State {
        var server: (any Channel)?
        var connections: [ObjectIdentifier: Connection] = [:]
        var perAddress: [String: Int] = [:]
        var isStopping = false
    }

    private let settings: ServerConfiguration.LineProtocolSettings
    private let backend: any ServerBackend
    private let logger: Logger
    private let group: any EventLoopGroup
    private let meter = LineMeter()
    private let state = Mutex(State())

    package init(
        settings: ServerConfiguration.LineProtocolSettings = .init(), backend: any ServerBackend, logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.settings = settings
        self.backend = backend
        self.logger = logger
        self.group = group
    }

    package var figures: [Figure] { meter.figures }

    package func start() async throws -> SocketAddress {
        do {
            let server = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(
                    .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: settings.readSize)
                )
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture { try accept(channel) }
                }
                .bind(host: settings.host, port: settings.port).get()
            state.withLock { $0.server = server }
            guard let address = server.localAddress else {
                throw MartletError(.io, "the line-protocol port has no address")
            }
            return address
        } catch {
            throw error as? MartletError
                ?? MartletError(
                    .io, "cannot listen on \(settings.host):\(settings.port) for line protocol: \(error)",
                    hint: "another process may have the port; choose one with --line-port")
        }
    }

    private func accept(_ channel: any Channel) throws {
        let address = channel.remoteAddress?.ipAddress ?? "unknown"
        let ended = channel.eventLoop.makePromise(of: Void.self)
        let connection = LineConnection(
            eventLoop: channel.eventLoop, settings: settings, backend: backend, meter: meter, logger: logger,
            ended: ended)
        let key = ObjectIdentifier(connection)
        let entry = Connection(
            address: address, handler: NIOLoopBound(connection, eventLoop: channel.eventLoop), ended: ended.futureResult
        )
        let problem = state.withLock { state -> String? in
            if state.isStopping { return "the server is shutting down" }
            if state.connections.count >= settings.maximumConnections {
                return "\(settings.maximumConnections) connections are open, which is the limit"
            }
            let fromAddress = state.perAddress[address, default: 0]
            if fromAddress >= settings.maximumConnectionsPerAddress {
                return "\(fromAddress) connections from \(address) are open, which is the limit"
            }
            state.connections[key] = entry
            state.perAddress[address] = fromAddress + 1
            return nil
        }
        if let problem {
            ended.succeed()
            meter.refusedConnections.add()
            channel.writeAndFlush(ByteBuffer(string: "ERR 0:0 \(problem)\n")).whenComplete { _ in
                channel.close(promise: nil)
            }
            return
        }
        meter.connections.add()
        meter.openConnections.add()
        ended.futureResult.whenComplete { [self] _ in
            meter.openConnections.add(-1)
            state.withLock { state in
                guard let gone = state.connections.removeValue(forKey: key) else { return }
                let left = state.perAddress[gone.address, default: 1] - 1
                state.perAddress[gone.address] = left == 0 ? nil : left
            }
        }
        try channel.pipeline.syncOperations.addHandler(connection)
    }

    package func shutdown(grace: Duration) async {
        let (server, connections) = state.withLock { state in
            state.isStopping = true
            defer { state.server = nil }
            return (state.server, Array(state.connections.values))
        }
        do { try await server?.close() } catch {
            logger.debug("the line-protocol port was closed already", metadata: ["error": "\(error)"])
        }
        for connection in connections {
            connection.ended.eventLoop.execute { connection.handler.value.shutdown() }
        }
        // Connections end on their own once their commits are through; the rest is closed when the process ends.
        let loop = group.next()
        let all = EventLoopFuture.andAllComplete(connections.map(\.ended), on: loop)
        let timeout = loop.makePromise(of: Void.self)
        let limit = loop.scheduleTask(in: .nanoseconds(Int64(grace / .nanoseconds(1)))) { timeout.succeed() }
        all.whenComplete { _ in
            limit.cancel()
            timeout.succeed()
        }
        do { try await timeout.futureResult.get() } catch { logger.debug("\(error)") }
    }
}
