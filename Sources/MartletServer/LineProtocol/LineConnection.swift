import Logging
import Martlet
import MartletModel
import MartletStorage
import NIOCore

/// One line-protocol connection: reads, parses on its event loop, commits, answers.
///
/// The socket is read only when the parser wants more, so a connection holds one read's bytes, the batch being
/// collected and the batches in flight, and no more: a namespace that is slower than the client slows the client.
/// All of it runs on the channel's event loop.
final class LineConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// The first line may be a greeting.
        case greeting
        case reading
        /// Nothing more is read; what was read is being committed.
        case ending
        case closed
    }

    private static let leastShare = 64 << 10

    private let settings: ServerConfiguration.LineProtocolSettings
    private let backend: any ServerBackend
    private let meter: LineMeter
    private let logger: Logger
    private let eventLoop: any EventLoop
    private var context: ChannelHandlerContext?

    private var phase = Phase.greeting
    private var engine: (any NamespaceEngine)?
    private var parser: LineProtocolParser
    /// Bytes that were read and not parsed, but for `tail`, which comes before them.
    private var pending: ByteBuffer?
    /// The beginning of a line whose end has not come yet.
    private var tail = ByteBuffer()
    private var isReadPending = false
    /// Whether nothing more is to be read: the client ended, the server shuts down, or something went wrong.
    private var inputEnded = false
    /// Whether the client closed its side.
    private var clientEnded = false
    private var batchIsFull = false
    private var flushIsDue = false
    private var isPaused = false

    private var inFlight = 0
    private var accepted = 0
    private var rejected = 0
    private var replies: LineReplies
    private var lastCommit: NIODeadline
    private var lastActivity: NIODeadline
    private var commitTask: Scheduled<Void>?
    private var silenceTask: Scheduled<Void>?
    /// Fulfilled when the connection is closed.
    private let ended: EventLoopPromise<Void>

    init(
        eventLoop: any EventLoop, settings: ServerConfiguration.LineProtocolSettings, backend: any ServerBackend,
        meter: LineMeter, logger: Logger, ended: EventLoopPromise<Void>
    ) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.backend = backend
        self.meter = meter
        self.logger = logger
        self.ended = ended
        parser = Self.makeParser(settings, .nanoseconds, firstLine: 1, backend.memory)
        replies = LineReplies(limit: settings.maximumReplyBytes)
        lastActivity = eventLoop.now
        lastCommit = eventLoop.now - .nanoseconds(Int64(settings.commitInterval / .nanoseconds(1)))
    }

    private static func makeParser(
        _ settings: ServerConfiguration.LineProtocolSettings, _ precision: TimestampPrecision, firstLine: Int,
        _ memory: MemoryBudget
    ) -> LineProtocolParser {
        var limits = LineLimits()
        limits.lineLength = settings.maximumLineLength
        limits.batchRows = settings.maximumBatchRows
        return LineProtocolParser(precision: precision, limits: limits, firstLine: firstLine, memory: memory)
    }

    // MARK: Events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        takeShares()
        watchForSilence(after: settings.firstLineTimeout)
        drive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReadPending = false
        guard phase != .closed else { return }
        let buffer = unwrapInboundIn(data)
        meter.bytes.add(buffer.readableBytes)
        lastActivity = eventLoop.now
        if pending == nil {
            pending = buffer
        } else {
            var more = buffer
            pending?.writeBuffer(&more)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        if phase == .closed { context.read() } else { drive() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            clientEnded = true
            if phase == .closed { context.close(promise: nil) } else { endInput() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The client is gone; nobody hears the answer, but what it sent is committed all the same.
        self.context = nil
        clientEnded = true
        endInput()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("line-protocol connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    /// Stops reading, commits what was read, answers and closes. On the event loop.
    func shutdown() { endInput() }

    private func endInput() {
        inputEnded = true
        drive()
    }

    // MARK: Driving

    /// Goes on until it has to wait: for bytes, for a commit or for the client.
    private func drive() {
        while phase != .closed {
            if flushIsDue || phase == .ending {
                if parser.rowCount > 0 { commit() }
                guard inFlight == 0 else { break }
                replies.answer("OK \(accepted) \(rejected)")
                flushIsDue = false
                if phase == .ending {
                    close()
                    break
                }
            }
            if batchIsFull {
                guard inFlight < settings.maximumBatchesInFlight else {
                    if !isPaused { meter.pauses.add() }
                    isPaused = true
                    break
                }
                commit()
                batchIsFull = false
            }
            isPaused = false
            if phase == .greeting {
                if greet() { continue }
            } else if parsePending() {
                continue
            }
            if phase == .closed { break }
            if inputEnded {
                if phase == .reading { refuseTail() }
                phase = .ending
                continue
            }
            commitWhenDue()
            if !isReadPending {
                isReadPending = true
                context?.read()
            }
            break
        }
        sendReplies()
    }

    /// Looks whether the first line is a greeting; says whether there is something to go on with.
    private func greet() -> Bool {
        guard var bytes = pending ?? (inputEnded && tail.readableBytes > 0 ? ByteBuffer() : nil) else { return false }
        if tail.readableBytes > 0 {
            tail.writeBuffer(&bytes)
            bytes = tail
            tail = ByteBuffer()
        }
        switch LineHello.classify(bytes.readableBytesView) {
        case .unknown where !inputEnded:
            tail = bytes
            pending = nil
            return false
        case .unknown, .data:
            pending = bytes
            phase = .reading
            // A namespace that is missing is told with the first line.
            if !open(LineHello(), column: 1) { return false }
        case .hello(let count):
            let line = bytes.readSlice(length: count)?.readableBytesView.map(\.self) ?? []
            bytes.moveReaderIndex(forwardBy: 1)
            pending = bytes
            phase = .reading
            do throws(LineHello.Problem) {
                let hello = try LineHello(line)
                parser = Self.makeParser(settings, hello.precision, firstLine: 2, backend.memory)
                takeShares()
                guard open(hello, column: 1) else { return false }
                replies.answer(hello.reply)
            } catch {
                refuse(1, error.column, error.reason)
                return false
            }
        }
        watchForSilence(after: settings.idleTimeout)
        return true
    }

    private func open(_ hello: LineHello, column: Int) -> Bool {
        do throws(MartletError) {
            engine = try backend.namespace(hello.namespace)
            return true
        } catch {
            refuse(1, column, error.description)
            return false
        }
    }

    /// Answers with an error that the connection cannot go on after, and closes it.
    private func refuse(_ line: Int, _ column: Int, _ reason: String) {
        _ = replies.error(line: line, column: column, reason)
        logger.info("line-protocol connection refused", metadata: ["reason": "\(reason)"])
        (pending, inputEnded, phase) = (nil, true, .ending)
        close()
    }

    // MARK: Parsing

    /// Parses what was read; says whether there is something to go on with before more is read.
    private func parsePending() -> Bool {
        guard var bytes = pending, bytes.readableBytes > 0 else {
            pending = nil
            return false
        }
        pending = nil
        if tail.readableBytes > 0 {
            // The line that was begun is completed; should a quoted string in it go on, a larger piece is taken.
            let view = bytes.readableBytesView
            let line = view.firstIndex(of: UInt8(ascii: "\n")).map { $0 - view.startIndex + 1 } ?? bytes.readableBytes
            var piece = bytes.readSlice(length: line) ?? ByteBuffer()
            tail.writeBuffer(&piece)
            var stop = parse(&tail)
            if stop == .none, tail.readableBytes > 0, bytes.readableBytes > 0 {
                var more = bytes.readSlice(length: min(bytes.readableBytes, settings.maximumLineLength)) ?? ByteBuffer()
                tail.writeBuffer(&more)
                stop = parse(&tail)
            }
            if tail.readableBytes == 0 { tail.clear() }
            if stop != .none || tail.readableBytes > 0 {
                if stop != .none {
                    // What is left of the begun lines is to be parsed again, before the rest.
                    tail.writeBuffer(&bytes)
                    bytes = tail
                    tail = ByteBuffer()
                }
                pending = bytes.readableBytes > 0 ? bytes : nil
                return stop != .none || pending != nil
            }
            pending = bytes.readableBytes > 0 ? bytes : nil
            return pending != nil
        }
        let stop = parse(&bytes)
        if stop != .none {
            pending = bytes
            return true
        }
        if bytes.readableBytes > 0 { tail.writeBuffer(&bytes) }
        return false
    }

    private func parse(_ bytes: inout ByteBuffer, end: TextEnd = .open) -> ParseStop {
        guard let engine else { return .none }
        let now = engine.clock.now()
        let (consumed, stop) = bytes.withUnsafeReadableBytes { bytes in
            parser.parse(bytes, end: end, now: now) { table in
                // A namespace that cannot be read now says so at the commit, which checks the types once more.
                (try? engine.snapshot())?.schema(of: table)
            }
        }
        bytes.moveReaderIndex(forwardBy: consumed)
        switch stop {
        case .none: break
        case .flush: flushIsDue = true
        case .batchFull: batchIsFull = true
        }
        if parser.errorCount > 0 { reportErrors() }
        return stop
    }

    /// Reads the last lines and refuses one that the end of the connection cut off.
    private func refuseTail() {
        while tail.readableBytes > 0 {
            if tail.readableBytes > 0 {
                logger.info(
                    "line-protocol connection ended within a line", metadata: ["bytes": "\(tail.readableBytes)"])
            }
            switch parse(&tail, end: .cut) {
            case .none: tail.clear()
            case .flush: flushIsDue = false
            case .batchFull:
                commit()
                batchIsFull = false
            }
        }
    }

    private func reportErrors() {
        let (errors, count) = parser.takeErrors()
        rejected += count
        meter.linesRejected.add(count)
        for error in errors where !replies.error(line: error.line, column: error.column, error.reason) {
            meter.repliesDropped.add()
        }
        if count > errors.count { replies.unlisted(count - errors.count) }
    }

    // MARK: Committing

    /// Commits what was collected if the connection was silent for long enough, or else sees to it that it will be.
    private func commitWhenDue() {
        guard parser.rowCount > 0, inFlight == 0 else { return }
        let due = lastCommit + .nanoseconds(Int64(settings.commitInterval / .nanoseconds(1)))
        if eventLoop.now >= due { return commit() }
        guard commitTask == nil else { return }
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        commitTask = eventLoop.scheduleTask(deadline: due) {
            this.value.commitTask = nil
            this.value.drive()
        }
    }

    private func commit() {
        takeShares()
        let batch = parser.takeBatch()
        guard batch.rowCount > 0, let engine else { return }
        lastCommit = eventLoop.now
        meter.batches.add()
        inFlight += 1
        append(batch, to: engine, attempt: 0)
    }

    /// Bounds what is collected and remembered by this connection's shares of the memory.
    private func takeShares() {
        parser.limits.batchBytes = share(settings.maximumBatchBytes, of: 4 * (1 + settings.maximumBatchesInFlight))
        parser.limits.cacheBytes = share(settings.maximumCacheBytes, of: 8)
    }

    /// This connection's share of a part of the engine's memory that all connections of the port divide, and `most` at most:
    /// rows that are collected or wait for their commit have a quarter of it, what is remembered an eighth.
    private func share(_ most: Int, of part: Int) -> Int {
        let connections = max(1, meter.openConnections.load(ordering: .relaxed))
        return min(most, max(Self.leastShare, backend.memory.limit / part / connections))
    }

    private func append(_ batch: ParsedBatch, to engine: any NamespaceEngine, attempt: Int) {
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        engine.append(batch.tables) { result in
            eventLoop.execute { this.value.committed(batch, result, engine, attempt) }
        }
    }

    private func committed(
        _ batch: ParsedBatch, _ result: Result<AppendOutcome, MartletError>, _ engine: any NamespaceEngine,
        _ attempt: Int
    ) {
        switch result {
        case .success(let outcome):
            accepted += outcome.accepted
            rejected += outcome.rejected.count
            meter.rowsAccepted.add(outcome.accepted)
            meter.linesRejected.add(outcome.rejected.count)
            for row in outcome.rejected.prefix(1_000) {
                let line = batch.lines[row.batch][row.row]
                if !replies.error(line: line, column: 0, row.error.message) { meter.repliesDropped.add() }
            }
            if outcome.rejected.count > 1_000 { replies.unlisted(outcome.rejected.count - 1_000) }
        case .failure(let error) where error.code == .resourceExhausted && attempt < 200 && phase != .closed:
            // Memory is short: the connection holds its batch, reads nothing more and tries again.
            let this = NIOLoopBound(self, eventLoop: eventLoop)
            eventLoop.scheduleTask(in: .milliseconds(50)) { this.value.append(batch, to: engine, attempt: attempt + 1) }
            return
        case .failure(let error):
            rejected += batch.rowCount
            meter.linesRejected.add(batch.rowCount)
            logger.error("rows were not stored", metadata: ["rows": "\(batch.rowCount)", "error": "\(error)"])
            _ = replies.error(line: 0, column: 0, "\(batch.rowCount) rows were not stored: \(error.description)")
            // Whatever follows would fare no better: the client is told and has to come back.
            (pending, inputEnded) = (nil, true)
            tail.clear()
        }
        inFlight -= 1
        drive()
    }

    // MARK: Answering and closing

    private func sendReplies() {
        guard let context, let bytes = replies.take() else { return }
        let count = bytes.readableBytes
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        context.writeAndFlush(wrapOutboundOut(bytes)).whenComplete { _ in
            this.value.replies.sent(count)
            this.value.sendReplies()
        }
    }

    private func close() {
        guard phase != .closed else { return }
        phase = .closed
        commitTask?.cancel()
        silenceTask?.cancel()
        sendReplies()
        ended.succeed()
        guard let channel = context?.channel else { return }
        if clientEnded {
            closeAfterReplies(channel)
            return
        }
        // Closing a socket with unread bytes resets the connection, and the client loses the answer. So the server's
        // side is closed first, and what the client still sends is read and dropped until it closes too.
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(mode: .output, promise: nil) }
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        if !isReadPending { channel.read() }
    }

    private func closeAfterReplies(_ channel: any Channel) {
        // A client that does not read its last answer is not waited for longer than this.
        let limit = eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
            limit.cancel()
            channel.close(promise: nil)
        }
    }

    private func watchForSilence(after timeout: Duration) {
        silenceTask?.cancel()
        let limit = TimeAmount.nanoseconds(Int64(timeout / .nanoseconds(1)))
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        silenceTask = eventLoop.scheduleTask(deadline: lastActivity + limit) {
            let connection = this.value
            // Waiting for a commit is the server's silence, not the client's.
            if connection.eventLoop.now - connection.lastActivity < limit || !connection.isReadPending {
                if connection.eventLoop.now - connection.lastActivity >= limit {
                    connection.lastActivity = connection.eventLoop.now
                }
                connection.watchForSilence(after: timeout)
            } else {
                _ = connection.replies.error(line: 0, column: 0, "nothing came for \(timeout)")
                connection.endInput()
            }
        }
    }
}
