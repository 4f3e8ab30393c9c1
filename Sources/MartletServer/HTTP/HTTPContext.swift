import Hummingbird
import Logging
import NIOCore
import Synchronization

/// What a request carries with it.
struct HTTPContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection.
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Which queries run for which connection, so that they end when their client goes away.
final class RunningQueries: Sendable {
    private let queries = Mutex<[ObjectIdentifier: [ObjectIdentifier: any ServerQuery]]>([:])

    func add(_ query: any ServerQuery, on channel: any Channel) {
        queries.withLock { $0[ObjectIdentifier(channel), default: [:]][ObjectIdentifier(query)] = query }
    }

    func remove(_ query: any ServerQuery, on channel: any Channel) {
        queries.withLock { all in
            let key = ObjectIdentifier(channel)
            all[key]?[ObjectIdentifier(query)] = nil
            if all[key]?.isEmpty == true { all[key] = nil }
        }
    }

    func cancel(on channel: any Channel) {
        for query in queries.withLock({ $0[ObjectIdentifier(channel)] ?? [:] }).values { query.cancel() }
    }

    func cancelAll() {
        for query in queries.withLock({ $0.values.flatMap(\.values) }) { query.cancel() }
    }
}

/// Notices that a client closed its side and ends its queries.
final class DisconnectWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let queries: RunningQueries

    init(queries: RunningQueries) { self.queries = queries }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { queries.cancel(on: context.channel) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        queries.cancel(on: context.channel)
        context.fireChannelInactive()
    }
}
