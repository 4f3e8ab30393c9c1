/// RFC 4648, section 4, with padding.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { target in
            var place = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let rest = bytes.count - start
                let word =
                    UInt32(bytes[start]) << 16 | (rest > 1 ? UInt32(bytes[start + 1]) << 8 : 0)
                    | (rest > 2 ? UInt32(bytes[start + 2]) : 0)
                for digit in 0..<4 {
                    target[place] = digit <= rest ? digits[Int(word >> (18 - 6 * UInt32(digit))) & 63] : 0x3d
                    place += 1
                }
            }
            return place
        }
    }

    /// `nil` for text that is not of the form.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        let count = text.utf8.count
        guard count % 4 == 0 else { return nil }
        bytes.reserveCapacity(count / 4 * 3)
        var word: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text.utf8 {
            if byte == 0x3d {
                padding += 1
                word <<= 6
            } else {
                let value = values[Int(byte)]
                if value == 255 || padding > 0 { return nil }
                word = word << 6 | UInt32(value)
            }
            digits += 1
            if digits % 4 == 0 {
                if padding > 2 { return nil }
                bytes.append(UInt8(truncatingIfNeeded: word >> 16))
                if padding < 2 { bytes.append(UInt8(truncatingIfNeeded: word >> 8)) }
                if padding < 1 { bytes.append(UInt8(truncatingIfNeeded: word)) }
                word = 0
            }
        }
        return bytes
    }
}
