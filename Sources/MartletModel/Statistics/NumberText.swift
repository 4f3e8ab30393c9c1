/// Numbers from 0 as text: each is the Unicode character so many places after the exclamation mark, which takes a byte below
/// 94 and two below 2,015; the surrogates, which are no characters, are passed over. What is 2^20 or more is a space, the
/// lowest 20 bits, and the rest.
package struct NumberText {
    private static let first = 0x21
    private static let surrogates = 0xd800..<0xe000
    private static let mask = 1 << 20 - 1

    package private(set) var text = ""

    package init() {}

    /// - Precondition: the number is not negative.
    package mutating func write(_ number: Int) {
        precondition(number >= 0, "\(number) is negative")
        var rest = number
        while rest > Self.mask {
            text.unicodeScalars.append(" ")
            append(rest & Self.mask)
            rest >>= 20
        }
        append(rest)
    }

    /// Writes a text behind its number of characters.
    package mutating func write(_ string: String) {
        write(string.unicodeScalars.count)
        text.unicodeScalars.append(contentsOf: string.unicodeScalars)
    }

    private mutating func append(_ number: Int) {
        var code = number + Self.first
        if code >= Self.surrogates.lowerBound { code += Self.surrogates.count }
        guard let character = Unicode.Scalar(UInt32(code)) else { preconditionFailure("\(code) is no character") }
        text.unicodeScalars.append(character)
    }

    /// Reads what was written.
    package struct Reader {
        private var rest: Substring.UnicodeScalarView

        package init(_ text: String) { rest = text[...].unicodeScalars }

        package var isAtEnd: Bool { rest.isEmpty }

        /// The next number; `nil` where there is none.
        package mutating func read() -> Int? {
            var (number, shift) = (0, 0)
            while rest.first == " " {
                rest.removeFirst()
                guard let low = digit(), shift < 60 else { return nil }
                number |= low << shift
                shift += 20
            }
            guard let high = digit(), shift < 60 || high < 8 else { return nil }
            return number | high << shift
        }

        /// The next text; `nil` where there is none.
        package mutating func readString() -> String? {
            guard let count = read(), count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return String(rest.prefix(count))
        }

        private mutating func digit() -> Int? {
            guard let character = rest.popFirst(), character.value >= NumberText.first else { return nil }
            let code = Int(character.value)
            let number = code - (code >= surrogates.upperBound ? surrogates.count : 0) - first
            return number <= mask ? number : nil
        }
    }
}
