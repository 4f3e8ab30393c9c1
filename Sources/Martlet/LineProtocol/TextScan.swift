import MartletModel

/// Reading of text eight bytes at a time.
///
/// Invariants of the unsafe code here, which every caller keeps:
/// - a pointer points into a text of line protocol whose last byte is a newline, or at that newline;
/// - `TextScan.padding` readable bytes of any value follow the text, so a word may be loaded at any byte of it;
/// - scans that are not given an end stop at the newline at the latest.
enum TextScan {
    static let padding = 64

    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let comma = UInt8(ascii: ",")
    static let equals = UInt8(ascii: "=")
    static let backslash = UInt8(ascii: "\\")
    static let quote = UInt8(ascii: "\"")

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    @inline(__always) static func byte(_ pointer: UnsafeRawPointer) -> UInt8 { pointer.load(as: UInt8.self) }

    /// Eight bytes, the first in the least significant place on every machine.
    @inline(__always) static func word(_ pointer: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: pointer.loadUnaligned(as: UInt64.self))
    }

    /// The high bit of each byte that equals `byte`; bits above the first match may be set wrongly.
    @inline(__always) static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & highs
    }

    /// Whether the text at `pointer` starts with the `length` bytes at `key`, which hold no newline and are followed
    /// by eight readable bytes. Word by word: no word is loaded more than eight bytes past a byte that matched.
    @inline(__always) static func starts(_ pointer: UnsafeRawPointer, with key: UnsafeRawPointer, _ length: Int) -> Bool
    {
        if length < 8 {
            return (word(pointer) ^ word(key)) & ((1 &<< UInt64(length &* 8)) &- 1) == 0
        }
        let last = length &- 8
        var index = 0
        while index < last {
            if word(pointer + index) != word(key + index) { return false }
            index &+= 8
        }
        return word(pointer + last) == word(key + last)
    }

    /// The first space or newline that no backslash precedes: the end of measurement and tags.
    static func keyEnd(_ start: UnsafeRawPointer) -> UnsafeRawPointer {
        var pointer = start
        while true {
            let bytes = word(pointer)
            let stops = matches(bytes, space) | matches(bytes, newline) | matches(bytes, backslash)
            if stops == 0 {
                pointer += 8
                continue
            }
            pointer += stops.trailingZeroBitCount >> 3
            guard byte(pointer) == backslash else { return pointer }
            pointer += isEscape(pointer) ? 2 : 1
        }
    }

    /// Whether the backslash at `pointer` and the byte after it stand for that byte: `\,`, `\=` and `\ `.
    @inline(__always) static func isEscape(_ pointer: UnsafeRawPointer) -> Bool {
        let next = byte(pointer + 1)
        return next == comma || next == space || next == equals
    }

    /// The first quote, backslash or newline from `start` on, or `end`.
    static func stringStop(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> UnsafeRawPointer {
        var pointer = start
        while pointer < end {
            let bytes = word(pointer)
            let stops = matches(bytes, quote) | matches(bytes, backslash) | matches(bytes, newline)
            if stops != 0 { return min(pointer + (stops.trailingZeroBitCount >> 3), end) }
            pointer += 8
        }
        return end
    }

    /// The newline that ends the physical line at `start`.
    static func newline(from start: UnsafeRawPointer) -> UnsafeRawPointer {
        var pointer = start
        while true {
            let stops = matches(word(pointer), newline)
            if stops != 0 { return pointer + (stops.trailingZeroBitCount >> 3) }
            pointer += 8
        }
    }

    /// The offset of the last newline in `bytes`, if there is one.
    static func lastNewline(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var index = bytes.count
        while index >= 8 {
            if matches(word(base + (index - 8)), newline) != 0 { break }
            index -= 8
        }
        while index > 0 {
            index -= 1
            if byte(base + index) == newline { return index }
        }
        return nil
    }

    // MARK: Digits

    private static let zeros: UInt64 = 0x3030_3030_3030_3030

    /// Eight bytes less `'0'`, and the high bit of the first one that is no digit (0 when all are).
    @inline(__always) static func digitWord(_ pointer: UnsafeRawPointer) -> (digits: UInt64, stop: UInt64) {
        let digits = word(pointer) ^ zeros
        // A digit plus 0x76 stays below 0x80, so nothing carries into the first byte that is none.
        return (digits, ((digits &+ 0x7676_7676_7676_7676) | digits) & highs)
    }

    /// The number that the first `count` bytes (0 ... 7) of a word of digits spell.
    @inline(__always) static func number(_ digits: UInt64, first count: Int) -> UInt64 {
        eightDigits((digits &<< UInt64(56 &- count &* 8)) &<< 8)
    }

    /// The number that eight digit values spell, the most significant in the lowest byte. Pairs, then fours, then
    /// eights are joined by multiplication (D. Lemire, "Quickly parsing eight digits", 2018).
    @inline(__always) static func eightDigits(_ digits: UInt64) -> UInt64 {
        let pairs = (digits &* 2_561) &>> 8
        let fours = ((pairs & 0x00FF_00FF_00FF_00FF) &* 6_553_601) &>> 16
        return ((fours & 0x0000_FFFF_0000_FFFF) &* 42_949_672_960_001) &>> 32
    }

    /// The digits at `pointer`: their value, exact for up to 19 of them, and their number.
    @inline(__always) static func digits(_ pointer: UnsafeRawPointer) -> (value: UInt64, count: Int) {
        var value: UInt64 = 0
        var count = 0
        while true {
            let (digits, stop) = digitWord(pointer + count)
            if stop != 0 {
                let more = stop.trailingZeroBitCount >> 3
                return (value &* powersOfTen[more] &+ number(digits, first: more), count &+ more)
            }
            value = value &* 100_000_000 &+ eightDigits(digits)
            count &+= 8
        }
    }

    /// The value of `count` digits at `pointer`, if 64 bits hold it.
    static func longDigits(_ pointer: UnsafeRawPointer, _ count: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in 0..<count {
            let (shifted, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = shifted.addingReportingOverflow(UInt64(byte(pointer + index) &- 0x30))
            if isTooLarge || carries { return nil }
            value = sum
        }
        return value
    }

    @inline(__always) static var powersOfTen: PowersOfTen { PowersOfTen() }

    /// 10 to the power of 0 ... 7 without a look-up table in memory that would need its own initialisation check.
    struct PowersOfTen {
        @inline(__always) subscript(exponent: Int) -> UInt64 {
            let low: UInt64 = exponent & 1 == 0 ? 1 : 10
            let middle: UInt64 = exponent & 2 == 0 ? 1 : 100
            let high: UInt64 = exponent & 4 == 0 ? 1 : 10_000
            return low &* middle &* high
        }
    }

    // MARK: UTF-8

    /// The offset of the first byte in `count` at `pointer` that is not part of valid UTF-8 (RFC 3629), if any.
    static func invalidUTF8(_ pointer: UnsafeRawPointer, _ count: Int) -> Int? {
        var index = 0
        while index < count {
            if word(pointer + index) & highs == 0 {
                index += 8
                continue
            }
            let lead = byte(pointer + index)
            if lead < 0x80 {
                index += 1
                continue
            }
            let length: Int
            var lowest: UInt8 = 0x80
            var highest: UInt8 = 0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, lowest) = (3, 0xA0)
            case 0xED: (length, highest) = (3, 0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, lowest) = (4, 0x90)
            case 0xF4: (length, highest) = (4, 0x8F)
            case 0xF1...0xF3: length = 4
            default: return index
            }
            guard index + length <= count else { return index }
            for offset in 1..<length {
                let next = byte(pointer + index + offset)
                guard next >= lowest && next <= highest else { return index }
                (lowest, highest) = (0x80, 0xBF)
            }
            index += length
        }
        return nil
    }
}
