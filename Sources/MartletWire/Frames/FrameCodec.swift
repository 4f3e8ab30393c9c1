import MartletCodec
import MartletModel

/// Whole frames to and from memory; no I/O.
package enum FrameCodec {
    /// Bodies below this are not worth compressing, in bytes.
    static let compressionThreshold = 1024

    /// Appends a frame, padding included. `output.byteCount` must be a multiple of eight.
    ///
    /// - Parameters:
    ///   - compression: used where it makes the body smaller.
    ///   - maximumBody: what the peer accepts, in bytes.
    /// - Throws: `.outOfRange` when the body exceeds `maximumBody`; `output` is then as it was.
    package static func append(
        _ message: Message, requestID: UInt32, compression: WireCompression? = nil, maximumBody: Int,
        to output: inout MutableBuffer
    ) throws(MartletError) {
        let start = output.byteCount
        precondition(start & 7 == 0, "a frame starts at a multiple of eight, not at \(start)")
        output.appendZeros(FrameHeader.byteCount)
        do throws(MartletError) {
            try message.appendBody(to: &output)
            var bodyLength = output.byteCount - start - FrameHeader.byteCount
            guard bodyLength <= maximumBody else {
                throw MartletError(
                    .outOfRange, "a frame of \(bodyLength) bytes exceeds the peer's limit of \(maximumBody)",
                    hint: "send fewer rows at once")
            }
            let expandedLength = bodyLength
            var used: WireCompression?
            if let compression, bodyLength >= compressionThreshold {
                var packed = MutableBuffer(capacity: bodyLength)
                let body = UnsafeRawBufferPointer(rebasing: output.bytes[(start + FrameHeader.byteCount)...])
                try Compression.compress(body, method: compression, level: 1, into: &packed)
                if packed.byteCount < bodyLength {
                    output.byteCount = start + FrameHeader.byteCount
                    output.append(packed.bytes)
                    bodyLength = packed.byteCount
                    used = compression
                }
            }
            let body = UnsafeRawBufferPointer(rebasing: output.bytes[(start + FrameHeader.byteCount)...])
            let header = FrameHeader(
                type: message.type, compression: used, requestID: requestID, bodyLength: bodyLength,
                expandedLength: expandedLength, bodyChecksum: CRC32C.checksum(body))
            output.appendZeros(FrameHeader.padding(after: bodyLength))
            header.write(to: output.base + start)
        } catch {
            output.byteCount = start
            throw error
        }
    }

    /// Reads the body that belongs to `header`: compares its checksum, expands it, takes it apart.
    ///
    /// - Parameter body: `header.bodyLength` bytes.
    package static func message(
        _ header: FrameHeader, body: UnsafeRawBufferPointer
    ) throws(MartletError) -> Message {
        precondition(body.count == header.bodyLength, "a body of \(body.count) for a header of \(header.bodyLength)")
        guard CRC32C.checksum(body) == header.bodyChecksum else {
            throw MartletError(
                .protocolViolation, "the checksum of a frame's body differs: bytes were damaged on the way")
        }
        guard let method = header.compression else { return try Message(header.type, body: body) }
        // Zeroed pages cost nothing until they are written; the length was checked against the limit.
        let expanded: Buffer
        do throws(MartletError) {
            expanded = try Compression.decompressed(body, method: method, count: header.expandedLength)
        } catch {
            throw MartletError(.protocolViolation, "a frame's body does not decompress: \(error.message)")
        }
        defer { withExtendedLifetime(expanded) {} }
        return try Message(header.type, body: expanded.bytes)
    }
}

extension FrameHeader {
    package init(
        type: FrameType, compression: WireCompression?, requestID: UInt32, bodyLength: Int, expandedLength: Int,
        bodyChecksum: UInt32
    ) {
        self.type = type
        self.compression = compression
        self.requestID = requestID
        self.bodyLength = bodyLength
        self.expandedLength = expandedLength
        self.bodyChecksum = bodyChecksum
    }
}
