import MartletModel

/// A few numbers above the least of them, all of one width: the lists of run lengths, gaps and steps inside other
/// streams, whose heads would outweigh them, and blocks of a few rows.
///
/// Layout: signed, the least number; u8, the width; what is added to it, as a bit string.
enum ListedIntegers {
    /// Encoders list no more values than this, as a list is read whole.
    static let longest = 64

    static func encode(_ values: UnsafePointer<Int64>, count: Int, into output: inout MutableBuffer) {
        let low = UnsafeBufferPointer(start: values, count: count).min() ?? 0
        let above = Scratch<UInt64>(count: count)
        var union: UInt64 = 0
        for index in 0..<count {
            above.pointer[index] = UInt64(bitPattern: values[index] &- low)
            union |= above.pointer[index]
        }
        let width = BitPacking.bitLength(union)
        output.append(signedVarint: low)
        output.append(UInt8(width))
        let start = output.byteCount
        output.appendZeros(BitPacking.byteCount(count, width: width))
        BitPacking.packSequence(above.pointer, count: count, width: width, into: output.base + start)
    }

    static func decode(_ reader: inout ByteReader, count: Int) throws(MartletError) -> [Int64] {
        let low = try reader.signedVarint()
        let width = Int(try reader.byte())
        // A bit each at least, so that a damaged count takes no more memory than the block's length warrants.
        guard (1...64).contains(width) else { throw corrupt("a list of \(width) bits a number") }
        let bytes = try reader.take(BitPacking.byteCount(count, width: width))
        let above = Scratch<UInt64>(count: count)
        BitPacking.unpackSequence(bytes.baseAddress ?? reader.end, count: count, width: width, into: above.pointer)
        return (0..<count).map { low &+ Int64(bitPattern: above.pointer[$0]) }
    }
}
