import MartletModel

/// The smallest or largest of some values, in the order that Parquet defines for their type.
enum BoundValue: Equatable {
    case bool(Bool)
    case signed(Int64)
    case unsigned(UInt64)
    case double(Double)
    case bytes([UInt8])

    /// Both must be of the same kind.
    static func isLess(_ left: BoundValue, _ right: BoundValue) -> Bool {
        switch (left, right) {
        case (.bool(let left), .bool(let right)): !left && right
        case (.signed(let left), .signed(let right)): left < right
        case (.unsigned(let left), .unsigned(let right)): left < right
        case (.double(let left), .double(let right)): left < right
        case (.bytes(let left), .bytes(let right)): left.lexicographicallyPrecedes(right)
        default: preconditionFailure("bounds of different types")
        }
    }

    /// The value's PLAIN bytes, without a string's length.
    var plainBytes: [UInt8] {
        switch self {
        case .bool(let value): [value ? 1 : 0]
        case .signed(let value): withUnsafeBytes(of: value.littleEndian) { Array($0) }
        case .unsigned(let value): withUnsafeBytes(of: value.littleEndian) { Array($0) }
        case .double(let value): withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
        case .bytes(let value): value
        }
    }
}

/// What is known of the values of a page or chunk.
struct ValueBounds {
    /// `nil` where there is no value that can be ordered: nulls alone, or NaN alone.
    var range: (minimum: BoundValue, maximum: BoundValue)?

    static let none = ValueBounds(range: nil)

    /// Bounds of both.
    mutating func merge(_ other: ValueBounds) {
        guard let more = other.range else { return }
        guard let range else {
            self = other
            return
        }
        self.range = (
            BoundValue.isLess(more.minimum, range.minimum) ? more.minimum : range.minimum,
            BoundValue.isLess(range.maximum, more.maximum) ? more.maximum : range.maximum
        )
    }

    /// The statistics as they are written, with the bounds of strings cut to `limit` bytes.
    func statistics(nullCount: Int, distinctCount: Int?, limit: Int) -> ValueStatistics {
        var result = ValueStatistics()
        result.nullCount = Int64(nullCount)
        result.distinctCount = distinctCount.map(Int64.init)
        if let range {
            let (minimum, isMinimumExact) = Self.lower(range.minimum, limit: limit)
            let (maximum, isMaximumExact) = Self.upper(range.maximum, limit: limit)
            result.minimum = minimum
            result.isMinimumExact = isMinimumExact
            result.maximum = maximum
            result.isMaximumExact = isMaximumExact
        }
        return result
    }

    /// A value not above `value`, in at most `limit` bytes; and whether it is `value`.
    static func lower(_ value: BoundValue, limit: Int) -> ([UInt8], Bool) {
        let bytes = value.plainBytes
        guard case .bytes = value, bytes.count > limit else { return (bytes, true) }
        return (Array(bytes[..<characterBoundary(bytes, limit)]), false)
    }

    /// A value not below `value`, in about `limit` bytes where that is possible; and whether it is `value`.
    ///
    /// The cut text's last character that has a successor is replaced by it, so that the bound stays valid UTF-8.
    static func upper(_ value: BoundValue, limit: Int) -> ([UInt8], Bool) {
        let bytes = value.plainBytes
        guard case .bytes = value, bytes.count > limit,
            let text = String(validating: bytes[..<characterBoundary(bytes, limit)], as: UTF8.self)
        else { return (bytes, true) }
        var scalars = Array(text.unicodeScalars)
        while let last = scalars.popLast() {
            // The surrogates lie between 0xd7ff and 0xe000 and are no characters.
            let next = last.value == 0xd7ff ? 0xe000 : last.value + 1
            if let successor = Unicode.Scalar(next) {
                scalars.append(successor)
                var result = String.UnicodeScalarView()
                result.append(contentsOf: scalars)
                return (Array(String(result).utf8), false)
            }
        }
        return (bytes, true)
    }

    /// The start of the character that byte `limit` belongs to.
    private static func characterBoundary(_ bytes: [UInt8], _ limit: Int) -> Int {
        var end = limit
        while end > 0 && bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return end
    }
}
