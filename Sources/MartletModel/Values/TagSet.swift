/// A series' tags, sorted by the bytes of their keys, each key once.
public struct TagSet: Sendable, Hashable {
    /// One tag.
    public struct Tag: Sendable, Hashable {
        /// The tag's name.
        public let key: String
        /// The tag's value, never empty.
        public let value: String

        /// A tag of a name and a value.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// The tags in the order of their keys' UTF-8 bytes.
    public let tags: [Tag]

    /// No tags.
    public static let empty = TagSet(sorted: [])

    /// Sorts `pairs` by key.
    ///
    /// - Throws: `.invalidArgument` for an empty key, an empty value or a key that occurs twice.
    public init(_ pairs: some Sequence<(String, String)>) throws(MartletError) {
        var tags: [Tag] = []
        for (key, value) in pairs {
            if key.isEmpty { throw MartletError(.invalidArgument, "a tag without a name (value '\(value)')") }
            if value.isEmpty { throw MartletError(.invalidArgument, "tag '\(key)' has an empty value") }
            tags.append(Tag(key: key, value: value))
        }
        tags.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (left, right) in zip(tags, tags.dropFirst()) where left.key == right.key {
            throw MartletError(.invalidArgument, "tag '\(left.key)' is given twice")
        }
        self.tags = tags
    }

    private init(sorted tags: [Tag]) { self.tags = tags }

    /// The value of `key`, or `nil` when the set lacks it.
    public subscript(key: String) -> String? { tags.first { $0.key == key }?.value }

    /// The bytes that identify the set: per tag, in key order, a LEB128 length and the key, a LEB128 length and the
    /// value. Equal sets have equal bytes. The form is part of the segment format.
    public var canonicalBytes: [UInt8] {
        var bytes: [UInt8] = []
        for tag in tags {
            for text in [tag.key, tag.value] {
                Self.appendLEB128(UInt64(text.utf8.count), to: &bytes)
                bytes.append(contentsOf: text.utf8)
            }
        }
        return bytes
    }

    /// Reads `canonicalBytes` back.
    ///
    /// - Throws: `.corrupt` when the bytes are not of that form or the keys do not ascend.
    public init(canonicalBytes bytes: UnsafeRawBufferPointer) throws(MartletError) {
        var offset = 0
        var tags: [Tag] = []
        while offset < bytes.count {
            let key = try Self.readText(bytes, &offset)
            let value = try Self.readText(bytes, &offset)
            if let last = tags.last, !last.key.utf8.lexicographicallyPrecedes(key.utf8) {
                throw MartletError(.corrupt, "tag keys '\(last.key)' and '\(key)' do not ascend")
            }
            tags.append(Tag(key: key, value: value))
        }
        self.tags = tags
    }

    private static func appendLEB128(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func readText(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(MartletError) -> String {
        var length = 0
        var shift = 0
        while true {
            guard offset < bytes.count, shift <= 28 else {
                throw MartletError(.corrupt, "a tag's length is cut off or too large at byte \(offset)")
            }
            let byte = bytes[offset]
            offset += 1
            length |= Int(byte & 0x7f) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard length <= bytes.count - offset else {
            throw MartletError(.corrupt, "a tag of \(length) bytes is cut off at byte \(offset)")
        }
        defer { offset += length }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]), as: UTF8.self)
    }
}

/// What identifies a series within a namespace.
public struct SeriesKey: Sendable, Hashable {
    /// The table (measurement).
    public let table: String
    /// The sorted tags.
    public let tags: TagSet

    /// The series of `table` with exactly `tags`.
    public init(table: String, tags: TagSet) {
        self.table = table
        self.tags = tags
    }
}
