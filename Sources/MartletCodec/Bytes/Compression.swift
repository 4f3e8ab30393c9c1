import CLZ4
import CZstd
import MartletModel

/// General-purpose compression of byte strings with LZ4 blocks and zstd frames.
///
/// The raw length is not part of the output; callers store it. Decompression writes exactly the length that the
/// caller expects, or throws `.corrupt`.
package enum Compression {
    /// The compressors.
    package enum Method: UInt8, Sendable {
        /// LZ4 block format.
        case lz4 = 1
        /// A zstd frame without checksum and content size.
        case zstd = 2
    }

    /// The most bytes that one call takes.
    package static let maximumLength = 0x7000_0000

    /// Appends the compressed form of `bytes` to `output`.
    ///
    /// - Parameter level: the zstd level, 1...19; unused by LZ4.
    /// - Throws: `.invalidArgument` above `maximumLength`, `.internal` when a library refuses.
    package static func compress(
        _ bytes: UnsafeRawBufferPointer, method: Method, level: Int32 = 3, into output: inout MutableBuffer
    ) throws(MartletError) {
        guard bytes.count <= maximumLength else {
            throw MartletError(.invalidArgument, "\(bytes.count) bytes exceed the limit of one compressed section")
        }
        switch method {
        case .lz4:
            let bound = Int(LZ4_compressBound(Int32(bytes.count)))
            output.reserve(bound)
            let target = (output.base + output.byteCount).assumingMemoryBound(to: CChar.self)
            let source = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let written = LZ4_compress_default(source, target, Int32(bytes.count), Int32(bound))
            guard written > 0 else { throw MartletError(.internal, "LZ4 refused \(bytes.count) bytes") }
            output.byteCount += Int(written)
        case .zstd:
            guard let context = ZSTD_createCCtx() else {
                throw MartletError(.resourceExhausted, "no memory for a zstd compressor")
            }
            defer { ZSTD_freeCCtx(context) }
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0)
            let bound = ZSTD_compressBound(bytes.count)
            output.reserve(bound)
            let written = ZSTD_compress2(
                context, output.base + output.byteCount, bound, bytes.baseAddress, bytes.count)
            guard ZSTD_isError(written) == 0 else {
                throw MartletError(.internal, "zstd refused \(bytes.count) bytes: \(errorName(written))")
            }
            output.byteCount += written
        }
    }

    /// Decompresses `bytes` into exactly the memory of `target`.
    ///
    /// - Throws: `.corrupt` when the bytes are not of this method or not of this raw length.
    package static func decompress(
        _ bytes: UnsafeRawBufferPointer, method: Method, into target: UnsafeMutableRawBufferPointer
    ) throws(MartletError) {
        switch method {
        case .lz4:
            guard bytes.count <= maximumLength && target.count <= maximumLength else {
                throw corrupt("a compressed section exceeds its limit")
            }
            var spare: CChar = 0
            let written = withUnsafeMutablePointer(to: &spare) { spare in
                LZ4_decompress_safe(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    target.baseAddress?.assumingMemoryBound(to: CChar.self) ?? spare, Int32(bytes.count),
                    Int32(target.count))
            }
            guard Int(written) == target.count else {
                throw corrupt("an LZ4 section does not hold \(target.count) bytes")
            }
        case .zstd:
            guard let context = ZSTD_createDCtx() else {
                throw MartletError(.resourceExhausted, "no memory for a zstd decompressor")
            }
            defer { ZSTD_freeDCtx(context) }
            let written = ZSTD_decompressDCtx(
                context, target.baseAddress, target.count, bytes.baseAddress, bytes.count)
            guard ZSTD_isError(written) == 0 else {
                throw corrupt("a zstd section is damaged: \(errorName(written))")
            }
            guard written == target.count else {
                throw corrupt("a zstd section holds \(written) bytes where \(target.count) were promised")
            }
        }
    }

    /// The `count` bytes that `bytes` decompress to, in memory of their own.
    ///
    /// - Throws: as `decompress(_:method:into:)`.
    package static func decompressed(
        _ bytes: UnsafeRawBufferPointer, method: Method, count: Int
    ) throws(MartletError) -> Buffer {
        var raw = MutableBuffer(capacity: count)
        do throws(MartletError) {
            try decompress(bytes, method: method, into: UnsafeMutableRawBufferPointer(start: raw.base, count: count))
        } catch {
            // Said aloud, because Swift 6.3 does not run the deinit of a value that only the other path consumes.
            _ = consume raw
            throw error
        }
        raw.byteCount = count
        return raw.finish()
    }

    private static func errorName(_ code: Int) -> String { String(cString: ZSTD_getErrorName(code)) }
}
