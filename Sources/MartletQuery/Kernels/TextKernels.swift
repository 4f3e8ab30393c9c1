import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Byte-wise work on UTF-8 text.
///
/// Unsafe: all access stays within the buffers passed in.
enum TextKernels {
    /// Negative, zero or positive: the order of the bytes, the shorter first among equals. UTF-8 sorts by code point.
    @inline(__always)
    static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let shared = min(a.count, b.count)
        if shared > 0 {
            let order = memcmp(a.baseAddress!, b.baseAddress!, shared)
            if order != 0 { return Int(order) }
        }
        return a.count - b.count
    }

    /// The offset of the first `needle` in `text` at or after `start`, or `nil`. An empty needle is found at `start`.
    static func find(
        _ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from start: Int = 0
    ) -> Int? {
        if needle.isEmpty { return start <= text.count ? start : nil }
        guard text.count - start >= needle.count, let base = text.baseAddress else { return nil }
        let first = Int32(needle[0])
        let last = text.count - needle.count
        var offset = start
        while offset <= last {
            guard let found = memchr(base + offset, first, last - offset + 1) else { return nil }
            offset = UnsafeRawPointer(found) - base
            if memcmp(base + offset, needle.baseAddress!, needle.count) == 0 { return offset }
            offset += 1
        }
        return nil
    }

    /// The number of code points.
    @inline(__always)
    static func length(_ text: UnsafeRawBufferPointer) -> Int {
        var count = 0
        for byte in text where byte & 0xc0 != 0x80 { count += 1 }
        return count
    }

    /// Whether every byte is ASCII.
    static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var seen: UInt8 = 0
        for byte in text { seen |= byte }
        return seen < 0x80
    }

    /// The byte offset of code point `index` (from 0), or the text's end when it is shorter.
    static func offset(ofCharacter index: Int, in text: UnsafeRawBufferPointer) -> Int {
        if index <= 0 { return 0 }
        var remaining = index
        var offset = 0
        while offset < text.count {
            offset = end(ofCharacterAt: offset, in: text)
            remaining -= 1
            if remaining == 0 { return offset }
        }
        return text.count
    }

    /// The offset after the code point that starts at `offset`.
    @inline(__always)
    static func end(ofCharacterAt offset: Int, in text: UnsafeRawBufferPointer) -> Int {
        var next = offset + 1
        while next < text.count, text[next] & 0xc0 == 0x80 { next += 1 }
        return next
    }

    /// The offset of the code point that ends before `offset`, which must not be 0.
    @inline(__always)
    static func start(ofCharacterBefore offset: Int, in text: UnsafeRawBufferPointer) -> Int {
        var previous = offset - 1
        while previous > 0, text[previous] & 0xc0 == 0x80 { previous -= 1 }
        return previous
    }

    /// The part of `text` between two byte offsets.
    @inline(__always)
    static func part(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[range])
    }

    /// `text` without ASCII white space at its ends.
    static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var low = 0
        var high = text.count
        while low < high, isSpace(text[low]) { low += 1 }
        while high > low, isSpace(text[high - 1]) { high -= 1 }
        return part(text, low..<high)
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0d) }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// Whether `text`, its ASCII letters lowered, is `word` (lower-case ASCII).
    static func equalsIgnoringCase(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where lowered(text[index]) != word.utf8Start[index] { return false }
        return true
    }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
}
