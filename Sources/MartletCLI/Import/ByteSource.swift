import CZlib
import CZstd
import Foundation
import MartletModel
import Synchronization

/// Bytes read from front to back.
protocol ByteSource: AnyObject {
    /// Fills the front of `buffer`; returns how many bytes it got, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int
}

/// Bytes that were taken from a file, for a progress line on another thread.
final class ByteCounter: Sendable {
    private let bytes = Atomic(0)
    var count: Int { bytes.load(ordering: .relaxed) }
    func add(_ more: Int) { bytes.add(more, ordering: .relaxed) }
}

/// A file or standard input.
final class FileSource: ByteSource {
    private let descriptor: Int32
    private let path: String
    /// The file's length, or `nil` for a pipe.
    let size: Int?
    let counter = ByteCounter()

    /// - Parameter path: `-` for standard input.
    /// - Throws: `.notFound` or `.io`.
    init(path: String) throws(MartletError) {
        self.path = path
        if path == "-" {
            descriptor = STDIN_FILENO
            size = nil
            return
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw MartletError(
                errno == ENOENT ? .notFound : .io, "cannot open: \(String(cString: strerror(errno)))",
                at: .file(path: path, offset: nil))
        }
        var status = stat()
        size = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int {
        while true {
            let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 {
                counter.add(count)
                return count
            }
            guard errno == EINTR else {
                throw MartletError(
                    .io, "cannot read: \(String(cString: strerror(errno)))", at: .file(path: path, offset: nil))
            }
        }
    }
}

/// A source whose first bytes have been looked at.
final class PeekedSource: ByteSource {
    private let source: any ByteSource
    private var head: [UInt8]

    /// Reads up to `count` bytes ahead.
    init(_ source: any ByteSource, count: Int) throws(MartletError) {
        self.source = source
        head = []
        var bytes = [UInt8](repeating: 0, count: count)
        while head.count < count {
            let wanted = count - head.count
            var got: Result<Int, MartletError> = .success(0)
            bytes.withUnsafeMutableBytes { buffer in
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                do throws(MartletError) { got = .success(try source.read(into: target)) } catch {
                    got = .failure(error)
                }
            }
            let number = try got.get()
            if number == 0 { break }
            head += bytes[..<number]
        }
    }

    /// Whether the bytes begin so.
    func starts(with magic: [UInt8]) -> Bool { head.starts(with: magic) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int {
        guard !head.isEmpty else { return try source.read(into: buffer) }
        let count = min(head.count, buffer.count)
        buffer.copyBytes(from: head[..<count])
        head.removeFirst(count)
        return count
    }
}

enum ByteSources {
    /// What `source` holds, unpacked if it is gzip (RFC 1952) or zstd (RFC 8878), told by its first bytes.
    static func unpacked(_ source: any ByteSource) throws(MartletError) -> any ByteSource {
        let peeked = try PeekedSource(source, count: 4)
        if peeked.starts(with: [0x1f, 0x8b]) { return try GzipSource(peeked) }
        if peeked.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return try ZstdSource(peeked) }
        return peeked
    }
}

/// Unpacks gzip, also of several members one after the other.
///
/// Invariant of the unsafe part: `stream` points into `input` only during `read`.
final class GzipSource: ByteSource {
    private let source: any ByteSource
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var isInMember = true
    private var sourceEnded = false

    init(_ source: any ByteSource) throws(MartletError) {
        self.source = source
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw MartletError(.resourceExhausted, "no memory to unpack gzip")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        input.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int {
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: buffer.count)
        let wanted = stream.pointee.avail_out
        while stream.pointee.avail_out == wanted {
            if stream.pointee.avail_in == 0 && !sourceEnded {
                let count = try source.read(into: input)
                sourceEnded = count == 0
                stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_in = UInt32(count)
            }
            if stream.pointee.avail_in == 0 {
                if isInMember { throw MartletError(.corrupt, "the gzip data ends in the middle") }
                return 0
            }
            if !isInMember {
                inflateReset(stream)
                isInMember = true
            }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: isInMember = false
            default:
                let reason = stream.pointee.msg.map { String(cString: $0) } ?? "unknown"
                throw MartletError(.corrupt, "the gzip data is damaged: \(reason)")
            }
        }
        return Int(wanted - stream.pointee.avail_out)
    }
}

/// Unpacks zstd, also of several frames one after the other.
final class ZstdSource: ByteSource {
    private let source: any ByteSource
    private let context: OpaquePointer
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var available = 0
    private var position = 0
    private var needsMore = 0

    init(_ source: any ByteSource) throws(MartletError) {
        self.source = source
        guard let context = ZSTD_createDCtx() else {
            throw MartletError(.resourceExhausted, "no memory to unpack zstd")
        }
        self.context = context
    }

    deinit {
        ZSTD_freeDCtx(context)
        input.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        while output.pos == 0 {
            if position == available {
                available = try source.read(into: input)
                position = 0
                if available == 0 {
                    // The last call may have left output behind only if it filled the buffer.
                    if needsMore > 0 { throw MartletError(.corrupt, "the zstd data ends in the middle") }
                    return 0
                }
            }
            var chunk = ZSTD_inBuffer(src: input.baseAddress, size: available, pos: position)
            needsMore = ZSTD_decompressStream(context, &output, &chunk)
            guard ZSTD_isError(needsMore) == 0 else {
                throw MartletError(
                    .corrupt, "the zstd data is damaged: \(String(cString: ZSTD_getErrorName(needsMore)))")
            }
            position = chunk.pos
        }
        return output.pos
    }
}
