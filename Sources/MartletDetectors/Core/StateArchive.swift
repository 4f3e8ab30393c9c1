import MartletModel

/// The learnt state of a detector on its way into bytes or out of them.
///
/// One method, `transfer`, serves both directions, so that what is written and what is read cannot differ. All numbers
/// are little-endian; format-spec/detector-state.md has the layout.
public struct StateArchive {
    private(set) var bytes: [UInt8]
    private var position = 0
    /// Whether values are read from the bytes, not appended to them.
    public let isReading: Bool

    /// An archive that values are written to.
    init() {
        bytes = []
        isReading = false
    }

    /// An archive that values are read from.
    init(reading bytes: [UInt8]) {
        self.bytes = bytes
        isReading = true
    }

    /// Whether every byte has been read.
    var isAtEnd: Bool { position == bytes.count }

    static func corrupt(_ what: String) -> MartletError { MartletError(.corrupt, "the state of a detector \(what)") }

    private mutating func word(_ value: UInt64, bytes width: Int) throws(MartletError) -> UInt64 {
        if !isReading {
            for index in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
            return value
        }
        guard bytes.count - position >= width else { throw Self.corrupt("ends early") }
        var result: UInt64 = 0
        for index in 0..<width { result |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
        position += width
        return result
    }

    /// A number, 8 bytes.
    public mutating func transfer(_ value: inout Double) throws(MartletError) {
        value = Double(bitPattern: try word(value.bitPattern, bytes: 8))
    }

    /// A number, 4 bytes.
    public mutating func transfer(_ value: inout Float) throws(MartletError) {
        value = Float(bitPattern: UInt32(truncatingIfNeeded: try word(UInt64(value.bitPattern), bytes: 4)))
    }

    /// A whole number of `range`, 8 bytes.
    public mutating func transfer(_ value: inout Int, in range: ClosedRange<Int>) throws(MartletError) {
        let read = Int(Int64(bitPattern: try word(UInt64(bitPattern: Int64(value)), bytes: 8)))
        guard range.contains(read) else { throw Self.corrupt("holds \(read) where \(range) is possible") }
        value = read
    }

    /// A moment or another whole number, 8 bytes.
    public mutating func transfer(_ value: inout Int64) throws(MartletError) {
        value = Int64(bitPattern: try word(UInt64(bitPattern: value), bytes: 8))
    }

    /// A whole number, 4 bytes.
    public mutating func transfer(_ value: inout Int32) throws(MartletError) {
        value = Int32(bitPattern: UInt32(truncatingIfNeeded: try word(UInt64(UInt32(bitPattern: value)), bytes: 4)))
    }

    /// A byte.
    public mutating func transfer(_ value: inout UInt8) throws(MartletError) {
        value = UInt8(truncatingIfNeeded: try word(UInt64(value), bytes: 1))
    }

    /// A truth value, 1 byte.
    public mutating func transfer(_ value: inout Bool) throws(MartletError) {
        let read = try word(value ? 1 : 0, bytes: 1)
        guard read <= 1 else { throw Self.corrupt("holds \(read) where 0 or 1 is possible") }
        value = read == 1
    }

    /// A short text, a byte of length and UTF-8.
    public mutating func transfer(_ value: inout String) throws(MartletError) {
        var text = Array(value.utf8.prefix(255))
        let count = Int(try word(UInt64(text.count), bytes: 1))
        if isReading { text = [UInt8](repeating: 0, count: count) }
        for index in text.indices { text[index] = UInt8(truncatingIfNeeded: try word(UInt64(text[index]), bytes: 1)) }
        guard let read = String(validating: text, as: UTF8.self) else {
            throw Self.corrupt("holds a text that is not UTF-8")
        }
        value = read
    }

    /// As many numbers as `values` has: their count is known from the parameters and not written.
    public mutating func transfer(_ values: inout ContiguousArray<Double>) throws(MartletError) {
        for index in values.indices { try transfer(&values[index]) }
    }

    /// As many numbers as `values` has.
    public mutating func transfer(_ values: inout ContiguousArray<Float>) throws(MartletError) {
        for index in values.indices { try transfer(&values[index]) }
    }

    /// As many counts as `values` has, 2 bytes each.
    public mutating func transfer(_ values: inout ContiguousArray<UInt16>) throws(MartletError) {
        for index in values.indices {
            values[index] = UInt16(truncatingIfNeeded: try word(UInt64(values[index]), bytes: 2))
        }
    }

    /// A moment that may not have come: a truth value, and 8 bytes where it is true.
    mutating func transfer(_ value: inout Int64?) throws(MartletError) {
        var isPresent = value != nil
        try transfer(&isPresent)
        var moment = value ?? 0
        if isPresent { try transfer(&moment) }
        value = isPresent ? moment : nil
    }

    /// A count, and that many bytes.
    mutating func transfer(_ value: inout [UInt8], maximum: Int) throws(MartletError) {
        let count = try transferCount(value.count, maximum: maximum, bytesEach: 1)
        if isReading {
            value = Array(bytes[position..<position + count])
            position += count
        } else {
            bytes += value
        }
    }

    /// How many elements follow, at most `maximum`; memory is taken only for bytes that are there.
    public mutating func transferCount(
        _ count: Int, maximum: Int, bytesEach: Int
    ) throws(MartletError) -> Int {
        var result = count
        try transfer(&result, in: 0...maximum)
        if isReading, result > (bytes.count - position) / max(1, bytesEach) { throw Self.corrupt("ends early") }
        return result
    }
}
