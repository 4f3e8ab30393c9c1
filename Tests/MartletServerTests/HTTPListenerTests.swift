import CZlib
import Logging
import MartletModel
import MartletStorage
import MartletTestSupport
import Synchronization
import Testing

@testable import MartletServer

/// A query that answers batches of numbers, or fails, or waits to be cancelled.
private final class AnswerQuery: ServerQuery {
    let schema = [ColumnDescription("time", .timestamp, .time), ColumnDescription("v", .float64)]
    let notices: [String]
    private let batches: Int
    private let failure: MartletError?
    private let waits: Bool
    private let state = Mutex((next: 0, isCancelled: false))

    init(batches: Int = 1, failure: MartletError? = nil, waits: Bool = false, notices: [String] = []) {
        (self.batches, self.failure, self.waits, self.notices) = (batches, failure, waits, notices)
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func next() throws(MartletError) -> RecordBatch? {
        while waits && !isCancelled { yieldThread() }
        if isCancelled { throw MartletError(.cancelled, "the query was cancelled") }
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        guard number <= batches else {
            if let failure { throw failure }
            return nil
        }
        let rows = batches == 1 ? 2 : 1_000
        let values = (0..<rows).map { Double(number) + Double($0) / 2 }
        return RecordBatch(
            schema: schema,
            columns: [
                Column(.timestamp, unsafeElements: (0..<rows).map { Int64($0) }),
                Column(.float64, unsafeElements: values),
            ], rowCount: rows)
    }

    func cancel() { state.withLock { $0.isCancelled = true } }
}

private func yieldThread() { sched_yield() }

@Suite("HTTP listener", .serialized)
struct HTTPListenerTests {
    private func serve(
        _ engines: [MemoryEngine] = [MemoryEngine()],
        _ change: (inout ServerConfiguration.HTTPSettings) -> Void = { _ in },
        query: @escaping @Sendable (String, String) throws(MartletError) -> any ServerQuery = {
            (_, _) throws(MartletError) in AnswerQuery()
        },
        _ body: (Int) async throws -> Void
    ) async throws {
        var settings = ServerConfiguration.HTTPSettings()
        settings.port = 0
        change(&settings)
        var backend = MemoryBackend()
        for engine in engines { backend.engines[engine.name] = engine }
        backend.onQuery = query
        let listener = HTTPListener(
            settings: settings, backend: backend, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let port = try #require(try await listener.start().port)
        try await withTaskExecutorPreference(BlockingExecutor.shared) { try await body(port) }
        await listener.shutdown(grace: .seconds(5))
    }

    @Test("health, readiness, ping and metrics answer")
    func probes() async throws {
        try await serve { port in
            let health = HTTPExchange(port, "GET", "/health")
            #expect(health.status == 200 && health.body.contains(#""status":"pass""#))
            #expect(HTTPExchange(port, "GET", "/ready").status == 200)
            let ping = HTTPExchange(port, "GET", "/ping")
            #expect(ping.status == 204 && ping.headers["x-influxdb-version"] != nil)
            let metrics = HTTPExchange(port, "GET", "/metrics")
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(
                metrics.body.hasPrefix(
                    "# HELP martlet_test_total A figure of the test.\n# TYPE martlet_test_total counter\n"))
            #expect(metrics.body.contains("\nmartlet_http_requests_total 4\n"))
        }
        try await serve([]) { port in
            #expect(HTTPExchange(port, "GET", "/ready").status == 404)
        }
    }

    @Test("a path that does not exist answers in JSON")
    func unknownPath() async throws {
        try await serve { port in
            let answer = HTTPExchange(port, "GET", "/nowhere")
            #expect(answer.status == 404 && answer.body.contains(#""code":"not_found""#), "\(answer)")
        }
    }

    @Test("both generations of writes store rows in the namespace of the database or bucket")
    func writes() async throws {
        let (main, plant) = (MemoryEngine(), MemoryEngine(name: "plant"))
        try await serve([main, plant]) { port in
            #expect(HTTPExchange(port, post: "/write?db=plant&precision=s", "cpu v=1 5\ncpu v=2 6").status == 204)
            #expect(plant.times(of: "cpu") == [5_000_000_000, 6_000_000_000])
            #expect(HTTPExchange(port, post: "/write?db=telegraf", "cpu v=1 7\n").status == 204)
            #expect(HTTPExchange(port, post: "/write", "cpu v=1 8\n").status == 204)
            let second = "/api/v2/write?org=o&bucket=plant/autogen&precision=ms"
            #expect(HTTPExchange(port, post: second, "cpu v=3 9\n").status == 204)
            #expect(main.times(of: "cpu") == [7, 8])
            #expect(plant.times(of: "cpu").last == 9_000_000)
        }
        try await serve([main], { $0.mapsUnknownToDefault = false }) { port in
            let answer = HTTPExchange(port, post: "/write?db=telegraf", "cpu v=1 7\n")
            #expect(answer.status == 404 && answer.body.contains("telegraf"))
        }
    }

    @Test("a bad line answers 400 with its place, and the good lines are kept")
    func partialWrite() async throws {
        let engine = MemoryEngine()
        engine.state.withLock {
            $0.rejectRows = { batch, row in
                batch.batch.columns[0].value(at: row) == .timestamp(Timestamp(nanoseconds: 3))
                    ? MartletError(.typeConflict, "the store says no") : nil
            }
        }
        try await serve([engine]) { port in
            let answer = HTTPExchange(port, post: "/write", "cpu v=1 1\ncpu v=x 2\ncpu v=3 3\ncpu v=4 4\n")
            #expect(answer.status == 400)
            #expect(answer.headers["content-type"] == "application/json")
            for part in [
                #""code":"invalid""#, #""error":"partial write: 2 lines were kept, 2 refused; line 2, column 7: "#,
                #""line":2"#, #""column":7"#, #""accepted":2"#, #""rejected":2"#, #""reason":"the store says no""#,
            ] {
                #expect(answer.body.contains(part), "\(part) in \(answer.body)")
            }
        }
    }

    @Test("packed bodies are unpacked, and bombs and broken ones refused")
    func packed() async throws {
        let engine = MemoryEngine()
        try await serve([engine], { $0.maximumUnpackedBytes = 3 << 20 }) { port in
            let text = (0..<20_000).map { "cpu,host=h\($0 % 9) v=\($0)i \($0)\n" }.joined()
            let gzip = ["Content-Encoding": "gzip"]
            let packed = deflated(Array(text.utf8))
            #expect(packed.count < text.utf8.count / 3)
            #expect(HTTPExchange(port, "POST", "/write", headers: gzip, body: packed).status == 204)
            #expect(engine.times(of: "cpu") == Array(0..<20_000))
            let broken = HTTPExchange(port, "POST", "/write", headers: gzip, body: Array("no gzip".utf8))
            #expect(broken.status == 400 && broken.body.contains("not valid gzip"))
            let short = HTTPExchange(port, "POST", "/write", headers: gzip, body: Array(packed.dropLast(9)))
            #expect(short.status == 400 && short.body.contains("ends too early"), "\(short)")
            let bomb = deflated([UInt8](repeating: 35, count: 20 << 20))
            let refused = HTTPExchange(port, "POST", "/write", headers: gzip, body: bomb)
            #expect(refused.status == 413, "\(refused)")
            #expect(
                HTTPExchange(port, post: "/write", "a b=1", headers: ["Content-Encoding": "br"]).status == 501)
        }
    }

    @Test("a body over the limit answers 413")
    func tooLarge() async throws {
        try await serve([MemoryEngine()], { $0.maximumBodyBytes = 1_000 }) { port in
            let answer = HTTPExchange(port, post: "/write", String(repeating: "cpu v=1 1\n", count: 200))
            #expect(answer.status == 413 && answer.body.contains("1000 bytes"), "\(answer)")
        }
    }

    @Test(
        "a failed commit answers with the status of its kind",
        arguments: [
            (MartletError.Code.resourceExhausted, 429), (.storageFull, 507), (.closed, 503), (.io, 500),
            (.readOnly, 403),
        ])
    func failedCommit(_ code: MartletError.Code, _ status: Int) async throws {
        let engine = MemoryEngine()
        engine.state.withLock { $0.failures = [MartletError(code, "the test's failure")] }
        try await serve([engine]) { port in
            let answer = HTTPExchange(port, post: "/api/v2/write?bucket=default", "cpu v=1 1\n")
            #expect(answer.status == status)
            #expect((answer.headers["retry-after"] == "1") == (status == 429 || status == 503))
            #expect(answer.body.contains("the test's failure"))
        }
    }

    @Test("a query answers in the format that is asked for")
    func formats() async throws {
        try await serve { port in
            let json = HTTPExchange(
                port, post: "/api/v1/query", #"{"q":"SELECT 1","format":"ndjson"}"#,
                headers: ["Content-Type": "application/json"])
            #expect(json.headers["content-type"] == "application/x-ndjson")
            #expect(
                json.body == "{\"time\":\"1970-01-01T00:00:00Z\",\"v\":1.0}\n"
                    + "{\"time\":\"1970-01-01T00:00:00.000000001Z\",\"v\":1.5}\n")
            let csv = HTTPExchange(port, "GET", "/api/v1/query?q=SELECT%201&format=csv")
            #expect(csv.status == 200 && csv.body.hasPrefix("time,v\n"), "\(csv)")
            let text = HTTPExchange(
                port, post: "/api/v1/query", "SELECT 1", headers: ["Accept": "text/csv", "Content-Type": "text/plain"])
            #expect(text.body == csv.body)
            let form = HTTPExchange(
                port, post: "/api/v1/query?format=csv", "q=SELECT%201",
                headers: ["Content-Type": "application/x-www-form-urlencoded"])
            #expect(form.body == csv.body)
        }
    }

    @Test("statement and namespace reach the engine as they were sent")
    func question() async throws {
        let seen = Mutex<[String]>([])
        try await serve(query: { (sql, namespace) throws(MartletError) in
            seen.withLock { $0.append("\(namespace): \(sql)") }
            return AnswerQuery()
        }) { port in
            _ = HTTPExchange(port, post: "/api/v1/query?namespace=plant", "SELECT 'ä'")
            _ = HTTPExchange(
                port, post: "/api/v1/query", #"{"q":"SELECT \"x\"","namespace":"n"}"#,
                headers: ["Content-Type": "application/json; charset=utf-8"])
            _ = HTTPExchange(port, "GET", "/api/v1/query?q=SELECT+1%2B1")
        }
        #expect(seen.withLock { $0 } == ["plant: SELECT 'ä'", "n: SELECT \"x\"", "default: SELECT 1+1"])
    }

    @Test("an error in a statement answers with its code, message and place")
    func queryError() async throws {
        try await serve(query: { (_, _) throws(MartletError) in
            throw MartletError(
                .syntax, "expected a table", at: .statement(offset: 14, line: 1, column: 15), hint: "name one")
        }) { port in
            let answer = HTTPExchange(port, post: "/api/v1/query", "SELECT * FROM")
            #expect(answer.status == 400)
            #expect(
                answer.body
                    == #"{"error":{"code":"syntax","message":"expected a table","line":1,"column":15,"offset":14,"#
                    + #""hint":"name one"}}"# + "\n")
        }
        try await serve { port in
            #expect(HTTPExchange(port, post: "/api/v1/query", "").status == 400)
            #expect(HTTPExchange(port, post: "/api/v1/query?format=xml", "SELECT 1").status == 400)
            let drop = HTTPExchange(port, "GET", "/api/v1/query?q=DROP%20TABLE%20t")
            #expect(drop.status == 400 && drop.body.contains("needs POST"))
        }
    }

    @Test("a long result is streamed, and one that fails in the middle is cut visibly")
    func streaming() async throws {
        try await serve(query: { (_, _) throws(MartletError) in AnswerQuery(batches: 200) }) { port in
            let answer = HTTPExchange(port, post: "/api/v1/query?format=csv", "SELECT 1")
            #expect(answer.headers["transfer-encoding"] == "chunked")
            #expect(answer.body.split(separator: "\n").count == 200_001)
        }
        let failure = MartletError(.timeout, "too long")
        try await serve(query: { (_, _) throws(MartletError) in AnswerQuery(batches: 200, failure: failure) }) { port in
            let answer = HTTPExchange(port, post: "/api/v1/query?format=csv", "SELECT 1")
            #expect(answer.body.hasSuffix("<cut>"))
        }
    }

    @Test("a client that goes away ends its query")
    func disconnect() async throws {
        let query = AnswerQuery(waits: true)
        try await serve(query: { (_, _) throws(MartletError) in query }) { port in
            var socket: RawSocket? = try RawSocket(port: port)
            socket?.send("POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nSELECT 1")
            try await Task.sleep(for: .milliseconds(100))
            #expect(!query.isCancelled)
            socket = nil
            for _ in 0..<500 where !query.isCancelled { try await Task.sleep(for: .milliseconds(5)) }
            #expect(query.isCancelled)
        }
    }

    @Test("requests from other sites' pages are refused")
    func otherSites() async throws {
        try await serve { port in
            let target = "/api/v1/query"
            #expect(HTTPExchange(port, post: target, "SELECT 1", headers: ["Origin": "http://evil"]).status == 403)
            #expect(
                HTTPExchange(port, post: target, "SELECT 1", headers: ["Sec-Fetch-Site": "cross-site"]).status == 403)
            let own = ["Origin": "http://127.0.0.1:\(port)"]
            #expect(HTTPExchange(port, post: target, "SELECT 1", headers: own).status == 200)
        }
    }
}

/// `bytes` in gzip's format.
private func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
        &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1_000)
    let count = input.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            deflate(&stream, Z_FINISH)
            return target.count - Int(stream.avail_out)
        }
    }
    deflateEnd(&stream)
    return Array(output[..<count])
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
