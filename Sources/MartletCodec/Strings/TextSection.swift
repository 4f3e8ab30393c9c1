import MartletModel

/// A list of byte strings inside a block: an integer stream of lengths, then the bytes, compressed where it pays.
///
/// Compressed bytes expand at most `expansionLimit` times, so that damaged bytes cannot ask for absurd memory; the
/// encoder falls back to LZ4, whose expansion is bounded by its format, or to raw bytes.
enum TextSection {
    static let expansionLimit = 1024
    private static let raw: UInt8 = 0

    /// Appends `count` strings, string `i` being the bytes `offsets[i] ..< offsets[i + 1]` of `bytes`.
    static func encode(
        _ bytes: UnsafeRawPointer, offsets: UnsafePointer<Int32>, count: Int, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        let lengths = Scratch<Int64>(count: count)
        for index in 0..<count { lengths.pointer[index] = Int64(offsets[index + 1] - offsets[index]) }
        var head = MutableBuffer(capacity: 64)
        try IntegerStream.encode(lengths.pointer, count: count, effort: effort, into: &head)
        output.append(section: head)
        let first = count > 0 ? Int(offsets[0]) : 0
        let total = count > 0 ? Int(offsets[count]) - first : 0
        let text = UnsafeRawBufferPointer(start: bytes + first, count: total)
        output.append(varint: UInt64(total))
        let start = output.byteCount
        for (method, level) in methods(effort) where total >= 32 {
            output.append(method.rawValue)
            try Compression.compress(text, method: method, level: level, into: &output)
            let size = output.byteCount - start - 1
            if size < total - total / 10 && total / expansionLimit < size { return }
            output.byteCount = start
        }
        output.append(raw)
        output.append(text)
    }

    private static func methods(_ effort: Effort) -> [(Compression.Method, Int32)] {
        switch effort {
        case .hot: [(.lz4, 1)]
        case .sealed: [(.zstd, 3), (.lz4, 1)]
        case .cold: [(.zstd, 9), (.lz4, 1)]
        }
    }

    /// Decodes the strings of `range` as Arrow offsets and bytes.
    static func decode(
        _ section: UnsafeRawBufferPointer, count: Int, range: Range<Int>
    ) throws(MartletError) -> (offsets: Buffer, bytes: Buffer) {
        var reader = ByteReader(section)
        let head = try reader.section()
        let lengths = Scratch<Int64>(count: count)
        try IntegerDecoder(head, count: count).decode(0..<count, into: lengths.pointer)
        let total = try reader.count(upTo: Int(Int32.max), "the length of text")
        let method = try reader.byte()
        var before = 0
        var sum = 0
        var offsets = MutableBuffer(capacity: (range.count + 1) * 4)
        for index in 0..<count {
            if index == range.lowerBound { before = sum }
            if index >= range.lowerBound && index <= range.upperBound { offsets.append(Int32(sum - before)) }
            let length = lengths.pointer[index]
            guard length >= 0 && length <= total - sum else { throw corrupt("a string of \(length) bytes") }
            sum += Int(length)
        }
        guard sum == total else { throw corrupt("strings of \(sum) bytes in a text of \(total)") }
        if range.lowerBound == count { before = sum }
        if range.upperBound == count { offsets.append(Int32(sum - before)) }
        let finished = offsets.finish()
        let wanted = Int(finished.pointer(to: Int32.self)[range.count])
        if method == raw {
            let text = try reader.take(total)
            let slice = UnsafeRawBufferPointer(rebasing: text[before..<(before + wanted)])
            return (finished, Buffer(copying: slice))
        }
        guard let method = Compression.Method(rawValue: method) else { throw corrupt("unknown compression \(method)") }
        guard total / expansionLimit <= reader.remaining else { throw corrupt("text that expands beyond the limit") }
        var text = MutableBuffer(capacity: total)
        try Compression.decompress(
            reader.rest, method: method, into: UnsafeMutableRawBufferPointer(start: text.base, count: total))
        text.byteCount = total
        if before == 0 && wanted == total { return (finished, text.finish()) }
        return (finished, Buffer(copying: UnsafeRawBufferPointer(rebasing: text.bytes[before..<(before + wanted)])))
    }
}
