import Foundation
import Logging
import MartletModel
import MartletWire
import Testing

@testable import MartletServer

func usleepBriefly() { usleep(1000) }

/// Runs `body` against a listener on a port of its own.
func withListener(
    _ backend: ScriptedBackend = ScriptedBackend(), _ change: (inout WireConfiguration) -> Void = { _ in },
    _ body: (_ listener: WireListener, _ port: Int) async throws -> Void
) async throws {
    var configuration = WireConfiguration()
    configuration.port = 0
    configuration.shutdownGrace = 500_000_000
    change(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let listener = WireListener(configuration: configuration, backend: backend, logger: logger)
    let port = try #require(try await listener.start().port)
    do {
        try await body(listener, port)
    } catch {
        await listener.shutdown()
        throw error
    }
    await listener.shutdown()
}

/// Waits until `condition` holds, at most five seconds.
func eventually(_ what: Comment, _ condition: () -> Bool) async throws {
    for _ in 0..<500 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record(what)
}

/// A bare TCP connection, for bytes that no client would send.
final class RawConnection {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, 0) }
    }

    func send(_ message: Message, id: UInt32) throws {
        var output = MutableBuffer(capacity: 64)
        try FrameCodec.append(message, requestID: id, maximumBody: 1 << 24, to: &output)
        send(Array(output.bytes))
    }

    /// The next frame, or `nil` when the server closed the connection.
    func receive() throws -> (id: UInt32, message: Message)? {
        guard let head = read(FrameHeader.byteCount) else { return nil }
        let headBytes = Buffer(head)
        let header = try withExtendedLifetime(headBytes) { try FrameHeader(headBytes.bytes, maximumBody: 1 << 24) }
        let total = header.bodyLength + FrameHeader.padding(after: header.bodyLength)
        let body = Buffer(Array(try #require(read(total)).prefix(header.bodyLength)))
        return try withExtendedLifetime(body) {
            (header.requestID, try FrameCodec.message(header, body: body.bytes))
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + done, count - done, 0) }
            if got <= 0 { return nil }
            done += got
        }
        return bytes
    }

    static let hello = Message.hello(Greeting(features: [], maximumBody: 1 << 20, software: "raw"))
}
