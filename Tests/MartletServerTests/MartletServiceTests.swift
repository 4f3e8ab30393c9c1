import Logging
import MartletModel
import MartletQuery
import MartletStorage
import MartletTestSupport
import MartletWire
import Testing

@testable import MartletServer

@Suite("Service", .serialized)
struct MartletServiceTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A service over a real engine in a directory of its own.
    private func serve(_ body: (MartletService.Addresses, StorageEngine) async throws -> Void) async throws {
        let path = "/tmp/martlet-service-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let storage = try StorageEngine.open(at: path, options: StorageOptions())
        let backend = EngineBackend(
            directory: storage, queries: QueryEngine(directory: storage), memory: storage.memory,
            acknowledgesDurably: true, storage: storage)
        var configuration = ServerConfiguration()
        configuration.lineProtocol.port = 0
        configuration.wire.port = 0
        configuration.http.port = 0
        let service = try MartletService(backend: backend, configuration: configuration, logger: Self.quiet)
        let addresses = try await service.start()
        try await withTaskExecutorPreference(BlockingExecutor.shared) { try await body(addresses, storage) }
        await service.shutdown()
        try storage.close()
    }

    @Test("what comes in over TCP and HTTP is what SQL answers over HTTP")
    func lineToQuery() async throws {
        try await serve { addresses, _ in
            let socket = try RawSocket(port: try #require(addresses.lineProtocol?.port))
            socket.send((0..<5_000).map { "cpu,host=h\($0 % 10) usage=\($0).5,n=\($0)i \($0)000000000\n" }.joined())
            socket.endOutput()
            #expect(socket.receiveAll() == "OK 5000 0\n")
            let http = try #require(addresses.http?.port)
            #expect(HTTPExchange(http, post: "/write?precision=s", "cpu,host=h3 usage=1,n=7i 9000\n").status == 204)
            let sql = "SELECT host, count(*) AS n, sum(usage) AS s FROM cpu WHERE host = 'h3' GROUP BY host"
            let answer = HTTPExchange(http, post: "/api/v1/query?format=csv", sql)
            #expect(answer.status == 200)
            #expect(answer.body == "host,n,s\nh3,501,1249251.0\n", "\(answer)")
            let conflict = HTTPExchange(http, post: "/write", "cpu,host=h3 n=\"text\" 1\n")
            #expect(conflict.status == 400 && conflict.body.contains("stored as BIGINT"), "\(conflict)")
            let syntax = HTTPExchange(http, post: "/api/v1/query", "SELECT FROM WHERE")
            #expect(syntax.status == 400 && syntax.body.contains("\"line\":1"), "\(syntax)")
            let metrics = HTTPExchange(http, "GET", "/metrics").body
            #expect(metrics.contains("\nmartlet_line_rows_accepted_total 5000\n"))
            #expect(metrics.contains("\nmartlet_wire_connections_total 0\n"))
            #expect(metrics.contains("\nmartlet_rows_total 5001\n"))
            #expect(metrics.contains("\nmartlet_series 10\n"))
        }
    }

    @Test("a type conflict between connections refuses the later line with the stored type")
    func conflictBetweenConnections() async throws {
        try await serve { addresses, _ in
            let port = try #require(addresses.lineProtocol?.port)
            let first = try RawSocket(port: port)
            first.send("t v=1i 1\n# flush\n")
            #expect(first.receive(lines: 1) == ["OK 1 0"])
            let second = try RawSocket(port: port)
            second.send("t v=\"x\" 2\nt v=2i 3\n")
            second.endOutput()
            let lines = second.receiveAll().split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.hasPrefix("ERR 1:5 field 'v' of table 't' is stored as BIGINT") == true)
            #expect(lines.last == "OK 1 1")
        }
    }

    @Test("addresses that others can reach are refused with the reason")
    func foreignAddress() {
        for host in ["0.0.0.0", "192.168.1.5", "::", "example.org", "127.0.0.1.evil", "128.0.0.1"] {
            var configuration = ServerConfiguration()
            configuration.lineProtocol.host = host
            let error = #expect(throws: MartletError.self) { try configuration.validate() }
            #expect(error?.code == .invalidArgument && error?.message.contains("authentication") == true)
        }
        for host in ["127.0.0.1", "127.8.9.1", "::1", "localhost"] {
            var configuration = ServerConfiguration()
            configuration.http.host = host
            #expect(throws: Never.self) { try configuration.validate() }
        }
    }

    @Test("a port that is taken is named, and the others are closed again")
    func portTaken() async throws {
        try await serve { addresses, storage in
            var configuration = ServerConfiguration()
            configuration.lineProtocol.port = 0
            configuration.wire.isEnabled = false
            configuration.http.port = try #require(addresses.http?.port)
            let backend = EngineBackend(
                directory: storage, queries: QueryEngine(directory: storage), memory: storage.memory,
                acknowledgesDurably: true)
            let second = try MartletService(backend: backend, configuration: configuration, logger: Self.quiet)
            let error = await #expect(throws: MartletError.self) { try await second.start() }
            #expect(error?.code == .io && error?.message.contains("for HTTP") == true)
            #expect(second.addresses == MartletService.Addresses())
        }
    }
}

#if canImport(Foundation)
    import Foundation
#endif
