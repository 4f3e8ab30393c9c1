import MartletCodec
import MartletModel

/// Numbers that both sides of the wire protocol share; see format-spec/wire-protocol.md.
public enum WireProtocol {
    /// The version that this build speaks.
    public static let version: UInt16 = 1
    /// The port that the daemon listens on unless told otherwise.
    public static let defaultPort = 9010
    /// The largest body that is accepted unless configured otherwise, in bytes.
    public static let defaultMaximumBody = 16 << 20
    /// The smallest limit on bodies that a peer may announce, in bytes.
    public static let smallestMaximumBody = 64 << 10
    /// The first eight bytes of a hello's and a welcome's body.
    package static let magic: [UInt8] = Array("MRTLWIRE".utf8)
    /// The most reasons for rejected rows that one acknowledgement lists.
    package static let maximumListedRejections = 1000
}

/// Optional abilities that hello and welcome agree on.
public struct WireFeatures: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bodies may be compressed with LZ4's block format.
    public static let lz4 = WireFeatures(rawValue: 1)
    /// Bodies may be compressed as a zstd frame.
    public static let zstd = WireFeatures(rawValue: 2)
}

/// What a frame is.
package enum FrameType: UInt8, Sendable, CaseIterable {
    case hello = 1
    case welcome = 2
    case authenticate = 3
    case authenticated = 4
    case ping = 5
    case pong = 6
    case append = 7
    case appended = 8
    case query = 9
    case schema = 10
    case rows = 11
    case end = 12
    case credit = 13
    case cancel = 14
    case error = 15
}

/// The 24 bytes before each body.
package struct FrameHeader: Sendable, Hashable {
    /// Bytes of a header.
    package static let byteCount = 24

    /// What the body is.
    package var type: FrameType
    /// How the body is compressed, if it is.
    package var compression: WireCompression?
    /// The request that the frame belongs to; 0 for the connection itself.
    package var requestID: UInt32
    /// Bytes of the body as sent, without the padding after it.
    package var bodyLength: Int
    /// Bytes of the body once decompressed; `bodyLength` where it is not compressed.
    package var expandedLength: Int
    /// CRC-32C of the body as sent.
    package var bodyChecksum: UInt32

    /// Zero bytes after a body of `length` bytes, which bring the next frame to a multiple of eight.
    package static func padding(after length: Int) -> Int { -length & 7 }

    /// Writes the header over the 24 bytes at `target`.
    package func write(to target: UnsafeMutableRawPointer) {
        target.storeBytes(of: UInt32(bodyLength).littleEndian, as: UInt32.self)
        target.storeBytes(of: type.rawValue, toByteOffset: 4, as: UInt8.self)
        target.storeBytes(of: compression?.rawValue ?? 0, toByteOffset: 5, as: UInt8.self)
        target.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
        target.storeBytes(of: requestID.littleEndian, toByteOffset: 8, as: UInt32.self)
        target.storeBytes(of: UInt32(expandedLength).littleEndian, toByteOffset: 12, as: UInt32.self)
        target.storeBytes(of: bodyChecksum.littleEndian, toByteOffset: 16, as: UInt32.self)
        let checksum = CRC32C.checksum(UnsafeRawBufferPointer(start: target, count: 20))
        target.storeBytes(of: checksum.littleEndian, toByteOffset: 20, as: UInt32.self)
    }

    /// Reads a header from at least 24 bytes; nothing in it is believed before its checksum was compared.
    ///
    /// - Parameter maximumBody: the largest body, sent or expanded, that the reader accepts.
    /// - Throws: `.protocolViolation`.
    package init(_ bytes: UnsafeRawBufferPointer, maximumBody: Int) throws(MartletError) {
        precondition(bytes.count >= Self.byteCount, "a frame header takes \(Self.byteCount) bytes, not \(bytes.count)")
        func word(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<20])) == word(20) else {
            throw MartletError(
                .protocolViolation, "the bytes are not a frame of the wire protocol: their header's checksum differs",
                hint:
                    "the wire port speaks format-spec/wire-protocol.md; line protocol and HTTP have ports of their own")
        }
        guard let type = FrameType(rawValue: bytes[4]) else {
            throw MartletError(.protocolViolation, "unknown frame type \(bytes[4])")
        }
        let method = WireCompression(rawValue: bytes[5])
        guard bytes[5] == 0 || method != nil else {
            throw MartletError(.protocolViolation, "unknown compression \(bytes[5])")
        }
        guard bytes[6] == 0, bytes[7] == 0 else {
            throw MartletError(.protocolViolation, "bytes 6 and 7 of a frame header must be zero")
        }
        self.type = type
        compression = method
        requestID = word(8)
        bodyLength = Int(word(0))
        expandedLength = Int(word(12))
        bodyChecksum = word(16)
        guard bodyLength <= maximumBody, expandedLength <= maximumBody else {
            throw MartletError(
                .protocolViolation,
                "a frame of \(max(bodyLength, expandedLength)) bytes exceeds the limit of \(maximumBody)",
                hint: "send smaller batches; the limit is in the welcome")
        }
        guard method != nil || bodyLength == expandedLength else {
            throw MartletError(.protocolViolation, "an uncompressed frame states two lengths")
        }
    }
}

/// How a body is compressed. The raw values are part of the wire protocol.
package typealias WireCompression = Compression.Method
