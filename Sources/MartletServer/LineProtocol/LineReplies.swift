import NIOCore

/// The answers to one connection, held within a bound.
///
/// What the client does not read stays in the socket's buffers first and here next. Beyond `limit` bytes, lines about
/// single errors are counted instead of kept, and answers to flushes are put together into one; both are told once
/// the client reads again.
struct LineReplies {
    private let limit: Int
    private var outstanding = 0
    private var buffer = ByteBuffer()
    /// Error lines that were left out since the last summary.
    private(set) var dropped = 0
    /// The latest answer to a flush that had to wait.
    private var owed: String?

    init(limit: Int) { self.limit = limit }

    private var isFull: Bool { outstanding + buffer.readableBytes >= limit }

    /// Adds a line about an error; says whether there was room.
    mutating func error(line: Int, column: Int, _ reason: String) -> Bool {
        guard !isFull else {
            dropped += 1
            return false
        }
        // A reason quotes names from the input; within one line, a control character becomes a question mark.
        let text = String(String.UnicodeScalarView(reason.unicodeScalars.map { $0.value < 32 ? "?" : $0 }))
        buffer.writeString("ERR \(line):\(column) \(text)\n")
        return true
    }

    /// Adds further errors that nobody kept the text of.
    mutating func unlisted(_ count: Int) { dropped += count }

    /// Adds a line that answers a greeting or a flush. A later one replaces an earlier one that had to wait.
    mutating func answer(_ line: String) {
        if isFull {
            owed = line
        } else {
            summarise()
            buffer.writeString(line + "\n")
        }
    }

    private mutating func summarise() {
        guard dropped > 0 else { return }
        buffer.writeString("ERR 0:0 \(dropped) more lines were refused; their errors are not listed\n")
        dropped = 0
    }

    /// The bytes to send now, if there are any; `sent` is to be called with their number once they are out.
    mutating func take() -> ByteBuffer? {
        if !isFull {
            if let line = owed {
                summarise()
                buffer.writeString(line + "\n")
                owed = nil
            }
        }
        guard buffer.readableBytes > 0 else { return nil }
        defer { buffer = ByteBuffer() }
        outstanding += buffer.readableBytes
        return buffer
    }

    mutating func sent(_ bytes: Int) { outstanding -= bytes }
}
