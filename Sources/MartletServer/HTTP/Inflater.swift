import CZlib
import MartletModel
import NIOCore

/// Unpacks gzip (RFC 1952) or zlib (RFC 1950) piece by piece, within bounds.
///
/// Invariant of the unsafe code here: `stream` does not move while zlib holds pointers into it; the pointers to input
/// and output are set for each call and are not used after it.
final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private let maximumBytes: Int
    private let maximumExpansion: Int
    private var packed = 0
    private var unpacked = 0
    private var isAtEnd = false

    init(maximumBytes: Int, maximumExpansion: Int) throws(MartletError) {
        self.maximumBytes = maximumBytes
        self.maximumExpansion = maximumExpansion
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 32 more than the largest window: the format is told by the header.
        let result = inflateInit2_(stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            throw MartletError(.resourceExhausted, "zlib cannot start: \(result)")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Unpacks `input` and hands the text over in pieces.
    func unpack(
        _ input: ByteBuffer, _ consume: (ByteBuffer) async throws -> Void
    ) async throws {
        var input = input
        packed += input.readableBytes
        while input.readableBytes > 0 {
            let piece = try step(&input)
            if piece.readableBytes > 0 { try await consume(piece) }
        }
    }

    /// Whether everything that was begun came to its end.
    func finish() throws(MartletError) {
        guard isAtEnd || packed == 0 else {
            throw MartletError(.malformedLine, "the packed body ends too early")
        }
    }

    private func step(_ input: inout ByteBuffer) throws(MartletError) -> ByteBuffer {
        if isAtEnd {
            // Another member of the same file.
            inflateReset(stream)
            isAtEnd = false
        }
        var output = ByteBufferAllocator().buffer(capacity: 128 << 10)
        var result = Z_OK
        var used = 0
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: 128 << 10) { target in
            input.readWithUnsafeReadableBytes { source in
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.pointee.avail_in = UInt32(source.count)
                stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(target.count)
                result = inflate(stream, Z_NO_FLUSH)
                used = source.count - Int(stream.pointee.avail_in)
                return used
            }
            return target.count - Int(stream.pointee.avail_out)
        }
        unpacked += output.readableBytes
        isAtEnd = result == Z_STREAM_END
        guard result == Z_OK || result == Z_STREAM_END, used > 0 || output.readableBytes > 0 else {
            throw MartletError(.malformedLine, "the body is not valid gzip or zlib data (after \(packed) bytes)")
        }
        guard unpacked <= maximumBytes else {
            throw MartletError(.outOfRange, "the body unpacks to more than \(maximumBytes) bytes")
        }
        guard unpacked <= 1 << 20 || unpacked / maximumExpansion <= packed else {
            throw MartletError(.outOfRange, "the body unpacks to more than \(maximumExpansion) times its size")
        }
        return output
    }
}
