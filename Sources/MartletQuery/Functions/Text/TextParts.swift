import MartletModel

/// Parts and edits of one UTF-8 text. Positions count code points from 1, as PostgreSQL and DuckDB do.
enum TextParts {
    /// The longest text that a function makes of one row.
    static let longest = 64 << 20

    static func tooLong(_ name: String) -> MartletError {
        MartletError(.resourceExhausted, "\(name) would make a text longer than 64 MiB")
    }

    static func firstScalar(_ text: UnsafeRawBufferPointer) -> Int64 {
        String(decoding: text.prefix(4), as: UTF8.self).unicodeScalars.first.map { Int64($0.value) } ?? 0
    }

    static func appendReversed(_ text: UnsafeRawBufferPointer, _ target: inout MutableBuffer) {
        var end = text.count
        while end > 0 {
            let start = TextKernels.start(ofCharacterBefore: end, in: text)
            target.append(TextKernels.part(text, start..<end))
            end = start
        }
    }

    static func appendReplaced(
        _ text: UnsafeRawBufferPointer, _ search: UnsafeRawBufferPointer, _ replacement: UnsafeRawBufferPointer,
        _ target: inout MutableBuffer
    ) {
        var start = 0
        if !search.isEmpty {
            while let found = TextKernels.find(search, in: text, from: start) {
                target.append(TextKernels.part(text, start..<found))
                target.append(replacement)
                start = found + search.count
            }
        }
        target.append(TextKernels.part(text, start..<text.count))
    }

    static func appendTranslated(
        _ text: UnsafeRawBufferPointer, _ from: UnsafeRawBufferPointer, _ to: UnsafeRawBufferPointer,
        _ target: inout MutableBuffer
    ) {
        var offset = 0
        while offset < text.count {
            let end = TextKernels.end(ofCharacterAt: offset, in: text)
            let character = TextKernels.part(text, offset..<end)
            offset = end
            var index = 0
            var place: Int?
            var position = 0
            while position < from.count {
                let next = TextKernels.end(ofCharacterAt: position, in: from)
                if TextKernels.compare(TextKernels.part(from, position..<next), character) == 0 {
                    place = index
                    break
                }
                index += 1
                position = next
            }
            guard let place else {
                target.append(character)
                continue
            }
            let start = TextKernels.offset(ofCharacter: place, in: to)
            if start < to.count {
                target.append(TextKernels.part(to, start..<TextKernels.end(ofCharacterAt: start, in: to)))
            }
        }
    }

    /// `text` without the given characters (a space when `nil`) at its ends.
    static func trimmed(
        _ text: UnsafeRawBufferPointer, of characters: UnsafeRawBufferPointer?, left: Bool, right: Bool
    ) -> UnsafeRawBufferPointer {
        func isTrimmed(_ character: UnsafeRawBufferPointer) -> Bool {
            guard let characters else { return character.count == 1 && character[0] == 0x20 }
            var position = 0
            while position < characters.count {
                let next = TextKernels.end(ofCharacterAt: position, in: characters)
                if TextKernels.compare(TextKernels.part(characters, position..<next), character) == 0 { return true }
                position = next
            }
            return false
        }
        var low = 0
        var high = text.count
        while left, low < high {
            let next = TextKernels.end(ofCharacterAt: low, in: text)
            if !isTrimmed(TextKernels.part(text, low..<next)) { break }
            low = next
        }
        while right, high > low {
            let previous = TextKernels.start(ofCharacterBefore: high, in: text)
            if !isTrimmed(TextKernels.part(text, previous..<high)) { break }
            high = previous
        }
        return TextKernels.part(text, low..<high)
    }

    /// DuckDB's rules: a negative start counts from the end, start 0 is before the first character, and a negative
    /// length takes characters before the start.
    static func substring(
        _ text: UnsafeRawBufferPointer, start: Int64, length: Int64?
    ) -> UnsafeRawBufferPointer {
        let count = Int64(TextKernels.length(text))
        let bound = Int64(1) << 40
        var from = min(max(start, -bound), bound)
        from = from < 0 ? count + from : from - 1
        var to = count
        if let length { to = from + min(max(length, -bound), bound) }
        if to < from { (from, to) = (to, from) }
        from = max(from, 0)
        to = min(to, count)
        if to <= from { return TextKernels.part(text, 0..<0) }
        let low = TextKernels.offset(ofCharacter: Int(from), in: text)
        let high = to == count ? text.count : TextKernels.offset(ofCharacter: Int(to), in: text)
        return TextKernels.part(text, low..<high)
    }

    /// The first or last `count` characters; a negative count leaves as many out at the other end.
    static func end(_ text: UnsafeRawBufferPointer, count: Int64, isLeft: Bool) -> UnsafeRawBufferPointer {
        let length = Int64(TextKernels.length(text))
        let kept = count >= 0 ? min(count, length) : max(0, length + max(count, -length))
        if isLeft { return TextKernels.part(text, 0..<TextKernels.offset(ofCharacter: Int(kept), in: text)) }
        return TextKernels.part(text, TextKernels.offset(ofCharacter: Int(length - kept), in: text)..<text.count)
    }

    /// Part `number` from 1, or from the end for a negative one; empty where there is none. Number 0 is the first part's
    /// place before the text and so empty; an empty separator does not split.
    static func splitPart(
        _ text: UnsafeRawBufferPointer, by separator: UnsafeRawBufferPointer, number: Int64
    ) -> UnsafeRawBufferPointer {
        let nothing = TextKernels.part(text, 0..<0)
        if number == 0 { return nothing }
        if separator.isEmpty { return number == 1 || number == -1 ? text : nothing }
        var wanted = number
        if number < 0 {
            var parts: Int64 = 1
            var start = 0
            while let found = TextKernels.find(separator, in: text, from: start) {
                parts += 1
                start = found + separator.count
            }
            if number < -parts { return nothing }
            wanted = parts + number + 1
        }
        var start = 0
        while true {
            let found = TextKernels.find(separator, in: text, from: start)
            if wanted == 1 { return TextKernels.part(text, start..<(found ?? text.count)) }
            guard let found else { return nothing }
            wanted -= 1
            start = found + separator.count
        }
    }

    static func appendPadded(
        _ text: UnsafeRawBufferPointer, length: Int64, with padding: UnsafeRawBufferPointer, isLeft: Bool,
        to target: inout MutableBuffer
    ) throws(MartletError) {
        let count = Int64(TextKernels.length(text))
        if length <= count {
            target.append(TextKernels.part(text, 0..<TextKernels.offset(ofCharacter: Int(max(0, length)), in: text)))
            return
        }
        guard !padding.isEmpty else {
            throw MartletError(.invalidArgument, "lpad and rpad need a padding that is not empty")
        }
        guard length <= Int64(longest) else { throw tooLong("lpad or rpad") }
        if !isLeft { target.append(text) }
        var missing = length - count
        let whole = Int64(TextKernels.length(padding))
        while missing >= whole {
            target.append(padding)
            missing -= whole
        }
        target.append(TextKernels.part(padding, 0..<TextKernels.offset(ofCharacter: Int(missing), in: padding)))
        if isLeft { target.append(text) }
    }

    /// The number of single-byte edits; the table has one row, and the texts' product is bounded.
    static func levenshtein(
        _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer
    ) throws(MartletError) -> Int64 {
        guard a.count * b.count <= 16 << 20 else {
            throw MartletError(.resourceExhausted, "levenshtein compares texts of up to 4 KiB each")
        }
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return Int64(row[b.count])
    }
}

/// Upper and lower case, code point by code point: a letter whose other case is not one code point stays (`ß`).
enum CaseMapping {
    static func append(_ text: UnsafeRawBufferPointer, to target: inout MutableBuffer, upper: Bool) {
        if TextKernels.isASCII(text) {
            target.reserve(text.count)
            for byte in text {
                let isLetter = upper ? byte >= 0x61 && byte <= 0x7a : byte >= 0x41 && byte <= 0x5a
                target.append(isLetter ? byte ^ 0x20 : byte)
            }
            return
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            for byte in UTF8.encode(map(scalar, upper: upper))! { target.append(byte) }
        }
    }

    static func map(_ scalar: Unicode.Scalar, upper: Bool) -> Unicode.Scalar {
        let mapped = upper ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
        let scalars = mapped.unicodeScalars
        return scalars.count == 1 ? scalars.first! : scalar
    }
}
