import MartletModel

/// BYTE_STREAM_SPLIT: the first bytes of all values, then their second bytes, and so on.
enum ByteStreamSplit {
    /// Appends `values`, eight streams of `values.count` bytes.
    static func encode(_ values: UnsafeBufferPointer<UInt64>, into target: inout MutableBuffer) {
        let count = values.count
        target.reserve(count * 8)
        let out = (target.base + target.byteCount).assumingMemoryBound(to: UInt8.self)
        for lane in 0..<8 {
            let stream = out + lane * count
            let shift = UInt64(lane * 8)
            for index in 0..<count { stream[index] = UInt8(truncatingIfNeeded: values[index] &>> shift) }
        }
        target.byteCount += count * 8
    }

    /// Fills `target` with values `first ..< first + count` of a stream of `total` values of `width` (4 or 8) bytes.
    static func decode(
        _ source: UnsafeRawPointer, total: Int, width: Int, first: Int, count: Int,
        into target: UnsafeMutablePointer<UInt64>
    ) {
        let bytes = source.assumingMemoryBound(to: UInt8.self) + first
        for index in 0..<count { target[index] = UInt64(bytes[index]) }
        for lane in 1..<width {
            let stream = bytes + lane * total
            let shift = UInt64(lane * 8)
            for index in 0..<count { target[index] |= UInt64(stream[index]) &<< shift }
        }
    }
}
