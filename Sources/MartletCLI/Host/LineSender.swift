import Foundation

/// A blocking TCP connection to a line-protocol port.
final class LineSender {
    private let descriptor: Int32
    private let name: String

    /// - Throws: `CommandFailure` of status `.cannotConnect`.
    init(host: String, port: Int) throws {
        name = "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            throw CommandFailure(
                "cannot connect to \(name): \(String(cString: gai_strerror(status)))", status: .cannotConnect)
        }
        defer { freeaddrinfo(list) }
        var reason = "no address"
        var found: Int32 = -1
        var next = list
        while let address = next?.pointee, found < 0 {
            let candidate = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
            if candidate >= 0 && connect(candidate, address.ai_addr, address.ai_addrlen) == 0 {
                found = candidate
            } else {
                reason = String(cString: strerror(errno))
                if candidate >= 0 { close(candidate) }
            }
            next = address.ai_next
        }
        guard found >= 0 else {
            throw CommandFailure(
                "cannot connect to \(name): \(reason) (is the daemon running there? `martlet serve` starts one)",
                status: .cannotConnect)
        }
        descriptor = found
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// - Throws: `CommandFailure` when the connection is gone.
    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw CommandFailure("the connection to \(name) broke: \(String(cString: strerror(errno)))")
            }
            done += count
        }
    }

    /// Ends the sending half and returns the server's last line, which says what became of the rows.
    func finish() throws -> String {
        shutdown(descriptor, Int32(SHUT_WR))
        var reply: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while reply.count < 1 << 20 {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            reply += chunk[..<count]
        }
        let lines = String(decoding: reply, as: UTF8.self).split(separator: "\n")
        guard let last = lines.last else { throw CommandFailure("\(name) closed the connection without an answer") }
        return String(last)
    }
}
