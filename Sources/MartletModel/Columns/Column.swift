/// One column of values in the Arrow memory layout.
///
/// | type | `values` | `offsets` | `dictionary` |
/// |---|---|---|---|
/// | fixed width | `count` values | - | - |
/// | bool | `count` bits | - | - |
/// | string, plain | UTF-8 bytes | `count + 1` x `Int32` | - |
/// | string, dictionary | `count` x `UInt32` indices | - | the entries |
///
/// A null's slot in `values` is present and unspecified, but valid (a dictionary index stays below the dictionary's
/// count unless the dictionary is empty; offsets still ascend).
public struct Column: Sendable {
    /// The type of the values.
    public let type: ColumnType
    /// The number of rows.
    public let count: Int
    /// The number of nulls; `0` means that `validity` is `nil` or all ones.
    public let nullCount: Int
    /// One bit a row, set where the value is present; `nil` when nothing is null.
    public let validity: Buffer?
    /// The values; see the table above.
    public let values: Buffer
    /// The offsets of plain strings.
    public let offsets: Buffer?
    /// The entries of dictionary-encoded strings.
    public let dictionary: StringDictionary?

    /// A column over finished buffers. The caller vouches for the layout above.
    public init(
        type: ColumnType, count: Int, nullCount: Int = 0, validity: Buffer? = nil, values: Buffer,
        offsets: Buffer? = nil, dictionary: StringDictionary? = nil
    ) {
        precondition(nullCount == 0 || validity != nil, "a column with nulls needs a validity bitmap")
        self.type = type
        self.count = count
        self.nullCount = nullCount
        self.validity = nullCount == 0 ? nil : validity
        self.values = values
        self.offsets = offsets
        self.dictionary = dictionary
    }

    /// Whether row `index` holds a value.
    @inlinable public func isValid(_ index: Int) -> Bool {
        guard let validity else { return true }
        return Bitmap.isSet(validity.baseAddress, index)
    }

    /// Whether the values are indices into `dictionary`.
    @inlinable public var isDictionaryEncoded: Bool { dictionary != nil }

    /// The bytes of the string in row `index`, which must be valid. The pointer must not outlive the column.
    @inlinable public func stringBytes(_ index: Int) -> UnsafeRawBufferPointer {
        if let dictionary {
            return dictionary.entry(Int(values.pointer(to: UInt32.self)[index]))
        }
        let offsets = offsets!.pointer(to: Int32.self)
        let start = Int(offsets[index])
        return UnsafeRawBufferPointer(start: values.baseAddress + start, count: Int(offsets[index + 1]) - start)
    }

    /// The value of row `index`, or `nil` for a null. For results and tests; hot paths read the buffers.
    public func value(at index: Int) -> FieldValue? {
        precondition(index >= 0 && index < count, "row \(index) of a column of \(count)")
        guard isValid(index) else { return nil }
        switch type {
        case .timestamp: return .timestamp(Timestamp(nanoseconds: values.pointer(to: Int64.self)[index]))
        case .float64: return .float64(values.pointer(to: Double.self)[index])
        case .int64: return .int64(values.pointer(to: Int64.self)[index])
        case .uint64: return .uint64(values.pointer(to: UInt64.self)[index])
        case .bool: return .bool(Bitmap.isSet(values.baseAddress, index))
        case .string: return .string(String(decoding: stringBytes(index), as: UTF8.self))
        case .interval: return .interval(values.pointer(to: Interval.self)[index])
        }
    }

    /// Bytes held by the buffers, for memory accounting. A shared dictionary counts each time.
    public var memoryFootprint: Int {
        values.byteCount + (validity?.byteCount ?? 0) + (offsets?.byteCount ?? 0)
            + (dictionary.map { $0.bytes.byteCount + $0.offsets.byteCount } ?? 0)
    }

    /// A column of `count` nulls.
    public static func nulls(_ type: ColumnType, count: Int) -> Column {
        var validity = MutableBuffer(capacity: Bitmap.byteCount(forBits: count))
        validity.appendZeros(Bitmap.byteCount(forBits: count))
        var values = MutableBuffer(capacity: 0)
        var offsets: Buffer?
        if let width = type.fixedWidth {
            values.appendZeros(width * count)
        } else if type == .bool {
            values.appendZeros(Bitmap.byteCount(forBits: count))
        } else {
            var zeros = MutableBuffer(capacity: (count + 1) * 4)
            zeros.appendZeros((count + 1) * 4)
            offsets = zeros.finish()
        }
        return Column(
            type: type, count: count, nullCount: count, validity: validity.finish(), values: values.finish(),
            offsets: offsets)
    }
}
