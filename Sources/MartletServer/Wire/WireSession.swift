import MartletModel
import MartletStorage
import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// One client's requests: which are open, what they hold, how they are answered. Thread-safe; the channel's handler,
/// the engine's completions and the query threads call it.
final class WireSession: Sendable {
    private enum Open {
        case append(bytes: Int)
        case query(WireQueryRun)
    }

    private struct State {
        var peer: Greeting?
        var isClosing = false
        var open: [UInt32: Open] = [:]
        var appendBytes = 0
    }

    let configuration: WireConfiguration
    let meter: WireMeter
    private let channel: any Channel
    private let backend: any WireBackend
    private let pool: NIOThreadPool
    private let clock: any Clock
    private let state = Mutex(State())

    init(
        channel: any Channel, backend: any WireBackend, configuration: WireConfiguration, pool: NIOThreadPool,
        meter: WireMeter, clock: any Clock
    ) {
        self.channel = channel
        self.backend = backend
        self.configuration = configuration
        self.pool = pool
        self.meter = meter
        self.clock = clock
    }

    /// Whether the client has greeted.
    var hasGreeted: Bool { state.withLock { $0.peer != nil } }

    /// Whether so much is waiting to be acknowledged that nothing more should be read.
    var mustPause: Bool { state.withLock { $0.appendBytes > configuration.maximumAppendBytes } }

    /// Whether a request is open that makes progress without the client.
    var isBusy: Bool {
        let open = state.withLock { Array($0.open.values) }
        return open.contains {
            switch $0 {
            case .append: true
            case .query(let run): !run.isWaitingForClient
            }
        }
    }

    var openRequests: Int { state.withLock { $0.open.count } }

    // MARK: Frames

    func receive(_ frame: IncomingFrame) {
        meter.add { $0.bytesReceived += frame.byteCount }
        let id = frame.requestID
        if case .hello(let greeting) = frame.message { return greet(greeting, id) }
        guard hasGreeted else { return violate("a frame of type \(frame.message.type) came before the hello") }
        if id == 0, !isConnectionFrame(frame.message) { return violate("a request needs an id other than 0") }
        switch frame.message {
        case .ping(let payload): send(.pong(payload), id)
        case .pong: break
        case .append(let request): append(request, id, bytes: frame.byteCount)
        case .query(let request): query(request, id)
        case .credit(let count): run(id)?.grant(count)
        case .cancel: run(id)?.cancel()
        case .authenticate:
            refuse(
                id, MartletError(.unsupported, "this server asks for no authentication and knows no method of it"))
        default: violate("a client does not send frames of type \(frame.message.type)")
        }
    }

    private func isConnectionFrame(_ message: Message) -> Bool {
        switch message {
        case .ping, .pong: true
        default: false
        }
    }

    private func greet(_ hello: Greeting, _ id: UInt32) {
        guard id == 0, !hasGreeted else { return violate("a second hello, or one with a request id") }
        guard (hello.oldestVersion...max(hello.oldestVersion, hello.newestVersion)).contains(WireProtocol.version)
        else {
            return end(
                MartletError(
                    .unsupportedVersion,
                    "this server speaks version \(WireProtocol.version) of the wire protocol; the client speaks "
                        + "\(hello.oldestVersion) to \(hello.newestVersion)"))
        }
        let features = hello.features.intersection(configuration.features)
        var peer = hello
        peer.features = features
        state.withLock { $0.peer = peer }
        let welcome = Greeting(
            features: features, maximumBody: UInt32(configuration.maximumBody),
            maximumRequests: UInt32(configuration.maximumRequests), software: configuration.software)
        send(.welcome(welcome), 0)
    }

    // MARK: Requests

    /// Notes a request as open, or says why it cannot be.
    private func begin(_ id: UInt32, _ open: Open) -> MartletError? {
        let limit = configuration.maximumRequests
        let problem = state.withLock { state -> MartletError? in
            if state.isClosing { return MartletError(.closed, "the server is shutting down") }
            if state.open[id] != nil { return MartletError(.invalidArgument, "request id \(id) is in use") }
            if state.open.count >= limit {
                return MartletError(
                    .resourceExhausted, "\(limit) requests are open on this connection, which is the limit",
                    hint: "wait for an answer, or open another connection")
            }
            state.open[id] = open
            if case .append(let bytes) = open { state.appendBytes += bytes }
            return nil
        }
        if problem == nil { meter.add { $0.openRequests += 1 } }
        return problem
    }

    /// Forgets a request, so that the client may use its id again; then sends its last frame.
    fileprivate func finish(_ id: UInt32, _ message: Message?) {
        let resumes = state.withLock { state -> Bool in
            guard case .append(let bytes)? = state.open.removeValue(forKey: id) else { return false }
            let wasPaused = state.appendBytes > configuration.maximumAppendBytes
            state.appendBytes -= bytes
            return wasPaused && state.appendBytes <= configuration.maximumAppendBytes
        }
        meter.add {
            $0.openRequests -= 1
            if case .error? = message { $0.errors += 1 }
        }
        if let message { send(message, id) }
        if resumes {
            channel.eventLoop.execute { [channel] in
                channel.pipeline.fireUserInboundEventTriggered(WireHandler.Resume())
            }
        }
    }

    private func refuse(_ id: UInt32, _ error: MartletError) {
        meter.add { $0.errors += 1 }
        send(.error(error), id)
    }

    private func append(_ request: AppendRequest, _ id: UInt32, bytes: Int) {
        if request.durability == .durable && !backend.acknowledgesDurably {
            return refuse(
                id,
                MartletError(
                    .unsupported, "this server acknowledges before rows are on stable storage",
                    hint: "ask for durability 0, or start the server with --durability commit"))
        }
        do throws(MartletError) {
            for batch in request.batches { try Self.checkShape(batch) }
            if let problem = begin(id, .append(bytes: bytes)) { throw problem }
        } catch {
            return refuse(id, error)
        }
        do throws(MartletError) {
            try backend.append(request.batches, namespace: request.namespace) { [self] result in
                switch result {
                case .success(let outcome): finish(id, .appended(receipt(outcome)))
                case .failure(let error): finish(id, .error(error))
                }
            }
        } catch {
            finish(id, .error(error))
        }
    }

    private func receipt(_ outcome: AppendOutcome) -> WireReceipt {
        meter.add {
            $0.appends += 1
            $0.rowsAccepted += outcome.accepted
            $0.rowsRejected += outcome.rejected.count
        }
        return WireReceipt(
            accepted: UInt64(outcome.accepted), rejected: UInt64(outcome.rejected.count), commit: outcome.commit,
            isDurable: outcome.isDurable,
            rejections: outcome.rejected.prefix(1000).map {
                WireRejection(batch: $0.batch, row: $0.row, error: $0.error)
            })
    }

    /// What an append promises about its columns beyond what the decoder has checked.
    private static func checkShape(_ batch: TableBatch) throws(MartletError) {
        func refuse(_ reason: String) throws(MartletError) {
            throw MartletError(.invalidArgument, reason, at: .column(table: batch.table, column: nil))
        }
        if batch.table.isEmpty { try refuse("a table needs a name") }
        var counts: [ColumnRole: Int] = [:]
        var names = Set<String>()
        for column in batch.batch.schema {
            counts[column.role, default: 0] += 1
            if column.role == .field || column.role == .tag {
                if column.name.isEmpty { try refuse("a column needs a name") }
                if !names.insert(column.name).inserted { try refuse("column '\(column.name)' is there twice") }
            }
            if column.role == .field && !column.type.isFieldType {
                try refuse("field '\(column.name)' is of type \(column.type.name), which cannot be stored")
            }
        }
        if counts[.time] != 1 { try refuse("rows to append need exactly one time column") }
        if counts[.value] != nil { try refuse("rows to append have no columns of role value") }
        if counts[.series, default: 0] > 1 || (counts[.series] != nil && counts[.tag] != nil) {
            try refuse("rows to append have either tag columns or one series column")
        }
        if counts[.field] == nil { try refuse("rows to append need a field column") }
    }

    private func query(_ request: QueryRequest, _ id: UInt32) {
        let limits = WireQueryLimits(
            timeout: request.timeout == 0 ? nil : Int64(clamping: request.timeout).multipliedClamping(by: 1_000_000),
            memory: request.memoryLimit == 0 ? nil : Int(clamping: request.memoryLimit),
            rows: request.maximumRows == 0 ? nil : Int(clamping: request.maximumRows))
        let run = WireQueryRun(id: id, credit: request.credit, session: self, pool: pool, clock: clock)
        if let problem = begin(id, .query(run)) { return refuse(id, problem) }
        meter.add { $0.queries += 1 }
        run.start { [backend] () throws(MartletError) in
            try backend.query(request.sql, namespace: request.namespace, limits: limits)
        }
    }

    private func run(_ id: UInt32) -> WireQueryRun? {
        guard case .query(let run)? = state.withLock({ $0.open[id] }) else { return nil }
        return run
    }

    // MARK: Answers

    /// Sends a frame; `written` runs once the socket has taken it or the connection is gone.
    func send(_ message: Message, _ id: UInt32, written: (@Sendable () -> Void)? = nil) {
        let buffer: ByteBuffer
        do throws(MartletError) {
            buffer = try encode(message, id)
        } catch {
            // Only batches can exceed the peer's limit, and those are encoded by the query run itself.
            return end(error)
        }
        send(buffer, written: written)
    }

    func send(_ buffer: ByteBuffer, written: (@Sendable () -> Void)? = nil) {
        meter.add { $0.bytesSent += buffer.readableBytes }
        guard let written else { return channel.writeAndFlush(buffer, promise: nil) }
        channel.writeAndFlush(buffer).whenComplete { _ in written() }
    }

    /// Ends a query's request with its last frame.
    func finishQuery(_ id: UInt32, _ result: Result<WireSummary, MartletError>) {
        switch result {
        case .success(let summary): finish(id, .end(summary))
        case .failure(let error): finish(id, .error(error))
        }
    }

    func encode(_ message: Message, _ id: UInt32) throws(MartletError) -> ByteBuffer {
        let peer = state.withLock { $0.peer }
        let compression: WireCompression? =
            switch message.type {
            case .rows: peer?.features.preferred(configuration.features)
            default: nil
            }
        return try FrameCodec.byteBuffer(
            message, requestID: id, compression: compression,
            maximumBody: peer.map { Int($0.maximumBody) } ?? WireProtocol.smallestMaximumBody)
    }

    private func violate(_ reason: String) { end(MartletError(.protocolViolation, reason)) }

    /// Ends the connection with a reason.
    func end(_ error: MartletError) {
        let wasClosing = state.withLock { state in
            defer { state.isClosing = true }
            return state.isClosing
        }
        if wasClosing { return channel.close(promise: nil) }
        meter.add { $0.errors += 1 }
        // An error always fits a frame that every peer accepts; without one the connection just closes.
        if let buffer = try? FrameCodec.byteBuffer(.error(error), requestID: 0, maximumBody: .max) {
            channel.writeAndFlush(buffer).whenComplete { [channel] _ in channel.close(promise: nil) }
        } else {
            channel.close(promise: nil)
        }
    }

    /// The connection is gone: queries stop, appends run to their end unheard.
    func close() {
        let runs = state.withLock { state -> [WireQueryRun] in
            state.isClosing = true
            return state.open.values.compactMap { if case .query(let run) = $0 { run } else { nil } }
        }
        for run in runs { run.abandon() }
    }

    /// Takes no new requests and ends the connection once the open ones are answered.
    func drain() { state.withLock { $0.isClosing = true } }

    /// Closes the channel after what was written.
    func closeChannel() -> EventLoopFuture<Void> {
        channel.close(promise: nil)
        return channel.closeFuture
    }
}

extension Int64 {
    fileprivate func multipliedClamping(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
