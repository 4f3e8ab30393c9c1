import MartletModel

/// Reads the values of one data page, a few at a time.
///
/// Invariant of the unsafe parts: `page` is kept alive here, and every decoder reads inside the range of it that it was
/// made for, plus at most `Buffer.padding` bytes.
struct ValueDecoder {
    private enum State {
        case plain
        case dictionary(HybridRunDecoder)
        case delta(DeltaBinaryPackedDecoder)
        case byteStreamSplit(total: Int, width: Int, done: Int)
        case bits(done: Int)
        case runs(HybridRunDecoder)
        case lengths(DeltaBinaryPackedDecoder)
        case prefixes(DeltaBinaryPackedDecoder, DeltaBinaryPackedDecoder)
        case empty
    }

    private let page: Buffer
    private var position: Int
    private let end: Int
    private var state: State
    /// The string read last, for DELTA_BYTE_ARRAY.
    private var previous: [UInt8] = []
    let isDictionary: Bool

    /// A decoder for the values in bytes `range` of `page`.
    ///
    /// - Throws: `.unsupported` for an encoding that the type doesn't go with or that is unknown; `.corrupt`.
    init(_ page: Buffer, _ range: Range<Int>, encodingNumber: Int32, leaf: ColumnLeaf) throws(MartletError) {
        self.page = page
        position = range.lowerBound
        end = range.upperBound
        let base = page.baseAddress
        let encoding = ParquetEncoding(rawValue: encodingNumber)
        isDictionary = encoding == .rleDictionary || encoding == .plainDictionary
        switch (encoding, leaf.physical) {
        case (.plain, .boolean): state = .bits(done: 0)
        case (.plain, .fixedLengthByteArray): throw Self.unsupported(encodingNumber, leaf)
        case (.plain, _): state = .plain
        case (.rleDictionary, _), (.plainDictionary, _):
            guard !range.isEmpty else {
                state = .empty
                return
            }
            let width = page.bytes[range.lowerBound]
            guard width <= 32 else {
                throw MartletError(.corrupt, "dictionary indices of \(width) bits")
            }
            state = .dictionary(HybridRunDecoder(base, range.lowerBound + 1..<end, width: Int(width)))
        case (.rle, .boolean):
            guard range.count >= 4 else {
                state = .empty
                return
            }
            let length = base.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian
            guard Int(length) <= range.count - 4 else {
                throw MartletError(.corrupt, "run-length encoded bools end past their page")
            }
            state = .runs(HybridRunDecoder(base, position + 4..<position + 4 + Int(length), width: 1))
        case (.deltaBinaryPacked, .int32), (.deltaBinaryPacked, .int64):
            state = range.isEmpty ? .empty : .delta(try DeltaBinaryPackedDecoder(base, range))
        case (.byteStreamSplit, .float), (.byteStreamSplit, .int32):
            state = .byteStreamSplit(total: range.count / 4, width: 4, done: 0)
        case (.byteStreamSplit, .double), (.byteStreamSplit, .int64):
            state = .byteStreamSplit(total: range.count / 8, width: 8, done: 0)
        case (.deltaLengthByteArray, .byteArray):
            guard !range.isEmpty else {
                state = .empty
                return
            }
            var skipper = try DeltaBinaryPackedDecoder(base, range)
            try skipper.skipAll()
            position = skipper.position
            state = .lengths(try DeltaBinaryPackedDecoder(base, range))
        case (.deltaByteArray, .byteArray):
            guard !range.isEmpty else {
                state = .empty
                return
            }
            var skipper = try DeltaBinaryPackedDecoder(base, range)
            try skipper.skipAll()
            let suffixes = skipper.position..<end
            var suffixSkipper = try DeltaBinaryPackedDecoder(base, suffixes)
            try suffixSkipper.skipAll()
            position = suffixSkipper.position
            state = .prefixes(
                try DeltaBinaryPackedDecoder(base, range), try DeltaBinaryPackedDecoder(base, suffixes))
        default: throw Self.unsupported(encodingNumber, leaf)
        }
    }

    private static func unsupported(_ number: Int32, _ leaf: ColumnLeaf) -> MartletError {
        let name = ParquetEncoding(rawValue: number)?.name ?? "number \(number)"
        return MartletError(.unsupported, "encoding \(name) of \(leaf.physical.name) values is not read by this build")
    }

    private static var ended: MartletError { MartletError(.corrupt, "a page's values end before its count") }

    /// Fills `target` with raw words: integers extended to 64 bits, the bits of floats, nanoseconds of INT96.
    mutating func words(
        _ count: Int, _ leaf: ColumnLeaf, into target: UnsafeMutablePointer<UInt64>
    ) throws(MartletError) {
        switch state {
        case .plain: try plainWords(count, leaf, into: target)
        case .delta(var decoder):
            try target.withMemoryRebound(to: Int64.self, capacity: max(count, 1)) { (pointer) throws(MartletError) in
                try decoder.decode(count, into: pointer)
            }
            state = .delta(decoder)
            if leaf.physical == .int32 { Self.extend32(target, count, unsigned: leaf.isUnsigned) }
        case .byteStreamSplit(let total, let width, let done):
            guard count <= total - done else { throw Self.ended }
            if count > 0 {
                ByteStreamSplit.decode(
                    page.baseAddress + position, total: total, width: width, first: done, count: count, into: target)
            }
            state = .byteStreamSplit(total: total, width: width, done: done + count)
            if leaf.physical == .int32 { Self.extend32(target, count, unsigned: leaf.isUnsigned) }
        default: if count > 0 { throw Self.ended }
        }
    }

    private mutating func plainWords(
        _ count: Int, _ leaf: ColumnLeaf, into target: UnsafeMutablePointer<UInt64>
    ) throws(MartletError) {
        let width =
            switch leaf.physical {
            case .int32, .float: 4
            case .int96: 12
            default: 8
            }
        guard count <= (end - position) / width else { throw Self.ended }
        let source = page.baseAddress + position
        position += count * width
        switch leaf.physical {
        case .int32, .float:
            for index in 0..<count {
                target[index] = UInt64(source.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self).littleEndian)
            }
            if leaf.physical == .int32 && !leaf.isUnsigned { Self.extend32(target, count, unsigned: false) }
        case .int96:
            for index in 0..<count { target[index] = try Self.julian(source + index * 12) }
        default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 8)
        }
    }

    private static func extend32(_ words: UnsafeMutablePointer<UInt64>, _ count: Int, unsigned: Bool) {
        for index in 0..<count {
            let low = UInt32(truncatingIfNeeded: words[index])
            words[index] = unsigned ? UInt64(low) : UInt64(bitPattern: Int64(Int32(bitPattern: low)))
        }
    }

    /// An INT96 timestamp: nanoseconds of the day, and the Julian day, of which 2440588 is 1970-01-01.
    private static func julian(_ source: UnsafeRawPointer) throws(MartletError) -> UInt64 {
        let time = Int64(bitPattern: source.loadUnaligned(as: UInt64.self).littleEndian)
        let day = Int64(source.loadUnaligned(fromByteOffset: 8, as: UInt32.self).littleEndian) - 2_440_588
        let (midnight, tooFar) = day.multipliedReportingOverflow(by: 86_400_000_000_000)
        let (sum, overflow) = midnight.addingReportingOverflow(time)
        guard !tooFar, !overflow else {
            throw MartletError(.outOfRange, "an INT96 time on day \(day) of the Unix epoch is outside 1677 to 2262")
        }
        return UInt64(bitPattern: sum)
    }

    /// Fills `target` with dictionary indices, not checked against the dictionary.
    mutating func indices(_ count: Int, into target: UnsafeMutablePointer<UInt32>) throws(MartletError) {
        guard case .dictionary(var decoder) = state else {
            if count > 0 { throw Self.ended }
            return
        }
        try decoder.decode(count, into: target)
        state = .dictionary(decoder)
    }

    /// Fills `target` with bools, one word each.
    mutating func bools(_ count: Int, into target: UnsafeMutablePointer<UInt32>) throws(MartletError) {
        switch state {
        case .bits(let done):
            guard count <= (end - position) * 8 - done else { throw Self.ended }
            for index in 0..<count {
                target[index] = Bitmap.isSet(page.baseAddress + position, done &+ index) ? 1 : 0
            }
            state = .bits(done: done + count)
        case .runs(var decoder):
            try decoder.decode(count, into: target)
            state = .runs(decoder)
        default: if count > 0 { throw Self.ended }
        }
    }

    /// Appends `count` strings, each followed by its end offset; `limit` bounds the bytes in `bytes`.
    mutating func strings(
        _ count: Int, bytes: inout MutableBuffer, ends: inout MutableBuffer, limit: Int
    ) throws(MartletError) {
        ends.reserve(count * 4)
        switch state {
        case .plain:
            for _ in 0..<count {
                guard end - position >= 4 else { throw Self.ended }
                let length = Int(page.baseAddress.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian)
                position += 4
                try copy(length, into: &bytes, limit)
                ends.append(Int32(bytes.byteCount))
            }
        case .lengths(var decoder):
            let lengths = try Self.numbers(&decoder, count)
            state = .lengths(decoder)
            for length in lengths {
                try copy(Int(length), into: &bytes, limit)
                ends.append(Int32(bytes.byteCount))
            }
        case .prefixes(var prefixDecoder, var suffixDecoder):
            let prefixes = try Self.numbers(&prefixDecoder, count)
            let suffixes = try Self.numbers(&suffixDecoder, count)
            state = .prefixes(prefixDecoder, suffixDecoder)
            for index in 0..<count {
                let start = bytes.byteCount
                guard prefixes[index] >= 0, prefixes[index] <= Int64(previous.count) else {
                    throw MartletError(.corrupt, "a string shares more with the one before it than that has")
                }
                let shared = Int(prefixes[index])
                try Self.check(bytes.byteCount, shared, limit)
                previous.withUnsafeBytes { bytes.append(UnsafeRawBufferPointer(rebasing: $0[..<shared])) }
                try copy(Int(suffixes[index]), into: &bytes, limit)
                ends.append(Int32(bytes.byteCount))
                let text = UnsafeRawBufferPointer(rebasing: bytes.bytes[start...])
                previous.removeAll(keepingCapacity: true)
                previous.append(contentsOf: text)
            }
        default: if count > 0 { throw Self.ended }
        }
    }

    private static func numbers(
        _ decoder: inout DeltaBinaryPackedDecoder, _ count: Int
    ) throws(MartletError) -> [Int64] {
        var buffer = MutableBuffer(capacity: count * 8)
        try decoder.decode(count, into: buffer.base.assumingMemoryBound(to: Int64.self))
        buffer.byteCount = count * 8
        return Array(UnsafeRawBufferPointer(buffer.bytes).assumingMemoryBound(to: Int64.self))
    }

    private mutating func copy(_ length: Int, into bytes: inout MutableBuffer, _ limit: Int) throws(MartletError) {
        guard length >= 0, length <= end - position else {
            throw MartletError(.corrupt, "a string of \(length) bytes ends past its page")
        }
        try Self.check(bytes.byteCount, length, limit)
        bytes.append(UnsafeRawBufferPointer(start: page.baseAddress + position, count: length))
        position += length
    }

    private static func check(_ held: Int, _ more: Int, _ limit: Int) throws(MartletError) {
        guard more <= limit - held else {
            throw MartletError(
                .resourceExhausted, "the strings of one batch need more than \(limit) bytes",
                hint: "read with fewer rows a batch, or raise the memory limit")
        }
    }
}
