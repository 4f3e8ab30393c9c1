import HTTPTypes
import Hummingbird
import Logging
import Martlet
import MartletModel
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The HTTP port: health, metrics, queries and InfluxDB's writes. See docs/http.md.
package final class HTTPListener: Listener {
    package let name = "HTTP"

    private struct State {
        var group: ServiceGroup?
        var run: Task<Void, any Error>?
    }

    private let settings: ServerConfiguration.HTTPSettings
    private let backend: any ServerBackend
    private let logger: Logger
    private let group: any EventLoopGroup
    private let threads: NIOThreadPool
    private let running = RunningQueries()
    private let state = Mutex(State())
    private let requests = Atomic<Int>(0)
    private let otherFigures: @Sendable () -> [Figure]

    /// - Parameter otherFigures: Figures of the other listeners, for `/metrics`.
    package init(
        settings: ServerConfiguration.HTTPSettings = .init(), backend: any ServerBackend, logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        otherFigures: @escaping @Sendable () -> [Figure] = { [] }
    ) {
        self.settings = settings
        self.backend = backend
        self.logger = logger
        self.group = group
        self.otherFigures = otherFigures
        threads = NIOThreadPool(numberOfThreads: settings.queryThreads)
    }

    package var figures: [Figure] {
        [Figure("http_requests_total", .counter, "HTTP requests.", requests.load(ordering: .relaxed))]
    }

    package func start() async throws -> SocketAddress {
        threads.start()
        let (bound, continuation) = AsyncStream<SocketAddress?>.makeStream()
        let running = running
        let loop = group.next()
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: makeRouter(),
            server: .http1(configuration: .init(additionalChannelHandlers: [DisconnectWatch(queries: running)])),
            configuration: .init(address: .hostname(settings.host, port: settings.port), serverName: "martlet"),
            onServerRunning: { channel in continuation.yield(channel.localAddress) },
            eventLoopGroupProvider: .shared(loop), logger: quiet)
        let services = ServiceGroup(configuration: .init(services: [application], logger: quiet))
        // The tasks of connections run on the event loop that serves them: a request then costs two changes of thread,
        // to the query threads and back, and not six.
        let run = Task(executorPreference: LoopExecutor(loop)) {
            defer { continuation.finish() }
            try await services.run()
        }
        state.withLock { $0 = State(group: services, run: run) }
        for await address in bound {
            if let address { return address }
        }
        var reason = "it has no address"
        do { try await run.value } catch { reason = "\(error)" }
        throw MartletError(
            .io, "cannot listen on \(settings.host):\(settings.port) for HTTP: \(reason)",
            hint: "another process may have the port; choose one with --http-port")
    }

    package func shutdown(grace: Duration) async {
        let (group, run) = state.withLock { ($0.group, $0.run) }
        await group?.triggerGracefulShutdown()
        let running = running
        let limit = Task {
            try await Task.sleep(for: grace)
            running.cancelAll()
            run?.cancel()
        }
        do { try await run?.value } catch {
            logger.debug("HTTP ended with an error", metadata: ["error": "\(error)"])
        }
        limit.cancel()
        do { try await threads.shutdownGracefully() } catch {
            logger.debug("the query threads had ended", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Routes

    private func makeRouter() -> Router<HTTPContext> {
        let router = Router(context: HTTPContext.self)
        router.add(middleware: RequestGuard { [self] in requests.add() })
        router.get("/health") { _, _ in
            Response.json(
                .ok, #"{"name":"martlet","status":"pass","message":"ready for queries and writes","version":"1"}"#)
        }
        router.get("/ready") { [backend] _, _ in
            do throws(MartletError) {
                _ = try backend.namespace("default")
                return Response.json(.ok, #"{"status":"ready"}"#)
            } catch {
                return Response.error(error)
            }
        }
        router.get("/metrics") { [self] _, _ in
            let text = PrometheusText.text(of: backend.figures + otherFigures() + figures)
            return Response(
                status: .ok, headers: [.contentType: PrometheusText.contentType],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        let query = HTTPQuery(settings: settings, backend: backend, threads: threads, running: running)
        router.get("/api/v1/query") { try await query.respond(to: $0, context: $1) }
        router.post("/api/v1/query") { try await query.respond(to: $0, context: $1) }
        addInflux(to: router)
        return router
    }

    /// What InfluxDB's clients and Telegraf call.
    private func addInflux(to router: Router<HTTPContext>) {
        let write = HTTPWrite(settings: settings, backend: backend)
        router.post("/write") { request, _ in
            let values = request.uri.queryParameters
            return try await write.respond(
                to: request, database: values["db"].map(String.init), precision: values["precision"].map(String.init))
        }
        router.post("/api/v2/write") { request, _ in
            let values = request.uri.queryParameters
            return try await write.respond(
                to: request, database: values["bucket"].map(String.init),
                precision: values["precision"].map(String.init))
        }
        let pong: @Sendable (Request, HTTPContext) async throws -> Response = { _, _ in
            var headers: HTTPFields = [:]
            if let name = HTTPField.Name("X-Influxdb-Version") { headers[name] = "1.8.10-martlet" }
            if let name = HTTPField.Name("X-Influxdb-Build") { headers[name] = "martlet" }
            return Response(status: .noContent, headers: headers)
        }
        router.get("/ping", use: pong)
        router.head("/ping", use: pong)
    }
}

/// Counts requests, keeps web pages of other sites out, and answers what no route does in JSON.
///
/// A browser lets any page send simple requests to a port of the machine it runs on. It says where they come from, and
/// such requests are refused: nobody's database is to be changed by visiting a page.
private struct RequestGuard: RouterMiddleware {
    typealias Context = HTTPContext
    let count: @Sendable () -> Void

    func handle(
        _ request: Request, context: HTTPContext, next: (Request, HTTPContext) async throws -> Response
    ) async throws -> Response {
        count()
        if isFromAnotherSite(request) {
            return .error(
                MartletError(.unauthorized, "requests from web pages of other sites are refused"))
        }
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            return .error(MartletError(.notFound, "there is no \(request.method) \(request.uri.path)"))
        }
    }

    private func isFromAnotherSite(_ request: Request) -> Bool {
        if let name = HTTPField.Name("Sec-Fetch-Site"), let site = request.headers[name] {
            return site == "cross-site" || site == "same-site"
        }
        guard let origin = request.headers[.origin] else { return false }
        return origin != "http://\(request.head.authority ?? "")"
    }
}
