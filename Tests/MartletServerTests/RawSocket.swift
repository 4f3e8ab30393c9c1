import MartletModel
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A plain blocking TCP client, with a time limit on every read.
final class RawSocket {
    private let descriptor: Int32

    init(port: Int, seconds: Int = 10) throws {
        #if canImport(Glibc)
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw MartletError(.io, "cannot connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends everything, or says how many bytes went out before the time limit.
    @discardableResult func send(_ bytes: [UInt8]) -> Int {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                #if canImport(Darwin)
                    Darwin.send(descriptor, $0.baseAddress! + done, bytes.count - done, 0)
                #else
                    Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
                #endif
            }
            if count <= 0 { break }
            done += count
        }
        return done
    }

    @discardableResult func send(_ text: String) -> Int { send(Array(text.utf8)) }

    func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes until the server closes, or the time limit.
    func receiveAll() -> String {
        var text: [UInt8] = []
        while let bytes = receive(), !bytes.isEmpty { text += bytes }
        return String(decoding: text, as: UTF8.self)
    }

    /// What comes until it holds `count` lines, the server closes, or the time limit.
    func receive(lines count: Int) -> [String] {
        var text: [UInt8] = []
        while text.count(where: { $0 == 10 }) < count, let bytes = receive(), !bytes.isEmpty { text += bytes }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The next bytes; empty at the end, `nil` after the time limit or an error.
    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }
}
