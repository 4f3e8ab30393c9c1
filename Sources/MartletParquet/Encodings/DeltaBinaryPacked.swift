import MartletModel

/// DELTA_BINARY_PACKED (Lemire and Boytsov, 2015, as Parquet lays it out): differences, less the block's smallest, packed
/// in miniblocks of one width each.
enum DeltaBinaryPackedEncoder {
    static let blockSize = 128
    static let miniblocks = 4
    static let miniblockSize = blockSize / miniblocks

    /// Appends all of `values`. Differences wrap, so that any values can be written. O(count).
    static func encode(_ values: UnsafeBufferPointer<Int64>, into target: inout MutableBuffer) {
        target.appendVarint(UInt64(blockSize))
        target.appendVarint(UInt64(miniblocks))
        target.appendVarint(UInt64(values.count))
        guard let first = values.first else { return target.appendZigzag(0) }
        target.appendZigzag(first)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: blockSize) { deltas in
            var index = 1
            while index < values.count {
                let count = min(blockSize, values.count - index)
                encodeBlock(values.baseAddress! + index, count: count, deltas: deltas.baseAddress!, into: &target)
                index += count
            }
        }
    }

    /// Writes one block of `count` values, of which the first's predecessor lies in front of `values`.
    private static func encodeBlock(
        _ values: UnsafePointer<Int64>, count: Int, deltas: UnsafeMutablePointer<UInt64>,
        into target: inout MutableBuffer
    ) {
        var smallest = Int64.max
        for index in 0..<count {
            let delta = values[index] &- values[index &- 1]
            deltas[index] = UInt64(bitPattern: delta)
            smallest = min(smallest, delta)
        }
        for index in 0..<count { deltas[index] &-= UInt64(bitPattern: smallest) }
        (deltas + count).update(repeating: 0, count: blockSize - count)
        target.appendZigzag(smallest)
        let widths = target.byteCount
        target.appendZeros(miniblocks)
        for miniblock in 0..<miniblocks where miniblock * miniblockSize < count {
            var all: UInt64 = 0
            let start = deltas + miniblock * miniblockSize
            for index in 0..<miniblockSize { all |= start[index] }
            let width = BitPacker.width(of: all)
            target.base.storeBytes(of: UInt8(width), toByteOffset: widths + miniblock, as: UInt8.self)
            BitPacker.pack(UnsafePointer(start), count: miniblockSize, width: width, into: &target)
        }
    }
}

/// Reads DELTA_BINARY_PACKED a few values at a time.
///
/// Invariant of the unsafe parts: `position <= end`, and the bytes up to `end` lie in a `Buffer` that the owner keeps
/// alive; a miniblock's bytes were checked to lie before `end` when it was begun.
struct DeltaBinaryPackedDecoder {
    private let base: UnsafeRawPointer
    /// The first byte not read yet; after `skipAll`, the byte behind the stream.
    private(set) var position: Int
    private let end: Int
    /// Values in the stream.
    let count: Int
    private let miniblocks: Int
    private let miniblockSize: Int
    private var returned = 0
    private var last: Int64
    private var smallest: Int64 = 0
    private var widths: Int = 0
    private var miniblock: Int
    private var miniblockStart = 0
    private var miniblockWidth = 0
    private var miniblockUsed: Int
    /// Values after the first that were begun in blocks; tells where the stream ends.
    private var begun = 0

    /// - Throws: `.corrupt` when the header is damaged.
    init(_ base: UnsafeRawPointer, _ range: Range<Int>) throws(MartletError) {
        self.base = base
        position = range.lowerBound
        end = range.upperBound
        let blockSize = try Self.varint(base, &position, end)
        let miniblocks = try Self.varint(base, &position, end)
        let count = try Self.varint(base, &position, end)
        let first = try Self.varint(base, &position, end)
        guard miniblocks > 0, miniblocks <= 512, blockSize > 0, blockSize <= 1 << 20, blockSize % miniblocks == 0,
            (blockSize / miniblocks) % 8 == 0
        else {
            throw MartletError(
                .corrupt, "delta blocks of \(blockSize) values in \(miniblocks) miniblocks are impossible")
        }
        guard count <= UInt64(Int32.max) else {
            throw MartletError(.corrupt, "a delta stream claims \(count) values")
        }
        self.miniblocks = Int(miniblocks)
        self.miniblockSize = Int(blockSize / miniblocks)
        self.count = Int(count)
        last = Int64(bitPattern: first >> 1) ^ -Int64(bitPattern: first & 1)
        miniblock = self.miniblocks
        miniblockUsed = self.miniblockSize
    }

    /// Fills `target` with the next `wanted` values.
    ///
    /// - Throws: `.corrupt` when there are fewer.
    mutating func decode(_ wanted: Int, into target: UnsafeMutablePointer<Int64>) throws(MartletError) {
        guard wanted <= count - returned else {
            throw MartletError(.corrupt, "a delta stream of \(count) values ends before the page's count")
        }
        var done = 0
        if returned == 0 && wanted > 0 {
            target[0] = last
            done = 1
        }
        while done < wanted {
            if miniblockUsed == miniblockSize { try beginMiniblock() }
            let take = min(miniblockSize - miniblockUsed, wanted - done)
            let out = target + done
            out.withMemoryRebound(to: UInt64.self, capacity: take) {
                BitPacker.unpack(
                    base + miniblockStart, first: miniblockUsed, count: take, width: miniblockWidth, into: $0)
            }
            var value = last
            for index in 0..<take {
                value = value &+ smallest &+ out[index]
                out[index] = value
            }
            last = value
            miniblockUsed += take
            done += take
        }
        returned += wanted
    }

    /// Passes over the whole stream by its headers, so that `position` is the byte behind it. Only for a fresh decoder.
    mutating func skipAll() throws(MartletError) {
        while begun < count - 1 { try beginMiniblock() }
    }

    private mutating func beginMiniblock() throws(MartletError) {
        if miniblock == miniblocks {
            let zigzag = try Self.varint(base, &position, end)
            smallest = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            guard end - position >= miniblocks else { throw Self.ended }
            widths = position
            position += miniblocks
            miniblock = 0
        }
        miniblockWidth = Int(base.load(fromByteOffset: widths + miniblock, as: UInt8.self))
        guard miniblockWidth <= 64 else {
            throw MartletError(.corrupt, "a delta miniblock has \(miniblockWidth) bits a value")
        }
        let size = miniblockSize / 8 * miniblockWidth
        guard size <= end - position else { throw Self.ended }
        miniblockStart = position
        position += size
        miniblock += 1
        miniblockUsed = 0
        begun += miniblockSize
    }

    private static var ended: MartletError { MartletError(.corrupt, "a delta stream is cut off") }

    private static func varint(
        _ base: UnsafeRawPointer, _ position: inout Int, _ end: Int
    ) throws(MartletError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < end, shift <= 63 else { throw ended }
            let byte = base.load(fromByteOffset: position, as: UInt8.self)
            position += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return result }
            shift += 7
        }
    }
}
