import MartletModel

/// A list of byte strings inside a block: an integer stream of lengths, then the bytes, compressed where it pays.
///
/// Where neighbours begin alike, as sorted tag values do, the strings are front-coded first: a second stream says how
/// many bytes each shares with the one before, and only the others are kept.
///
/// Compressed bytes expand at most `expansionLimit` times, so that damaged bytes cannot ask for absurd memory; the
/// encoder falls back to LZ4, whose expansion is bounded by its format, or to raw bytes.
enum TextSection {
    static let expansionLimit = 1024
    private static let raw: UInt8 = 0

    private static let frontCoded: UInt8 = 0x80

    /// The most bytes that front-coded strings may have together.
    private static func frontCodedLimit(_ stored: Int, _ count: Int) -> Int { 16 * stored + 256 * count }

    /// Appends `count` strings, string `i` being the bytes `offsets[i] ..< offsets[i + 1]` of `bytes`.
    static func encode(
        _ bytes: UnsafeRawPointer, offsets: UnsafePointer<Int32>, count: Int, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        let lengths = Scratch<Int64>(count: count)
        for index in 0..<count { lengths.pointer[index] = Int64(offsets[index + 1] - offsets[index]) }
        let first = count > 0 ? Int(offsets[0]) : 0
        let total = count > 0 ? Int(offsets[count]) - first : 0
        let shared = Scratch<Int64>(count: count)
        let saved = sharedPrefixes(bytes, offsets, count, into: shared.pointer)
        let isFrontCoded = saved > total / 3 && total <= frontCodedLimit(total - saved, count)
        output.append(isFrontCoded ? frontCoded : 0)
        var head = MutableBuffer(capacity: 64)
        try IntegerStream.encode(
            lengths.pointer, count: count, effort: effort, trying: [.runs, .entropy], into: &head)
        output.append(stream: head)
        guard isFrontCoded else {
            try encode(UnsafeRawBufferPointer(start: bytes + first, count: total), effort, into: &output)
            return
        }
        var prefixes = MutableBuffer(capacity: 64)
        try IntegerStream.encode(
            shared.pointer, count: count, effort: effort, trying: [.runs, .entropy], into: &prefixes)
        output.append(stream: prefixes)
        var suffixes = MutableBuffer(capacity: total - saved)
        for index in 0..<count {
            let start = Int(offsets[index]) + Int(shared.pointer[index])
            suffixes.append(UnsafeRawBufferPointer(start: bytes + start, count: Int(offsets[index + 1]) - start))
        }
        try encode(suffixes.bytes, effort, into: &output)
    }

    /// How many bytes each string shares with the one before; returns their sum.
    private static func sharedPrefixes(
        _ bytes: UnsafeRawPointer, _ offsets: UnsafePointer<Int32>, _ count: Int,
        into shared: UnsafeMutablePointer<Int64>
    ) -> Int {
        guard count > 0 else { return 0 }
        shared[0] = 0
        var total = 0
        for index in 1..<max(count, 1) {
            let before = bytes + Int(offsets[index - 1])
            let string = bytes + Int(offsets[index])
            let limit = Int(min(offsets[index] - offsets[index - 1], offsets[index + 1] - offsets[index]))
            var length = 0
            while length < limit
                && before.load(fromByteOffset: length, as: UInt8.self)
                    == string.load(fromByteOffset: length, as: UInt8.self)
            { length += 1 }
            shared[index] = Int64(length)
            total += length
        }
        return total
    }

    /// Appends the length of text, a byte for its compression, and the text.
    private static func encode(
        _ text: UnsafeRawBufferPointer, _ effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) {
        let total = text.count
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
        let flags = try reader.byte()
        guard flags & ~frontCoded == 0 else { throw corrupt("unknown text encoding \(flags)") }
        let lengths = try IntegerStream.array(try reader.stream(), count: count, depth: 1)
        let shared = flags == 0 ? [] : try IntegerStream.array(try reader.stream(), count: count, depth: 1)
        let stored = try reader.count(upTo: Int(Int32.max), "the length of text")

        // Positions in the stored text and in the strings' own, checked against both before anything is read.
        var offsets = MutableBuffer(capacity: (range.count + 1) * 4)
        var (before, wanted, sum) = (0, 0, 0)
        for index in 0..<count {
            let prefix = shared.isEmpty ? 0 : shared[index]
            let previous = index > 0 ? lengths[index - 1] : 0
            guard prefix >= 0 && prefix <= previous && lengths[index] >= prefix && lengths[index] <= Int64(Int32.max),
                lengths[index] - prefix <= Int64(stored - sum)
            else { throw corrupt("a string of \(lengths[index]) bytes, \(prefix) of them shared") }
            if index < range.lowerBound {
                before += Int(lengths[index] - prefix)
            } else if index < range.upperBound {
                offsets.append(Int32(wanted))
                wanted += Int(lengths[index])
                guard wanted <= Int(Int32.max) else { throw corrupt("text of more than 2^31 bytes") }
            }
            sum += Int(lengths[index] - prefix)
        }
        offsets.append(Int32(wanted))
        guard sum == stored else { throw corrupt("strings of \(sum) bytes in a text of \(stored)") }
        // A prefix may be as long as all bytes kept so far, so that n strings may expand their text n times.
        guard shared.isEmpty || wanted <= frontCodedLimit(stored, count) else {
            throw corrupt("text that expands beyond the limit")
        }
        let text = try decodeText(&reader, stored)
        let finished = offsets.finish()
        if shared.isEmpty {
            if wanted == stored { return (finished, text) }
            let slice = UnsafeRawBufferPointer(rebasing: text.bytes[before..<(before + wanted)])
            return (finished, Buffer(copying: slice))
        }
        return (finished, joined(text, lengths, shared, range, wanted))
    }

    /// Puts front-coded strings together again. Lengths and prefixes have been checked.
    private static func joined(
        _ text: Buffer, _ lengths: [Int64], _ shared: [Int64], _ range: Range<Int>, _ wanted: Int
    ) -> Buffer {
        var strings = MutableBuffer(capacity: wanted)
        var current = MutableBuffer(capacity: 64)
        var next = 0
        for index in 0..<range.upperBound {
            current.byteCount = Int(shared[index])
            let suffix = Int(lengths[index] - shared[index])
            current.append(UnsafeRawBufferPointer(start: text.baseAddress + next, count: suffix))
            next += suffix
            if index >= range.lowerBound { strings.append(current.bytes) }
        }
        return strings.finish()
    }

    private static func decodeText(_ reader: inout ByteReader, _ length: Int) throws(MartletError) -> Buffer {
        let method = try reader.byte()
        if method == raw { return Buffer(copying: try reader.take(length)) }
        guard let method = Compression.Method(rawValue: method) else { throw corrupt("unknown compression \(method)") }
        guard length / expansionLimit <= reader.remaining else { throw corrupt("text that expands beyond the limit") }
        return try Compression.decompressed(reader.rest, method: method, count: length)
    }
}
