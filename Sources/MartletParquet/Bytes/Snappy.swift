import MartletModel

/// Decompression of Snappy's raw format, as its `format_description.txt` gives it. Other writers' default.
///
/// Invariants of the unsafe part: `input` never passes `source.count` and `output` never passes `target.count`; both
/// are checked before each element is read or copied.
enum Snappy {
    /// Fills `target`, whose size is the page's uncompressed size.
    ///
    /// - Throws: `.corrupt` when the stream is damaged or is not exactly of that size.
    static func decompress(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(MartletError) {
        var input = 0
        var length: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard input < source.count, shift <= 28 else { throw damaged("its length is not a number") }
            let byte = source[input]
            input += 1
            length |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard length == UInt64(target.count) else {
            throw damaged("it claims \(length) bytes, the page \(target.count)")
        }
        var output = 0
        while input < source.count {
            let tag = source[input]
            input += 1
            if tag & 3 == 0 {
                var count = Int(tag >> 2)
                if count >= 60 {
                    let extra = count - 59
                    guard source.count - input >= extra else { throw damaged("a literal's length is cut off") }
                    count = 0
                    for index in 0..<extra { count |= Int(source[input + index]) << (8 * index) }
                    input += extra
                }
                count += 1
                guard count <= source.count - input, count <= target.count - output else {
                    throw damaged("a literal of \(count) bytes does not fit")
                }
                target.baseAddress!.advanced(by: output)
                    .copyMemory(from: source.baseAddress! + input, byteCount: count)
                input += count
                output += count
                continue
            }
            let count: Int
            let distance: Int
            switch tag & 3 {
            case 1:
                guard source.count - input >= 1 else { throw damaged("a copy is cut off") }
                count = 4 + Int((tag >> 2) & 7)
                distance = Int(tag >> 5) << 8 | Int(source[input])
                input += 1
            case 2:
                guard source.count - input >= 2 else { throw damaged("a copy is cut off") }
                count = 1 + Int(tag >> 2)
                distance = Int(source[input]) | Int(source[input + 1]) << 8
                input += 2
            default:
                guard source.count - input >= 4 else { throw damaged("a copy is cut off") }
                count = 1 + Int(tag >> 2)
                distance =
                    Int(source[input]) | Int(source[input + 1]) << 8 | Int(source[input + 2]) << 16
                    | Int(source[input + 3]) << 24
                input += 4
            }
            guard distance > 0, distance <= output, count <= target.count - output else {
                throw damaged("a copy of \(count) bytes from \(distance) back does not fit")
            }
            copy(target.baseAddress! + output, distance: distance, count: count)
            output += count
        }
        guard output == target.count else { throw damaged("it holds \(output) of \(target.count) bytes") }
    }

    /// Copies from `distance` bytes back; the ranges may overlap, and then the bytes repeat.
    @inline(__always)
    private static func copy(_ target: UnsafeMutableRawPointer, distance: Int, count: Int) {
        if distance >= count {
            target.copyMemory(from: target - distance, byteCount: count)
        } else {
            for index in 0..<count {
                target.storeBytes(
                    of: (target - distance).load(fromByteOffset: index, as: UInt8.self), toByteOffset: index,
                    as: UInt8.self)
            }
        }
    }

    private static func damaged(_ what: String) -> MartletError {
        MartletError(.corrupt, "a Snappy block is damaged: \(what)")
    }
}
