/// An immutable list of byte strings, addressed by index: the dictionary of a dictionary-encoded column.
///
/// Entries are UTF-8 text, except in a `.series` column, whose entries are `SeriesKey` tag bytes.
public final class StringDictionary: Sendable {
    /// `count + 1` ascending `Int32` offsets into `bytes`.
    public let offsets: Buffer
    /// The entries, one after the other.
    public let bytes: Buffer
    /// The number of entries.
    public let count: Int

    /// A dictionary over Arrow-style offsets and bytes. The caller vouches that the offsets ascend within `bytes`.
    public init(offsets: Buffer, bytes: Buffer, count: Int) {
        precondition(offsets.byteCount >= (count + 1) * 4, "\(count) entries need \(count + 1) offsets")
        self.offsets = offsets
        self.bytes = bytes
        self.count = count
    }

    /// A dictionary of the given texts, in their order.
    public convenience init(_ strings: [String]) {
        var offsets = MutableBuffer(capacity: (strings.count + 1) * 4)
        var bytes = MutableBuffer(capacity: strings.count * 16)
        offsets.append(Int32(0))
        for string in strings {
            var copy = string
            copy.withUTF8 { bytes.append(UnsafeRawBufferPointer($0)) }
            offsets.append(Int32(bytes.byteCount))
        }
        self.init(offsets: offsets.finish(), bytes: bytes.finish(), count: strings.count)
    }

    /// The bytes of entry `index`. The pointer must not outlive this object.
    @inlinable public func entry(_ index: Int) -> UnsafeRawBufferPointer {
        let offsets = offsets.pointer(to: Int32.self)
        let start = Int(offsets[index])
        return UnsafeRawBufferPointer(start: bytes.baseAddress + start, count: Int(offsets[index + 1]) - start)
    }

    /// Entry `index` as text.
    public func string(_ index: Int) -> String { String(decoding: entry(index), as: UTF8.self) }

    /// All entries as text. Allocates; not for hot paths.
    public var strings: [String] { (0..<count).map(string) }
}
