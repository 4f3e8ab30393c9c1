import MartletModel

/// A run of strings inside a block: plain text, or a dictionary and an integer stream of indices.
enum StringStream {
    enum Kind: UInt8 {
        case plain = 0
        case dictionary = 1
    }

    /// Appends the strings of the rows listed in `rows`, or of all rows when it is `nil`.
    static func encode(
        _ column: Column, dense rows: UnsafePointer<Int32>?, count: Int, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        if let dictionary = column.dictionary {
            let indices = Scratch<UInt32>(count: count)
            let source = column.values.pointer(to: UInt32.self)
            for index in 0..<count { indices.pointer[index] = source[rows.map { Int($0[index]) } ?? index] }
            try encode(indices.pointer, count: count, dictionary: dictionary, effort: effort, into: &output)
            return
        }
        if let found = DistinctStrings(column, rows, count) {
            try encode(
                found.indices.pointer, count: count, dictionary: found.dictionary(), effort: effort, into: &output)
            return
        }
        output.append(Kind.plain.rawValue)
        let offsets = column.offsets!.pointer(to: Int32.self)
        guard let rows else {
            try TextSection.encode(
                column.values.baseAddress, offsets: offsets, count: count, effort: effort, into: &output)
            return
        }
        var text = MutableBuffer(capacity: column.values.byteCount)
        let packed = Scratch<Int32>(count: count + 1)
        packed.pointer[0] = 0
        for index in 0..<count {
            text.append(column.stringBytes(Int(rows[index])))
            packed.pointer[index + 1] = Int32(text.byteCount)
        }
        try TextSection.encode(
            UnsafeRawPointer(text.base), offsets: packed.pointer, count: count, effort: effort, into: &output)
    }

    /// Appends a dictionary and indices into it. Entries that no index names are left out; the others keep their order.
    private static func encode(
        _ indices: UnsafeMutablePointer<UInt32>, count: Int, dictionary: StringDictionary, effort: Effort,
        into output: inout MutableBuffer
    ) throws(MartletError) {
        var kept: [Int32] = []
        let wide = Scratch<Int64>(count: count)
        if dictionary.count <= 4 * count + 64 {
            let renumbered = Scratch<Int32>(count: dictionary.count)
            renumbered.pointer.update(repeating: -1, count: dictionary.count)
            for index in 0..<count { renumbered.pointer[Int(indices[index])] = 0 }
            for entry in 0..<dictionary.count where renumbered.pointer[entry] == 0 {
                renumbered.pointer[entry] = Int32(kept.count)
                kept.append(Int32(entry))
            }
            for index in 0..<count { wide.pointer[index] = Int64(renumbered.pointer[Int(indices[index])]) }
        } else {
            kept = Set(UnsafeBufferPointer(start: indices, count: count)).sorted().map { Int32($0) }
            let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { (UInt32($0.element), $0.offset) })
            for index in 0..<count { wide.pointer[index] = Int64(places[indices[index]]!) }
        }
        output.append(Kind.dictionary.rawValue)
        output.append(varint: UInt64(kept.count))
        var entries = MutableBuffer(capacity: 256)
        var text = MutableBuffer(capacity: dictionary.bytes.byteCount)
        let offsets = Scratch<Int32>(count: kept.count + 1)
        offsets.pointer[0] = 0
        for (place, entry) in kept.enumerated() {
            text.append(dictionary.entry(Int(entry)))
            offsets.pointer[place + 1] = Int32(text.byteCount)
        }
        try TextSection.encode(
            UnsafeRawPointer(text.base), offsets: offsets.pointer, count: kept.count, effort: effort, into: &entries)
        output.append(section: entries)
        try IntegerStream.encode(
            wide.pointer, count: count, effort: effort, trying: [.runs, .periodic, .entropy], into: &output)
    }

    /// What a stream holds for the values of a range.
    enum Decoded {
        case plain(offsets: Buffer, bytes: Buffer)
        case dictionary(indices: Buffer, StringDictionary)
    }

    /// Decodes the strings of `range` of a stream of `count` strings.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, count: Int, range: Range<Int>
    ) throws(MartletError) -> Decoded {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        switch Kind(rawValue: kind) {
        case .plain:
            let (offsets, text) = try TextSection.decode(reader.rest, count: count, range: range)
            return .plain(offsets: offsets, bytes: text)
        case .dictionary:
            let entryCount = try reader.count(upTo: BlockCodec.maximumRowCount, "the size of a dictionary")
            let entries = try reader.section()
            let (offsets, text) = try TextSection.decode(entries, count: entryCount, range: 0..<entryCount)
            let dictionary = StringDictionary(offsets: offsets, bytes: text, count: entryCount)
            let wide = Scratch<Int64>(count: range.count)
            try IntegerDecoder(reader.rest, count: count).decode(range, into: wide.pointer)
            var indices = MutableBuffer(capacity: range.count * 4)
            let target = indices.base.assumingMemoryBound(to: UInt32.self)
            var highest: UInt64 = 0
            for index in 0..<range.count {
                highest = max(highest, UInt64(bitPattern: wide.pointer[index]))
                target[index] = UInt32(truncatingIfNeeded: wide.pointer[index])
            }
            guard range.isEmpty || highest < UInt64(entryCount) else {
                throw corrupt("index \(highest) into a dictionary of \(entryCount)")
            }
            indices.byteCount = range.count * 4
            return .dictionary(indices: indices.finish(), dictionary)
        case nil: throw corrupt("unknown string encoding \(kind)")
        }
    }
}
