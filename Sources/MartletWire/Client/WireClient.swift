import MartletModel
import NIOCore
import NIOPosix
import Synchronization

/// A connection to a daemon's wire port.
///
/// Safe to use from several tasks; several requests may be under way at once, up to `server.maximumRequests`.
public final class WireClient: Sendable {
    /// How to connect.
    public struct Configuration: Sendable {
        /// The longest that connecting and the greeting may take.
        public var connectTimeout: Duration
        /// The largest answer frame that is accepted, in bytes.
        public var maximumBody: Int
        /// Compression that the client offers; the server decides. Empty, the default, suits the same machine.
        public var features: WireFeatures
        /// Batches of one query that may be waiting to be read before the server pauses.
        public var credit: Int
        /// The program's name, for the server's log.
        public var software: String

        /// How to connect.
        public init(
            connectTimeout: Duration = .seconds(10), maximumBody: Int = WireProtocol.defaultMaximumBody,
            features: WireFeatures = [], credit: Int = 8, software: String = "martlet-swift"
        ) {
            precondition(maximumBody >= WireProtocol.smallestMaximumBody && credit > 0, "impossible configuration")
            self.connectTimeout = connectTimeout
            self.maximumBody = maximumBody
            self.features = features
            self.credit = credit
            self.software = software
        }
    }

    /// What the server said of itself.
    public struct Server: Sendable, Hashable {
        /// Name and version of its software.
        public let software: String
        /// The protocol version that the connection speaks.
        public let version: UInt16
        /// The largest frame body that it accepts, in bytes.
        public let maximumBody: Int
        /// Requests that may be open at once.
        public let maximumRequests: Int
        /// Compression that both sides have.
        public let features: WireFeatures
    }

    /// Limits of one query; `nil` means the server's own.
    public struct QueryLimits: Sendable {
        /// The longest it may run.
        public var timeout: Duration?
        /// The most memory it may use, in bytes.
        public var memory: Int?
        /// The most rows it may return.
        public var rows: Int?

        /// Limits of one query.
        public init(timeout: Duration? = nil, memory: Int? = nil, rows: Int? = nil) {
            self.timeout = timeout
            self.memory = memory
            self.rows = rows
        }
    }

    /// What the server said of itself.
    public let server: Server
    private let connection: ClientConnection
    private let credit: Int

    private init(connection: ClientConnection, server: Server, credit: Int) {
        self.connection = connection
        self.server = server
        self.credit = credit
    }

    /// Connects and greets.
    ///
    /// - Throws: `.io` when nothing answers there, `.timeout`, `.unsupportedVersion`, `.protocolViolation` when what
    ///   answers is no Martlet daemon.
    public static func connect(
        host: String = "127.0.0.1", port: Int = WireProtocol.defaultPort, configuration: Configuration = .init()
    ) async throws(MartletError) -> WireClient {
        let connection = ClientConnection()
        let maximumBody = configuration.maximumBody
        let timeout = TimeAmount.nanoseconds(configuration.connectTimeout.nanoseconds)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(timeout)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(
                                FrameDecoder(maximumBody: maximumBody),
                                maximumBufferSize: FrameDecoder.maximumBufferSize(forBody: maximumBody) + (1 << 20)),
                            ClientHandler(connection: connection))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            throw MartletError(
                .io, "cannot connect to \(host):\(port): \(ClientConnection.reason(error))",
                hint: "is the daemon running there? `martlet serve` starts one")
        }
        connection.open(channel, maximumBody: WireProtocol.smallestMaximumBody)
        let expiry = channel.eventLoop.scheduleTask(in: timeout) {
            connection.fail(MartletError(.timeout, "\(host):\(port) did not greet in time"))
        }
        defer { expiry.cancel() }
        let hello = Greeting(
            features: configuration.features, maximumBody: UInt32(clamping: maximumBody),
            software: configuration.software)
        do throws(MartletError) {
            let answer = try await connection.request(.hello(hello), id: 0)
            guard case .welcome(let welcome) = answer else {
                throw MartletError(.protocolViolation, "\(host):\(port) answered the hello with something else")
            }
            let compression = welcome.features.preferred(configuration.features)
            connection.open(channel, maximumBody: Int(welcome.maximumBody), compression: compression)
            let server = Server(
                software: welcome.software, version: welcome.newestVersion, maximumBody: Int(welcome.maximumBody),
                maximumRequests: Int(welcome.maximumRequests), features: welcome.features)
            return WireClient(connection: connection, server: server, credit: configuration.credit)
        } catch {
            connection.fail(error)
            throw error
        }
    }

    /// Appends rows: for each table one `.time` column, `.tag` columns or one `.series` column, and `.field` columns.
    ///
    /// Returns when the server has acknowledged; rows that it refused are in the receipt, the others were kept.
    /// - Throws: `.notFound` for an unknown namespace, `.outOfRange` where the rows exceed one frame
    ///   (`server.maximumBody`), and whatever the server answers. After `.closed` or `.io` the rows may or may not be
    ///   stored; writing them again is harmless.
    public func append(
        _ batches: [TableBatch], namespace: String = "default", durability: WireDurability = .serverDefault
    ) async throws(MartletError) -> WireReceipt {
        let request = AppendRequest(namespace: namespace, durability: durability, batches: batches)
        guard case .appended(let receipt) = try await connection.request(.append(request)) else {
            throw ClientConnection.unexpectedAnswer
        }
        return receipt
    }

    /// Runs one SQL statement and returns once its columns are known.
    ///
    /// Cancelling the task cancels the query, and so does letting go of the result before its end.
    /// - Throws: what the server answers: `.syntax`, `.semantic` with a place, `.timeout` and the like.
    public func query(
        _ sql: String, namespace: String = "default", limits: QueryLimits = .init()
    ) async throws(MartletError) -> WireResult {
        let request = QueryRequest(
            namespace: namespace, sql: sql,
            timeout: limits.timeout.map { UInt64(max(1, $0.nanoseconds / 1_000_000)) } ?? 0,
            memoryLimit: UInt64(limits.memory ?? 0), maximumRows: UInt64(limits.rows ?? 0), credit: UInt32(credit))
        let stream = ResultStream(connection: connection, credit: credit)
        try await connection.start(request, stream)
        return WireResult(stream)
    }

    /// Asks whether the server answers; returns the time that it took.
    public func ping() async throws(MartletError) -> Duration {
        let start = ContinuousClock.now
        guard case .pong = try await connection.request(.ping([])) else { throw ClientConnection.unexpectedAnswer }
        return ContinuousClock.now - start
    }

    /// Closes the connection; open requests end with `.closed`.
    public func close() async {
        await connection.close()
    }

    deinit { connection.fail(MartletError(.closed, "the connection was let go")) }
}

extension Duration {
    /// The duration in nanoseconds, within the bounds of `Int64`.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : product + attoseconds / 1_000_000_000
    }
}
