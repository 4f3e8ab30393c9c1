import MartletModel

/// Reads a column chunk's bytes in order, through a window, so that many small pages cost few reads.
///
/// Invariants: `position <= end`; `window` holds the file's bytes from `windowStart` on.
struct ChunkInput {
    private let file: any File
    private var window = Buffer.empty
    private var windowStart: Int64 = 0
    /// The next byte to read.
    private(set) var position: Int64
    private let end: Int64

    private static let windowSize: Int64 = 256 << 10
    /// Page headers are a few dozen bytes, or a few hundred with long statistics.
    private static let headerGuess: Int64 = 1024
    private static let headerLimit: Int64 = 16 << 20

    init(_ file: any File, from start: Int64, to end: Int64) {
        self.file = file
        position = start
        self.end = end
    }

    var isAtEnd: Bool { position >= end }

    /// The next page's header.
    mutating func header() throws(MartletError) -> PageHeader {
        var wanted = Self.headerGuess
        while true {
            let available = min(wanted, end - position)
            let bytes = try peek(available)
            var reader = ThriftReader(bytes)
            do throws(MartletError) {
                let header = try PageHeader(from: &reader)
                position += Int64(reader.position)
                return header
            } catch {
                // A header that seems damaged may only be longer than what was read of it.
                guard available < end - position, wanted < Self.headerLimit else { throw error }
                wanted *= 16
            }
        }
    }

    /// The next `count` bytes; valid until the next call.
    mutating func take(_ count: Int) throws(MartletError) -> UnsafeRawBufferPointer {
        let bytes = try peek(Int64(count))
        position += Int64(count)
        return bytes
    }

    private mutating func peek(_ count: Int64) throws(MartletError) -> UnsafeRawBufferPointer {
        guard count <= end - position else {
            throw MartletError(
                .corrupt, "a page of \(count) bytes ends \(count - (end - position)) past its column chunk")
        }
        if position < windowStart || position + count > windowStart + Int64(window.byteCount) {
            let size = min(max(count, Self.windowSize), end - position)
            window = try file.readExactly(Int(size), at: position)
            windowStart = position
        }
        return UnsafeRawBufferPointer(
            start: window.baseAddress + Int(position - windowStart), count: Int(count))
    }
}
