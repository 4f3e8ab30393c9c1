import MartletModel
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The client's end of a connection: which requests are open and who waits for their answers.
final class ClientConnection: Sendable {
    private enum Waiter {
        case reply(CheckedContinuation<Result<Message, MartletError>, Never>)
        case stream(ResultStream)
    }

    private struct State {
        var channel: (any Channel)?
        var maximumBody = WireProtocol.smallestMaximumBody
        var compression: WireCompression?
        var waiters: [UInt32: Waiter] = [:]
        var nextID: UInt32 = 1
        var failure: MartletError?
    }

    static let unexpectedAnswer = MartletError(.protocolViolation, "the server's answer does not fit the request")
    private let state = Mutex(State())

    /// Takes the channel into use, or changes what the peer can take.
    func open(_ channel: any Channel, maximumBody: Int, compression: WireCompression? = nil) {
        state.withLock {
            $0.channel = channel
            $0.maximumBody = maximumBody
            $0.compression = compression
        }
    }

    /// Sends a request and waits for its one answer.
    func request(_ message: Message, id: UInt32? = nil) async throws(MartletError) -> Message {
        let frame = try prepare(message, id: id)
        let result = await withCheckedContinuation { continuation in
            register(.reply(continuation), frame)
        }
        return try result.get()
    }

    /// Sends a query; `stream` receives its answers. Returns when the schema has come.
    func start(_ request: QueryRequest, _ stream: ResultStream) async throws(MartletError) {
        let frame = try prepare(.query(request), id: nil)
        stream.begin(id: frame.id)
        register(.stream(stream), frame)
        try await stream.waitForSchema()
    }

    /// Sends a frame that has no answer of its own.
    func send(_ message: Message, id: UInt32) {
        guard let channel = state.withLock({ $0.channel }) else { return }
        // Credit and cancel always fit; a failed write ends the connection, whose waiters then hear of it.
        if let buffer = try? FrameCodec.byteBuffer(message, requestID: id, maximumBody: .max) {
            channel.writeAndFlush(buffer, promise: nil)
        }
    }

    private func prepare(_ message: Message, id: UInt32?) throws(MartletError) -> (id: UInt32, buffer: ByteBuffer) {
        let settings = state.withLock { state in
            var chosen = state.nextID
            if id == nil {
                while chosen == 0 || state.waiters[chosen] != nil { chosen &+= 1 }
                state.nextID = chosen &+ 1
            }
            return (id: id ?? chosen, maximumBody: state.maximumBody, compression: state.compression)
        }
        let buffer = try FrameCodec.byteBuffer(
            message, requestID: settings.id, compression: settings.compression, maximumBody: settings.maximumBody)
        return (settings.id, buffer)
    }

    private func register(_ waiter: Waiter, _ frame: (id: UInt32, buffer: ByteBuffer)) {
        let (channel, failure) = state.withLock { state -> ((any Channel)?, MartletError?) in
            if let failure = state.failure { return (nil, failure) }
            state.waiters[frame.id] = waiter
            return (state.channel, nil)
        }
        if let failure {
            Self.end(waiter, failure)
        } else {
            channel?.writeAndFlush(frame.buffer, promise: nil)
        }
    }

    /// Hands an answer to whoever waits for it.
    func receive(_ frame: IncomingFrame) {
        switch frame.message {
        case .error(let error) where frame.requestID == 0 && !isWaiting(0): fail(error)
        case .ping(let payload): send(.pong(payload), id: frame.requestID)
        case .schema, .rows:
            let waiter = state.withLock { $0.waiters[frame.requestID] }
            guard case .stream(let stream)? = waiter else { return fail(Self.unexpectedAnswer) }
            stream.receive(frame.message)
        default:
            switch state.withLock({ $0.waiters.removeValue(forKey: frame.requestID) }) {
            case .stream(let stream)?: stream.receive(frame.message)
            case .reply(let continuation)?:
                if case .error(let error) = frame.message {
                    continuation.resume(returning: .failure(error))
                } else {
                    continuation.resume(returning: .success(frame.message))
                }
            case nil: fail(Self.unexpectedAnswer)
            }
        }
    }

    private func isWaiting(_ id: UInt32) -> Bool { state.withLock { $0.waiters[id] != nil } }

    /// Ends everything that waits, and the connection.
    func fail(_ error: MartletError) {
        let (channel, waiters) = state.withLock { state in
            if state.failure == nil { state.failure = error }
            defer {
                state.channel = nil
                state.waiters = [:]
            }
            return (state.channel, Array(state.waiters.values))
        }
        for waiter in waiters { Self.end(waiter, error) }
        channel?.close(promise: nil)
    }

    /// Closes in good order.
    func close() async {
        let channel = state.withLock { $0.channel }
        fail(MartletError(.closed, "the connection is closed"))
        // The outcome of closing a socket that is given up changes nothing.
        try? await channel?.closeFuture.get()
    }

    private static func end(_ waiter: Waiter, _ error: MartletError) {
        switch waiter {
        case .reply(let continuation): continuation.resume(returning: .failure(error))
        case .stream(let stream): stream.fail(error)
        }
    }

    /// A short reason out of what NIO throws.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as MartletError: return error.message
        case let error as NIOPosix.NIOConnectionError:
            return error.connectionErrors.first.map { reason($0.error) } ?? "the name does not resolve"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: return "no answer in time"
        default: return "\(error)"
        }
    }
}

/// Passes what arrives on to the connection.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = IncomingFrame
    private let connection: ClientConnection

    init(connection: ClientConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.receive(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) {
        connection.fail(MartletError(.closed, "the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let known = error as? MartletError
        connection.fail(known ?? MartletError(.io, "the connection broke: \(ClientConnection.reason(error))"))
    }
}
