import Logging
import MartletModel
import MartletWire
import NIOCore

/// The event loop's end of a connection: hands frames to the session, stops reading while the session is full, and
/// watches the time.
final class WireHandler: ChannelDuplexHandler {
    typealias InboundIn = IncomingFrame
    typealias OutboundIn = ByteBuffer

    /// Fired by the session when it has room again.
    struct Resume: Sendable {}

    private let session: WireSession
    private let logger: Logger
    private var heldRead = false
    private var helloDeadline: Scheduled<Void>?

    init(session: WireSession, logger: Logger) {
        self.session = session
        self.logger = logger
    }

    func channelActive(context: ChannelHandlerContext) {
        let session = session
        helloDeadline = context.eventLoop.scheduleTask(in: .nanoseconds(session.configuration.helloTimeout)) {
            if !session.hasGreeted { session.end(MartletError(.timeout, "no hello came in time")) }
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        session.receive(unwrapInboundIn(data))
    }

    func read(context: ChannelHandlerContext) {
        if session.mustPause {
            heldRead = true
        } else {
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is Resume:
            if heldRead {
                heldRead = false
                read(context: context)
            }
        case is IdleStateHandler.IdleStateEvent:
            if !session.isBusy { session.end(MartletError(.timeout, "the connection was idle for too long")) }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        helloDeadline?.cancel()
        session.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? MartletError {
            logger.info("wire connection ended", metadata: ["reason": "\(error)"])
            session.end(error)
        } else {
            // The socket is broken: nobody is left to tell.
            logger.debug("wire connection broke", metadata: ["reason": "\(error)"])
            context.close(promise: nil)
        }
    }
}
