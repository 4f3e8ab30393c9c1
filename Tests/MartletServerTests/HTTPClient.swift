/// One HTTP exchange over a plain socket.
struct HTTPExchange {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""

    /// Sends a request and reads the answer; a status of 0 stands for none.
    init(
        _ port: Int, _ method: String, _ target: String, headers sent: [String: String] = [:],
        body content: [UInt8] = []
    ) {
        guard let socket = try? RawSocket(port: port) else {
            body = "cannot connect"
            return
        }
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in sent { head += "\(name): \(value)\r\n" }
        if method == "POST" { head += "Content-Length: \(content.count)\r\n" }
        socket.send(Array((head + "\r\n").utf8) + content)
        let text = socket.receiveAll()
        guard let end = text.firstRange(of: "\r\n\r\n") else {
            self.body = "no answer to \(method) \(target): \(text)"
            return
        }
        var received: [String: String] = [:]
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        status = Int(lines[0].split(separator: " ")[1]) ?? 0
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            received[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let isChunked = received["transfer-encoding"] == "chunked"
        let rest = String(text[end.upperBound...])
        self.headers = received
        self.body = isChunked ? Self.joined(rest) : rest
    }

    init(_ port: Int, post target: String, _ text: String, headers: [String: String] = [:]) {
        self.init(port, "POST", target, headers: headers, body: Array(text.utf8))
    }

    /// The content of a chunked body; ends with `<cut>` where the last chunk is missing.
    private static func joined(_ text: String) -> String {
        var rest = Substring(text)
        var body = ""
        while let end = rest.firstRange(of: "\r\n"), let size = Int(rest[..<end.lowerBound], radix: 16) {
            if size == 0 { return body }
            let content = rest[end.upperBound...].utf8.prefix(size)
            body += String(decoding: content, as: UTF8.self)
            rest = Substring(rest[end.upperBound...].utf8.dropFirst(size + 2))
        }
        return body + "<cut>"
    }
}
