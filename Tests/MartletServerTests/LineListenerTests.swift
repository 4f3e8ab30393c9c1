import Logging
import MartletModel
import MartletStorage
import Testing

@testable import MartletServer

@Suite("Line-protocol listener", .serialized)
struct LineListenerTests {
    /// A listener on a free port for the length of `body`.
    private func serve(
        _ engines: [MemoryEngine], _ change: (inout ServerConfiguration.LineProtocolSettings) -> Void = { _ in },
        _ body: (Int, LineListener) async throws -> Void
    ) async throws {
        var settings = ServerConfiguration.LineProtocolSettings()
        settings.port = 0
        change(&settings)
        var backend = MemoryBackend()
        for engine in engines { backend.engines[engine.name] = engine }
        let listener = LineListener(
            settings: settings, backend: backend, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let port = try #require(try await listener.start().port)
        try await body(port, listener)
        await listener.shutdown(grace: .seconds(5))
    }

    @Test("a sent file is committed and answered with how many lines were taken and refused")
    func file() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu,host=a v=1i 1\ncpu,host=a v=oops 2\n\ncpu,host=b v=3i 3\n")
            socket.endOutput()
            let lines = socket.receiveAll().split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.hasPrefix("ERR 2:14 ") == true)
            #expect(lines.last == "OK 2 1")
            #expect(engine.values("v", of: "cpu") == [.int64(1), .int64(3)])
        }
    }

    @Test("a flush is answered without closing, and counts go on")
    func flush() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=1 1\n# flush\n")
            #expect(socket.receive(lines: 1) == ["OK 1 0"])
            #expect(engine.rows == 1)
            socket.send("cpu v=2 2\nbad\n# flush\ncpu v=3 3\n")
            #expect(socket.receive(lines: 2).last == "OK 2 1")
            socket.endOutput()
            #expect(socket.receiveAll() == "OK 3 1\n")
        }
    }

    @Test("an idle connection's line is committed at once, without a flush")
    func latency() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=1 1\n")
            for _ in 0..<500 where engine.rows == 0 { try await Task.sleep(for: .milliseconds(2)) }
            #expect(engine.rows == 1)
        }
    }

    @Test("a greeting names namespace and precision and is answered")
    func greeting() async throws {
        let (first, second) = (MemoryEngine(), MemoryEngine(name: "plant-7"))
        try await serve([first, second]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("martlet:v1:ns:plant-7:pre")
            try await Task.sleep(for: .milliseconds(20))
            socket.send("cision:ms\ncpu v=1 5\nbad\n")
            socket.endOutput()
            let lines = socket.receiveAll().split(separator: "\n")
            #expect(lines.first == "HELLO martlet:v1:ns:plant-7:precision:ms")
            #expect(lines.dropFirst().first?.hasPrefix("ERR 3:4 ") == true)
            #expect(lines.last == "OK 1 1")
            #expect(second.times(of: "cpu") == [5_000_000])
            #expect(first.rows == 0)
        }
    }

    @Test(
        "a wrong greeting is answered with its column and the connection is closed",
        arguments: [
            ("hello\n", "ERR 1:1 "), ("martlet:v2\n", "ERR 1:9 "), ("martlet:v1:ns\n", "ERR 1:14 "),
            ("martlet:v1:ns:none\n", "ERR 1:1 "), ("martlet:v1:precision:years\r\n", "ERR 1:22 "),
            ("martlet:v1:key:abc\n", "ERR 1:12 "), ("martlet:v1:ns:a:ns:b\n", "ERR 1:17 "),
            ("martlet:v1:ns:%4\n", "ERR 1:15 "),
        ])
    func wrongGreeting(_ text: String, _ answer: String) async throws {
        try await serve([MemoryEngine()]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send(text + "cpu v=1 1\n")
            let reply = socket.receiveAll()
            #expect(reply.hasPrefix(answer), "\(reply)")
            #expect(reply.split(separator: "\n").count == 1)
        }
    }

    @Test("a connection cut within a line loses that line alone")
    func cutLine() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=1 1\ncpu v=22")
            socket.endOutput()
            let lines = socket.receiveAll().split(separator: "\n")
            #expect(lines.first?.hasPrefix("ERR 2:9 ") == true)
            #expect(lines.last == "OK 1 1")
        }
        #expect(engine.rows == 1)
    }

    @Test("lines are put together however the network cuts them")
    func pieces() async throws {
        let engine = MemoryEngine()
        try await serve([engine], { $0.readSize = 7 }) { port, _ in
            let socket = try RawSocket(port: port)
            let text = (0..<200).map { "cpu,host=h\($0 % 3) v=\($0)i,s=\"two\nlines\" \($0)\n" }.joined()
            socket.send(text)
            socket.endOutput()
            #expect(socket.receiveAll() == "OK 200 0\n")
        }
        #expect(engine.times(of: "cpu") == Array(0..<200))
    }

    @Test("rows that the store refuses are answered with their line")
    func rejectedByStore() async throws {
        let engine = MemoryEngine()
        engine.state.withLock {
            $0.rejectRows = { batch, row in
                guard case .int64(let number)? = batch.batch["v"]?.value(at: row), number % 2 == 1 else { return nil }
                return MartletError(.resourceExhausted, "odd numbers are too many")
            }
        }
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("# a comment\ncpu v=0i 0\ncpu v=1i 1\ncpu v=2i 2\n")
            socket.endOutput()
            #expect(socket.receiveAll() == "ERR 3:0 odd numbers are too many\nOK 2 1\n")
        }
    }

    @Test("a commit that fails is told with its reason, and the connection ends")
    func failedCommit() async throws {
        let engine = MemoryEngine()
        engine.state.withLock { $0.failures = [MartletError(.storageFull, "no space is left")] }
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=0i 0\ncpu v=1i 1\n")
            let reply = socket.receiveAll()
            #expect(reply == "ERR 0:0 2 rows were not stored: no space is left\nOK 0 2\n")
        }
    }

    @Test("a store short of memory delays the connection and loses nothing")
    func retry() async throws {
        let engine = MemoryEngine()
        let short = MartletError(.resourceExhausted, "the budget is used up")
        engine.state.withLock { $0.failures = [short, short] }
        try await serve([engine]) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=0i 0\n")
            socket.endOutput()
            #expect(socket.receiveAll() == "OK 1 0\n")
        }
        #expect(engine.rows == 1)
    }

    @Test("while commits are behind nothing is read, and everything arrives in order afterwards")
    func backPressure() async throws {
        let engine = MemoryEngine()
        engine.state.withLock { $0.isHolding = true }
        let change: (inout ServerConfiguration.LineProtocolSettings) -> Void = {
            $0.maximumBatchRows = 1_000
            $0.readSize = 16_384
        }
        try await serve([engine], change) { port, listener in
            let socket = try RawSocket(port: port, seconds: 2)
            let line = "cpu,host=somewhere value=12345i,text=\"" + String(repeating: "x", count: 200) + "\""
            let text = Array((0..<100_000).map { "\(line) \($0)\n" }.joined().utf8)
            let sent = socket.send(text)
            #expect(sent < text.count, "the socket took \(sent) bytes although nothing was committed")
            engine.release()
            let rest = try RawSocketRest(socket, text, sent)
            rest.finish()
            #expect(socket.receiveAll().hasSuffix("OK 100000 0\n"))
            #expect(listener.figures.first { $0.name == "line_pauses_total" }?.value ?? 0 > 0)
        }
        #expect(engine.times(of: "cpu") == Array(0..<100_000))
    }

    @Test("a client that never reads neither blocks nor is remembered without bound")
    func silentClient() async throws {
        let engine = MemoryEngine()
        try await serve([engine], { $0.maximumReplyBytes = 4_096 }) { port, _ in
            let socket = try RawSocket(port: port)
            let bad = String(repeating: "x", count: 400)
            socket.send((0..<4_000).map { "\(bad) v=\(bad)\ncpu v=1 \($0)\n# flush\n" }.joined())
            for _ in 0..<2_000 where engine.rows < 4_000 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(engine.rows == 4_000)
            socket.endOutput()
            let reply = socket.receiveAll()
            #expect(reply.hasSuffix("OK 4000 4000\n"))
        }
    }

    @Test("many connections are served at once")
    func manyConnections() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, _ in
            let sockets = try (0..<50).map { _ in try RawSocket(port: port) }
            for (index, socket) in sockets.enumerated() { socket.send("cpu,c=\(index) v=1 \(index)\n") }
            for socket in sockets { socket.endOutput() }
            for socket in sockets { #expect(socket.receiveAll() == "OK 1 0\n") }
        }
        #expect(engine.rows == 50)
    }

    @Test("a connection beyond the limits is told why")
    func limits() async throws {
        try await serve([MemoryEngine()], { $0.maximumConnectionsPerAddress = 1 }) { port, _ in
            let first = try RawSocket(port: port)
            first.send("cpu v=1 1\n# flush\n")
            #expect(first.receive(lines: 1) == ["OK 1 0"])
            let second = try RawSocket(port: port)
            #expect(second.receiveAll() == "ERR 0:0 1 connections from 127.0.0.1 are open, which is the limit\n")
        }
    }

    @Test("a silent connection is closed, and what it sent is kept")
    func silence() async throws {
        let engine = MemoryEngine()
        try await serve([engine], { $0.idleTimeout = .milliseconds(100) }) { port, _ in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=1 1\n")
            let reply = socket.receiveAll()
            #expect(reply.hasPrefix("ERR 0:0 nothing came for "), "\(reply)")
            #expect(reply.hasSuffix("OK 1 0\n"))
        }
        try await serve([engine], { $0.firstLineTimeout = .milliseconds(100) }) { port, _ in
            let socket = try RawSocket(port: port)
            #expect(socket.receiveAll().hasSuffix("OK 0 0\n"))
        }
    }

    @Test("a shutdown commits what was read and answers")
    func shutdown() async throws {
        let engine = MemoryEngine()
        try await serve([engine]) { port, listener in
            let socket = try RawSocket(port: port)
            socket.send("cpu v=1 1\n# flush\n")
            #expect(socket.receive(lines: 1) == ["OK 1 0"])
            engine.state.withLock { $0.isHolding = true }
            socket.send("cpu v=2 2\ncpu v=3")
            try await Task.sleep(for: .milliseconds(50))
            async let stopped: Void = listener.shutdown(grace: .seconds(5))
            try await Task.sleep(for: .milliseconds(50))
            engine.release()
            await stopped
            #expect(socket.receiveAll().hasSuffix("OK 2 1\n"))
        }
        #expect(engine.rows == 2)
    }
}

/// Sends the rest of a text from another thread, so that the test can read the answers.
private final class RawSocketRest: @unchecked Sendable {
    private let socket: RawSocket
    private let text: ArraySlice<UInt8>

    init(_ socket: RawSocket, _ text: [UInt8], _ sent: Int) throws {
        self.socket = socket
        self.text = text[sent...]
    }

    func finish() {
        var rest = text
        for _ in 0..<20 where !rest.isEmpty { rest = rest.dropFirst(socket.send(Array(rest))) }
        socket.endOutput()
    }
}
