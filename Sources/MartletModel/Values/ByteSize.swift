/// Amounts of bytes as people write them: `500 MB`, `1.5 GiB`, `65536`.
package enum ByteSize {
    private static let units: [(name: String, factor: Double)] = [
        ("", 1), ("b", 1), ("k", 0x1p10), ("kib", 0x1p10), ("kb", 1e3), ("m", 0x1p20), ("mib", 0x1p20), ("mb", 1e6),
        ("g", 0x1p30), ("gib", 0x1p30), ("gb", 1e9), ("t", 0x1p40), ("tib", 0x1p40), ("tb", 1e12),
    ]

    /// The number of bytes; `nil` for what is no positive amount below 2^62.
    package static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let number = Double(digits), let factor = units.first(where: { $0.name == unit })?.factor else {
            return nil
        }
        let bytes = (number * factor).rounded()
        return bytes >= 1 && bytes < 0x1p62 ? Int(bytes) : nil
    }

    /// With the largest unit of 1,024 that it has whole: `256 MiB`, `1500 bytes`.
    package static func text(_ bytes: Int) -> String {
        for (name, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
        where bytes > 0 && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift) \(name)"
        }
        return "\(bytes) bytes"
    }
}
