import MartletCodec
import MartletModel

/// The first 32 bytes of every segment file.
struct FileHeader: Sendable, Hashable {
    enum Kind: UInt8, Sendable {
        /// A log of layers.
        case hot = 1
        /// Row groups and a footer.
        case sealed = 2
    }

    static let byteCount = 32
    /// "MARTLET" and a zero byte.
    static let magic: UInt64 = 0x0054_454c_5452_414d
    /// The version of the segment format that this build writes, and the only one it reads.
    static let version: UInt16 = 1

    var kind: Kind
    /// The segment's number in its namespace.
    var segment: UInt64
    /// Repeated in every layer, so that bytes that merely look like a layer are not taken for one.
    var salt: UInt64

    func encode(into writer: inout ByteWriter) {
        let start = writer.count
        writer.u64(Self.magic)
        writer.u16(Self.version)
        writer.u8(kind.rawValue)
        writer.u8(0)
        writer.u64(segment)
        writer.u64(salt)
        writer.u32(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: writer.bytes[start..<start + 28])))
    }

    init(kind: Kind, segment: UInt64, salt: UInt64) {
        self.kind = kind
        self.segment = segment
        self.salt = salt
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(MartletError) {
        guard bytes.count >= Self.byteCount else {
            throw MartletError(.corrupt, "the file ends within its header, after \(bytes.count) bytes")
        }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<Self.byteCount]), "segment header")
        guard try reader.u64() == Self.magic else { throw MartletError(.corrupt, "the file is not a Martlet segment") }
        // The checksum lies at the same place in every version, so that damage is not taken for another version.
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self))
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<28])) == checksum else {
            throw MartletError(.corrupt, "the segment's header is damaged")
        }
        let version = try reader.u16()
        guard version == Self.version else {
            throw MartletError(
                .unsupportedVersion, "the segment is of format version \(version); this build knows \(Self.version)",
                hint: "open it with the release that wrote it, or a newer one")
        }
        let kind = try reader.u8()
        _ = try reader.u8()
        segment = try reader.u64()
        salt = try reader.u64()
        guard let kind = Kind(rawValue: kind) else {
            throw MartletError(.corrupt, "\(kind) is not a kind of segment")
        }
        self.kind = kind
    }
}
