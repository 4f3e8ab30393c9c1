import MartletModel
import MartletTestSupport
import MartletWire
import Testing

@testable import MartletServer

/// Peers that do not keep to the protocol.
@Suite(.serialized) struct WireViolationTests {
    private func expectError(_ raw: RawConnection, _ code: MartletError.Code) throws {
        guard case (0, .error(let error))? = try raw.receive() else {
            Issue.record("no error came")
            return
        }
        #expect(error.code == code)
        #expect(try raw.receive() == nil, "the connection stays open")
    }

    @Test func aHTTPRequestIsToldAndClosed() async throws {
        try await withListener { _, port in
            let raw = try RawConnection(port: port)
            raw.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            try expectError(raw, .protocolViolation)
        }
    }

    @Test func aRequestBeforeTheHelloIsRefused() async throws {
        try await withListener { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(.query(QueryRequest(namespace: "default", sql: "count 1", credit: 1)), id: 1)
            try expectError(raw, .protocolViolation)
        }
    }

    @Test func aVersionThatNobodySpeaksIsRefused() async throws {
        try await withListener { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(
                .hello(
                    Greeting(oldestVersion: 7, newestVersion: 9, features: [], maximumBody: 1 << 20, software: "x")),
                id: 0)
            try expectError(raw, .unsupportedVersion)
        }
    }

    @Test func aFrameAboveTheLimitIsRefusedBeforeItsBodyComes() async throws {
        try await withListener { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(RawConnection.hello, id: 0)
            #expect(try raw.receive()?.id == 0)
            let header = FrameHeader(
                type: .append, compression: nil, requestID: 1, bodyLength: 1 << 30, expandedLength: 1 << 30,
                bodyChecksum: 0)
            var bytes = MutableBuffer(capacity: 24)
            bytes.appendZeros(24)
            header.write(to: bytes.base)
            raw.send(Array(bytes.bytes))
            try expectError(raw, .protocolViolation)
        }
    }

    @Test func aClientThatNeverGreetsIsClosed() async throws {
        try await withListener(ScriptedBackend(), { $0.helloTimeout = 50_000_000 }) { _, port in
            try expectError(try RawConnection(port: port), .timeout)
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        try await withListener(ScriptedBackend(), { $0.idleTimeout = 100_000_000 }) { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(RawConnection.hello, id: 0)
            #expect(try raw.receive()?.id == 0)
            try expectError(raw, .timeout)
        }
    }

    @Test func oneConnectionTooManyIsToldSo() async throws {
        try await withListener(ScriptedBackend(), { $0.maximumConnections = 1 }) { _, port in
            let client = try await WireClient.connect(port: port)
            await #expect(throws: MartletError.self) { try await WireClient.connect(port: port) }
            _ = try await client.ping()
            await client.close()
        }
    }

    @Test func authenticationIsReserved() async throws {
        try await withListener { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(RawConnection.hello, id: 0)
            _ = try raw.receive()
            try raw.send(.authenticate(method: "key", payload: []), id: 1)
            guard case (1, .error(let error))? = try raw.receive() else {
                Issue.record("no error came")
                return
            }
            #expect(error.code == .unsupported)
        }
    }

    @Test func aRequestIdInUseIsRefused() async throws {
        let backend = ScriptedBackend()
        try await withListener(backend) { _, port in
            let raw = try RawConnection(port: port)
            try raw.send(RawConnection.hello, id: 0)
            _ = try raw.receive()
            let query = Message.query(QueryRequest(namespace: "default", sql: "forever", credit: 0))
            try raw.send(query, id: 5)
            guard case (5, .schema)? = try raw.receive() else {
                Issue.record("no schema came")
                return
            }
            try raw.send(query, id: 5)
            guard case (5, .error(let error))? = try raw.receive() else {
                Issue.record("no error came")
                return
            }
            #expect(error.code == .invalidArgument)
        }
    }

    @Test func randomBytesNeverBringTheListenerDown() async throws {
        try await withListener { _, port in
            for seed in UInt64(0)..<40 {
                var random = SeededGenerator(seed: seed)
                let raw = try RawConnection(port: port)
                if seed % 2 == 0 {
                    try raw.send(RawConnection.hello, id: 0)
                    _ = try raw.receive()
                }
                raw.send(
                    (0..<Int.random(in: 24...400, using: &random)).map { _ in .random(in: 0...255, using: &random) })
                while try raw.receive() != nil {}
            }
            let client = try await WireClient.connect(port: port)
            _ = try await client.ping()
            await client.close()
        }
    }
}
