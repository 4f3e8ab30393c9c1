import MartletCodec
import MartletModel

/// Copies files piece by piece.
enum FileCopy {
    private static let pieceBytes = 1 << 20

    /// Reads the first `byteCount` bytes through; returns their CRC32C. `body` gets each piece with its offset.
    ///
    /// - Throws: `.corrupt` when the file is shorter.
    static func checksum(
        _ file: any File, byteCount: Int64, path: String,
        _ body: (UnsafeRawBufferPointer, Int64) throws(MartletError) -> Void = { _, _ in }
    ) throws(MartletError) -> UInt32 {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 16)
        defer { piece.deallocate() }
        var offset: Int64 = 0
        var checksum: UInt32 = 0
        while offset < byteCount {
            let wanted = Int(min(Int64(pieceBytes), byteCount - offset))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted]), at: offset)
            guard count > 0 else {
                throw MartletError(
                    .corrupt, "the file ends after \(offset) of \(byteCount) bytes",
                    at: .file(path: path, offset: offset))
            }
            let bytes = UnsafeRawBufferPointer(rebasing: piece[..<count])
            checksum = CRC32C.checksum(bytes, seed: checksum)
            try body(bytes, offset)
            offset += Int64(count)
        }
        return checksum
    }

    /// Copies bytes to a new file, durably but for its name; returns their CRC32C. What an earlier attempt left under
    /// the name is removed first.
    static func copy(
        _ source: any File, byteCount: Int64, path: String, to target: String, _ files: any FileSystem
    ) throws(MartletError) -> UInt32 {
        if files.exists(target) { try files.remove(target) }
        let copy = try files.open(target, .create)
        let sum = try checksum(source, byteCount: byteCount, path: path) { (bytes, offset) throws(MartletError) in
            try copy.write(bytes, at: offset)
        }
        try copy.sync()
        try copy.close()
        return sum
    }
}
