import MartletModel

/// Parquet's RLE / bit-packing hybrid: levels, bools and dictionary indices.
enum HybridRunEncoder {
    /// The shortest run that is worth a run of its own: a bit-packed group holds as many.
    private static let minimumRun = 8

    /// Appends `count` values of `width` bits, without a length in front. O(count).
    static func encode(
        _ values: UnsafePointer<UInt32>, count: Int, width: Int, into target: inout MutableBuffer
    ) {
        let valueBytes = (width + 7) / 8
        var index = 0
        while index < count {
            let run = runLength(values, from: index, count: count)
            if run >= minimumRun {
                target.appendVarint(UInt64(run) << 1)
                for byte in 0..<valueBytes {
                    target.append(UInt8(truncatingIfNeeded: values[index] >> UInt32(8 * byte)))
                }
                index += run
                continue
            }
            var end = index
            repeat { end += 8 } while end < count && runLength(values, from: end, count: count, atMost: 8) < minimumRun
            let groups = (end - index) / 8
            target.appendVarint(UInt64(groups) << 1 | 1)
            if end <= count {
                BitPacker.pack(values + index, count: end - index, width: width, into: &target)
            } else {
                let whole = (count - index) / 8 * 8
                BitPacker.pack(values + index, count: whole, width: width, into: &target)
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 8) { last in
                    last.initialize(repeating: 0)
                    for position in (index + whole)..<count { last[position - index - whole] = values[position] }
                    BitPacker.pack(UnsafePointer(last.baseAddress!), count: 8, width: width, into: &target)
                }
            }
            index = end
        }
    }

    @inline(__always)
    private static func runLength(
        _ values: UnsafePointer<UInt32>, from start: Int, count: Int, atMost limit: Int = .max
    ) -> Int {
        let value = values[start]
        var end = start &+ 1
        while end < count, values[end] == value, end &- start < limit { end &+= 1 }
        return end &- start
    }
}

/// Reads the hybrid a few values at a time, so that a run of a billion values costs nothing until it is asked for.
///
/// Invariant of the unsafe parts: `position <= end`, and the bytes up to `end` lie in a `Buffer` that the owner of the
/// decoder keeps alive; a bit-packed run's bytes were checked to lie before `end` when its header was read.
struct HybridRunDecoder {
    private let base: UnsafeRawPointer
    private var position: Int
    private let end: Int
    private let width: Int
    private var runValue: UInt32 = 0
    private var runLeft = 0
    private var packedLeft = 0
    private var packedFirst = 0
    private var packedStart = 0

    /// Reads bytes `range` of `base`, with values of `width` (0...32) bits.
    init(_ base: UnsafeRawPointer, _ range: Range<Int>, width: Int) {
        self.base = base
        position = range.lowerBound
        end = range.upperBound
        self.width = width
    }

    /// Fills `target` with the next `count` values.
    ///
    /// - Throws: `.corrupt` when the bytes hold fewer.
    mutating func decode(_ count: Int, into target: UnsafeMutablePointer<UInt32>) throws(MartletError) {
        var done = 0
        while done < count {
            if runLeft == 0 && packedLeft == 0 { try nextRun() }
            if runLeft > 0 {
                let take = min(runLeft, count - done)
                (target + done).update(repeating: runValue, count: take)
                runLeft -= take
                done += take
            } else if packedLeft > 0 {
                let take = min(packedLeft, count - done)
                BitPacker.unpack(
                    base + packedStart, first: packedFirst, count: take, width: width, into: target + done)
                packedFirst += take
                packedLeft -= take
                done += take
            }
        }
    }

    /// How many of the next values are equal, and their value, where a run says so; used to skip work for levels.
    mutating func uniformRun(atMost limit: Int) throws(MartletError) -> (value: UInt32, count: Int)? {
        if runLeft == 0 && packedLeft == 0 { try nextRun() }
        guard runLeft > 0 else { return nil }
        let take = min(runLeft, limit)
        runLeft -= take
        return (runValue, take)
    }

    private mutating func nextRun() throws(MartletError) {
        while runLeft == 0 && packedLeft == 0 {
            var header: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard position < end, shift <= 35 else { throw Self.ended }
                let byte = base.load(fromByteOffset: position, as: UInt8.self)
                position += 1
                header |= UInt64(byte & 0x7f) << shift
                if byte & 0x80 == 0 { break }
                shift += 7
            }
            if header & 1 == 0 {
                let bytes = (width + 7) / 8
                guard end - position >= bytes else { throw Self.ended }
                var value: UInt32 = 0
                for byte in 0..<bytes {
                    value |= UInt32(base.load(fromByteOffset: position + byte, as: UInt8.self)) << UInt32(8 * byte)
                }
                guard width == 32 || value >> UInt32(width) == 0 else {
                    throw MartletError(.corrupt, "a run's value \(value) has more than \(width) bits")
                }
                position += bytes
                runValue = value
                runLeft = Int(header >> 1)
            } else {
                // Some writers cut the last group short; what is missing reads as absent values, never as memory.
                let groups = Int(header >> 1)
                let available = width == 0 ? groups * 8 : (end - position) * 8 / width
                packedStart = position
                packedFirst = 0
                packedLeft = min(groups * 8, available)
                guard packedLeft > 0 || groups == 0 else { throw Self.ended }
                position += min(groups * width, end - position)
            }
        }
    }

    private static var ended: MartletError {
        MartletError(.corrupt, "run-length encoded values end before the page's count")
    }
}
