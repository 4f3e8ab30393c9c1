import MartletModel

/// Validation of text that comes from files.
enum UTF8Check {
    /// Whether `bytes` are well-formed UTF-8 (Unicode, table 3-7). O(n), eight bytes a step while they are ASCII.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        var index = 0
        while index < count {
            if index &+ 8 <= count,
                base.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index &+= 8
                continue
            }
            let first = bytes[index]
            if first < 0x80 {
                index &+= 1
                continue
            }
            let length: Int
            var low: UInt8 = 0x80
            var high: UInt8 = 0xbf
            switch first {
            case 0xc2...0xdf: length = 2
            case 0xe0...0xef:
                length = 3
                if first == 0xe0 { low = 0xa0 }
                if first == 0xed { high = 0x9f }
            case 0xf0...0xf4:
                length = 4
                if first == 0xf0 { low = 0x90 }
                if first == 0xf4 { high = 0x8f }
            default: return false
            }
            guard index + length <= count, bytes[index + 1] >= low, bytes[index + 1] <= high else { return false }
            for offset in 2..<max(length, 2) where bytes[index + offset] & 0xc0 != 0x80 { return false }
            index += length
        }
        return true
    }

    /// Checks strings that lie one after the other, with `count + 1` offsets.
    ///
    /// Together they must be UTF-8, and none may start inside a character: then each of them is.
    ///
    /// - Throws: `.invalidUTF8`.
    static func check(
        _ bytes: UnsafeRawBufferPointer, offsets: UnsafePointer<Int32>, count: Int
    ) throws(MartletError) {
        guard isValid(bytes) else { throw invalid }
        for index in 0..<count {
            let start = Int(offsets[index])
            if start < bytes.count && bytes[start] & 0xc0 == 0x80 { throw invalid }
        }
    }

    private static var invalid: MartletError {
        MartletError(.invalidUTF8, "its values are not UTF-8 text")
    }
}
