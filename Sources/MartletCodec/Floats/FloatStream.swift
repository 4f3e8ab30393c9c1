import MartletModel

/// A run of doubles inside a block. Everything is compared and kept by bit pattern, so that -0.0, infinities and the
/// payloads of NaNs survive.
enum FloatStream {
    enum Kind: UInt8 {
        /// Eight bytes for all.
        case constant = 0
        /// Eight bytes each.
        case raw = 1
    }

    static func encode(
        _ values: UnsafePointer<Double>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        let patterns = UnsafeRawPointer(values).assumingMemoryBound(to: Int64.self)
        if count > 0 && IntegerStream.isConstant(patterns, count) {
            output.append(Kind.constant.rawValue)
            output.append(patterns[0].littleEndian)
            return
        }
        output.append(Kind.raw.rawValue)
        output.append(UnsafeRawBufferPointer(start: values, count: count * 8))
    }

    static func decode(
        _ bytes: UnsafeRawBufferPointer, count: Int, range: Range<Int>, into output: UnsafeMutablePointer<Double>
    ) throws(MartletError) {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        switch Kind(rawValue: kind) {
        case .constant:
            let pattern = try reader.take(8).loadUnaligned(as: UInt64.self)
            output.update(repeating: Double(bitPattern: UInt64(littleEndian: pattern)), count: range.count)
        case .raw:
            let source = try reader.take(count * 8)
            if let base = source.baseAddress {
                UnsafeMutableRawPointer(output).copyMemory(
                    from: base + range.lowerBound * 8, byteCount: range.count * 8)
            }
        case nil: throw corrupt("unknown float encoding \(kind)")
        }
    }
}
