import MartletModel

/// A tag of the line being read: where its key and value lie, without escapes.
struct TagSlice {
    var key: UnsafeRawPointer
    var keyCount: Int
    var value: UnsafeRawPointer
    var valueCount: Int
    /// Where the key stands in the text.
    var position: UnsafeRawPointer

    func precedes(_ other: TagSlice) -> Bool {
        let order = memcmp(key, other.key, min(keyCount, other.keyCount))
        return order != 0 ? order < 0 : keyCount < other.keyCount
    }
}

/// Memory for taking a key apart, kept from one line to the next.
struct TagScratch: ~Copyable {
    var tags: [TagSlice] = []
    /// Text without its escapes. Reserved for the whole key before anything is written, so it does not move.
    var text = MutableBuffer(capacity: 0)
    var canonical = MutableBuffer(capacity: 0)
}

/// Measurements, tags and field keys: what happens when the guess fails.
///
/// The invariants of `LineParsing` hold here.
extension LineProtocolParser {
    // MARK: Series

    /// The series of the line at `p`; moves `p` to the space after it, or fails.
    @inline(never) mutating func resolveSeries(_ p: inout UnsafeRawPointer) -> EntryPointer? {
        let start = p
        let end = TextScan.keyEnd(start)
        let length = end - start
        let hash = RawBytes.hash(start, length, seed: seed)
        if TextScan.byte(end) == TextScan.space,
            let known = rawSeries.find(start, length, hash: hash, owner: 0)
        {
            p = end
            return known
        }
        guard let (table, series) = parseKey(start, end) else { return nil }
        guard TextScan.byte(end) == TextScan.space else {
            fail(end, .malformedLine, "the line has no fields")
            return nil
        }
        let entry = rawSeries.insert(start, length, hash: hash, owner: 0, into: &arena)
        entry.pointee.table = table
        entry.pointee.series = series
        if cacheBytes > limits.cacheBytes { rowLimit = -1 }
        p = end
        return entry
    }

    /// Takes measurement and tags apart and finds, or makes, their table and canonical series.
    private mutating func parseKey(
        _ start: UnsafeRawPointer, _ end: UnsafeRawPointer
    ) -> (UnsafeMutablePointer<TableState>, EntryPointer)? {
        if let offset = TextScan.invalidUTF8(start, end - start) {
            fail(start + offset, .invalidUTF8, "the measurement or a tag is not valid UTF-8")
            return nil
        }
        tagScratch.text.byteCount = 0
        tagScratch.text.reserve(end - start + TextScan.padding)
        tagScratch.tags.removeAll(keepingCapacity: true)

        var p = start
        while p < end, TextScan.byte(p) != TextScan.comma {
            p += TextScan.byte(p) == TextScan.backslash && TextScan.isEscape(p) ? 2 : 1
        }
        guard checkName(start, p, "measurement") else { return nil }
        let (name, nameCount) = unescape(start, p, equalsIsEscaped: false)
        let measurementEnd = p
        while p < end {
            guard parseTag(&p, end) else { return nil }
        }
        guard sortTags() else { return nil }
        let table = resolveTable(name, nameCount, start, measurementEnd - start)
        return (table, resolveCanonical(table))
    }

    /// Reads the tag after the comma at `p`.
    private mutating func parseTag(_ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
        let keyStart = p + 1
        var q = keyStart
        while q < end, TextScan.byte(q) != TextScan.equals, TextScan.byte(q) != TextScan.comma {
            q += TextScan.byte(q) == TextScan.backslash && TextScan.isEscape(q) ? 2 : 1
        }
        let keyEnd = q
        if q >= end || TextScan.byte(q) != TextScan.equals {
            fail(
                min(q, end), .malformedLine,
                keyStart == keyEnd ? "a comma is followed by no tag" : "the tag has no '=' and no value")
            return false
        }
        guard checkName(keyStart, keyEnd, "tag") else { return false }
        let valueStart = q + 1
        q = valueStart
        while q < end, TextScan.byte(q) != TextScan.comma {
            if TextScan.byte(q) == TextScan.equals {
                fail(q, .malformedLine, "an '=' within a tag's value must be written '\\='")
                return false
            }
            q += TextScan.byte(q) == TextScan.backslash && TextScan.isEscape(q) ? 2 : 1
        }
        let (key, keyCount) = unescape(keyStart, keyEnd, equalsIsEscaped: true)
        if q == valueStart {
            fail(q, .malformedLine, "tag '\(Self.text(key, keyCount))' has an empty value")
            return false
        }
        let (value, valueCount) = unescape(valueStart, q, equalsIsEscaped: true)
        tagScratch.tags.append(
            TagSlice(key: key, keyCount: keyCount, value: value, valueCount: valueCount, position: keyStart))
        p = q
        return true
    }

    /// Sorts the tags by key; fails where two are equal.
    private mutating func sortTags() -> Bool {
        let count = tagScratch.tags.count
        guard count > 1 else { return true }
        var isSorted = true
        for index in 1..<count where !tagScratch.tags[index - 1].precedes(tagScratch.tags[index]) {
            isSorted = false
            break
        }
        if isSorted { return true }
        tagScratch.tags.sort { $0.precedes($1) }
        for index in 1..<count where !tagScratch.tags[index - 1].precedes(tagScratch.tags[index]) {
            let (first, second) = (tagScratch.tags[index - 1], tagScratch.tags[index])
            fail(
                max(first.position, second.position), .malformedLine,
                "tag '\(Self.text(first.key, first.keyCount))' is given twice")
            return false
        }
        return true
    }

    private mutating func resolveTable(
        _ name: UnsafeRawPointer, _ count: Int, _ raw: UnsafeRawPointer, _ rawCount: Int
    ) -> UnsafeMutablePointer<TableState> {
        // The hash reads past the name: within the text, or within scratch memory reserved with padding.
        let hash = RawBytes.hash(name, count, seed: seed)
        if let known = tableNames.find(name, count, hash: hash, owner: 0) {
            return known.pointee.table.unsafelyUnwrapped
        }
        let table = UnsafeMutablePointer<TableState>.allocate(capacity: 1)
        table.initialize(to: TableState(name: Self.text(name, count), number: nextTableNumber))
        nextTableNumber += 1
        tables.append(table)
        tableNames.insert(name, count, hash: hash, owner: 0, into: &arena).pointee.table = table
        return table
    }

    /// The series of the table with the sorted tags: their bytes in the form of `TagSet.canonicalBytes`.
    private mutating func resolveCanonical(_ table: UnsafeMutablePointer<TableState>) -> EntryPointer {
        tagScratch.canonical.byteCount = 0
        for index in tagScratch.tags.indices {
            let tag = tagScratch.tags[index]
            Self.append(tag.key, tag.keyCount, to: &tagScratch.canonical)
            Self.append(tag.value, tag.valueCount, to: &tagScratch.canonical)
        }
        let bytes = UnsafeRawPointer(tagScratch.canonical.base)
        let count = tagScratch.canonical.byteCount
        let number = table.pointee.number
        let hash = RawBytes.hash(bytes, count, seed: seed &+ UInt64(number))
        if let known = canonicalSeries.find(bytes, count, hash: hash, owner: number) { return known }
        return canonicalSeries.insert(bytes, count, hash: hash, owner: number, into: &arena)
    }

    private static func append(_ bytes: UnsafeRawPointer, _ count: Int, to buffer: inout MutableBuffer) {
        buffer.reserve(count + 10)
        var rest = count
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(rest))
        buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    // MARK: Fields

    /// The `=` that ends the field key at `start`, or a failure.
    mutating func fieldKeyEnd(_ start: UnsafeRawPointer) -> UnsafeRawPointer? {
        var p = start
        while true {
            let byte = TextScan.byte(p)
            if byte == TextScan.equals { break }
            if byte == TextScan.newline || byte == TextScan.comma || byte == TextScan.space {
                let isEmpty = p == start || (p == start + 1 && TextScan.byte(start) == TextScan.carriageReturn)
                fail(
                    isEmpty ? start : p, .malformedLine,
                    isEmpty ? "a field was expected here" : "the field has no '=' and no value")
                return nil
            }
            p += byte == TextScan.backslash && TextScan.isEscape(p) ? 2 : 1
        }
        return checkName(start, p, "field") ? p : nil
    }

    /// The column of the field whose key, of `length` bytes, is at `start` with the `=` after it.
    mutating func resolveField(
        _ start: UnsafeRawPointer, _ length: Int, _ table: UnsafeMutablePointer<TableState>
    ) -> Int? {
        let number = table.pointee.number
        let hash = RawBytes.hash(start, length + 1, seed: seed &+ UInt64(number))
        if let known = fieldNames.find(start, length + 1, hash: hash, owner: number) { return Int(known.pointee.index) }
        if let offset = TextScan.invalidUTF8(start, length) {
            fail(start + offset, .invalidUTF8, "the field's name is not valid UTF-8")
            return nil
        }
        tagScratch.text.byteCount = 0
        tagScratch.text.reserve(length + TextScan.padding)
        let (name, count) = unescape(start, start + length, equalsIsEscaped: true)
        let entry = fieldNames.insert(start, length + 1, hash: hash, owner: number, into: &arena)
        let column = table.pointee.addColumn(key: entry, name: Self.text(name, count))
        entry.pointee.index = UInt32(column)
        if cacheBytes > limits.cacheBytes { rowLimit = -1 }
        return column
    }

    // MARK: Names

    /// Whether a name as written is of an allowed length and not reserved; fails otherwise.
    private mutating func checkName(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer, _ kind: StaticString) -> Bool {
        let count = end - start
        if count == 0 {
            fail(start, .malformedLine, "the \(kind) has no name")
            return false
        }
        let limit = limits.nameLength
        if count > limit {
            fail(start, .outOfRange, "the \(kind)'s name is \(count) bytes long; at most \(limit) are allowed")
            return false
        }
        let reserved: StaticString = "time"
        if count == 4, kind.utf8CodeUnitCount < 6, RawBytes.equal(start, reserved.utf8Start, 4) {
            fail(start, .malformedLine, "no \(kind) can be called 'time': that is the timestamp's column")
            return false
        }
        return true
    }

    /// The text from `start` to `end` without its escapes: where it lies, unless it has any.
    private mutating func unescape(
        _ start: UnsafeRawPointer, _ end: UnsafeRawPointer, equalsIsEscaped: Bool
    ) -> (UnsafeRawPointer, Int) {
        let count = end - start
        guard memchr(start, Int32(TextScan.backslash), count) != nil else { return (start, count) }
        let target = tagScratch.text.byteCount
        var p = start
        while p < end {
            if TextScan.byte(p) == TextScan.backslash, TextScan.isEscape(p),
                equalsIsEscaped || TextScan.byte(p + 1) != TextScan.equals
            {
                p += 1
            }
            tagScratch.text.append(TextScan.byte(p))
            p += 1
        }
        return (UnsafeRawPointer(tagScratch.text.base + target), tagScratch.text.byteCount - target)
    }

    private static func text(_ start: UnsafeRawPointer, _ count: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
