import CLZ4
import CZstd
import MartletModel

/// How pages are compressed.
package enum ParquetCompression: Sendable, Hashable {
    /// Not at all.
    case none
    /// Zstandard (RFC 8878) at a level of 1...22.
    case zstd(level: Int)
    /// An LZ4 block without a frame.
    case lz4

    var codec: CompressionCodec {
        switch self {
        case .none: .uncompressed
        case .zstd: .zstd
        case .lz4: .lz4Raw
        }
    }
}

/// Compresses pages one after the other with one context.
///
/// Invariant: `context` is a valid zstd context, owned by this object, whenever the compression is `.zstd`.
final class PageCompressor {
    let compression: ParquetCompression
    private let context: OpaquePointer?

    init(_ compression: ParquetCompression) throws(MartletError) {
        self.compression = compression
        guard case .zstd(let level) = compression else {
            context = nil
            return
        }
        guard (1...22).contains(level) else {
            throw MartletError(.invalidArgument, "zstd level \(level) is not in 1...22")
        }
        guard let context = ZSTD_createCCtx() else {
            throw MartletError(.resourceExhausted, "no memory for a zstd context")
        }
        self.context = context
        _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Appends `source`, compressed, to `target`.
    func compress(_ source: UnsafeRawBufferPointer, into target: inout MutableBuffer) throws(MartletError) {
        switch compression {
        case .none: target.append(source)
        case .zstd:
            let bound = ZSTD_compressBound(source.count)
            target.reserve(bound)
            let written = ZSTD_compress2(
                context, target.base + target.byteCount, bound, source.baseAddress, source.count)
            guard ZSTD_isError(written) == 0 else {
                throw MartletError(.internal, "zstd: \(String(cString: ZSTD_getErrorName(written)))")
            }
            target.byteCount += written
        case .lz4:
            let bound = Int(LZ4_compressBound(Int32(source.count)))
            target.reserve(bound)
            let written = LZ4_compress_default(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                (target.base + target.byteCount).assumingMemoryBound(to: CChar.self), Int32(source.count), Int32(bound))
            guard written > 0 else { throw MartletError(.internal, "lz4 refused \(source.count) bytes") }
            target.byteCount += Int(written)
        }
    }
}

/// What writing pages needs beside the values: one compressor and room for one page, shared by the columns of a file and
/// by files that one thread writes side by side.
final class PageWorkspace {
    let compressor: PageCompressor
    /// The page's values, and its levels where these are compressed too.
    var body = MutableBuffer(capacity: 0)
    /// The page as it is written.
    var packed = MutableBuffer(capacity: 0)

    init(_ compression: ParquetCompression) throws(MartletError) { compressor = try PageCompressor(compression) }
}

/// Decompresses pages, whose uncompressed size their header gives, with one context.
///
/// Invariant: `context` is `nil` or a valid zstd context owned by this object.
final class PageDecompressor {
    private var context: OpaquePointer?

    deinit { ZSTD_freeDCtx(context) }

    /// The bytes of a page; `source` must decompress to exactly `size` bytes.
    ///
    /// - Throws: `.corrupt` when it does not, `.unsupported` for a codec that is not read here.
    func decompress(
        _ source: UnsafeRawBufferPointer, size: Int, codec: CompressionCodec
    ) throws(MartletError) -> Buffer {
        var target = MutableBuffer(capacity: size)
        target.byteCount = size
        let room = UnsafeMutableRawBufferPointer(start: target.base, count: size)
        switch codec {
        case .uncompressed:
            guard source.count == size else {
                throw MartletError(.corrupt, "an uncompressed page has \(source.count) bytes and claims \(size)")
            }
            room.copyMemory(from: source)
        case .snappy: try Snappy.decompress(source, into: room)
        case .zstd:
            if context == nil { context = ZSTD_createDCtx() }
            guard let context else { throw MartletError(.resourceExhausted, "no memory for a zstd context") }
            let written = ZSTD_decompressDCtx(context, room.baseAddress, size, source.baseAddress, source.count)
            guard ZSTD_isError(written) == 0, written == size else {
                throw MartletError(.corrupt, "a zstd page does not decompress to the \(size) bytes that it claims")
            }
        case .lz4Raw:
            guard let count = Int32(exactly: source.count), let capacity = Int32(exactly: size) else {
                throw MartletError(.corrupt, "an LZ4 page of \(source.count) bytes is too large")
            }
            let written = LZ4_decompress_safe(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                room.baseAddress?.assumingMemoryBound(to: CChar.self),
                count, capacity)
            guard Int(written) == size else {
                throw MartletError(.corrupt, "an LZ4 page does not decompress to the \(size) bytes that it claims")
            }
        case .gzip, .lzo, .brotli, .lz4:
            throw MartletError(
                .unsupported, "compression \(codec.name) is not read by this build",
                hint: "write the file with ZSTD, SNAPPY, LZ4_RAW or no compression")
        }
        return target.finish()
    }
}
