import MartletModel
import NIOCore

/// A frame that arrived.
package struct IncomingFrame: Sendable {
    package var requestID: UInt32
    package var message: Message
    /// Bytes that the frame took on the wire, padding included.
    package var byteCount: Int
}

/// Cuts the stream into frames and reads them. A broken frame ends the decoder with a `MartletError`.
package struct FrameDecoder: ByteToMessageDecoder {
    package typealias InboundOut = IncomingFrame

    /// The most bytes that an unfinished frame may make a connection hold.
    package static func maximumBufferSize(forBody maximumBody: Int) -> Int {
        FrameHeader.byteCount + maximumBody + 8
    }

    private let maximumBody: Int
    private var header: FrameHeader?

    package init(maximumBody: Int) { self.maximumBody = maximumBody }

    package mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        let current: FrameHeader
        if let header {
            current = header
        } else {
            guard buffer.readableBytes >= FrameHeader.byteCount else { return .needMoreData }
            current = try buffer.withUnsafeReadableBytes { bytes throws(MartletError) in
                try FrameHeader(bytes, maximumBody: maximumBody)
            }
            header = current
        }
        let end = FrameHeader.byteCount + current.bodyLength
        let total = end + FrameHeader.padding(after: current.bodyLength)
        guard buffer.readableBytes >= total else { return .needMoreData }
        let message = try buffer.withUnsafeReadableBytes { bytes throws(MartletError) in
            try FrameCodec.message(
                current, body: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<end]))
        }
        buffer.moveReaderIndex(forwardBy: total)
        header = nil
        context.fireChannelRead(
            wrapInboundOut(IncomingFrame(requestID: current.requestID, message: message, byteCount: total)))
        return .continue
    }

    package mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        while try decode(context: context, buffer: &buffer) == .continue {}
        return .needMoreData
    }
}

extension FrameCodec {
    /// A frame as NIO sends it.
    package static func byteBuffer(
        _ message: Message, requestID: UInt32, compression: WireCompression? = nil, maximumBody: Int
    ) throws(MartletError) -> ByteBuffer {
        var output = MutableBuffer(capacity: 256)
        try append(
            message, requestID: requestID, compression: compression, maximumBody: maximumBody, to: &output)
        return ByteBuffer(bytes: output.bytes)
    }
}

extension WireFeatures {
    /// The method to compress with, given what both sides can do.
    package func preferred(_ wanted: WireFeatures) -> WireCompression? {
        let shared = intersection(wanted)
        if shared.contains(.zstd) { return .zstd }
        return shared.contains(.lz4) ? .lz4 : nil
    }
}
