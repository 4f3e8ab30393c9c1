/// Builds a column of any type value by value: for results, tests and edges of the system.
///
/// Hot paths write `MutableBuffer`s themselves. Appending is amortised O(1); a type that does not fit is refused.
public struct ColumnBuilder: ~Copyable {
    /// The type of the column being built.
    public let type: ColumnType
    /// Rows appended so far.
    public private(set) var count = 0
    private var values: MutableBuffer
    private var bits: BitmapBuilder
    private var offsets: MutableBuffer
    private var validity: BitmapBuilder

    /// A builder with room for `capacity` rows.
    public init(_ type: ColumnType, capacity: Int = 0) {
        self.type = type
        values = MutableBuffer(capacity: capacity * (type.fixedWidth ?? (type == .string ? 12 : 0)))
        bits = BitmapBuilder(capacity: type == .bool ? capacity : 0)
        offsets = MutableBuffer(capacity: type == .string ? (capacity + 1) * 4 : 0)
        if type == .string { offsets.append(Int32(0)) }
        validity = BitmapBuilder(capacity: capacity)
    }

    /// Appends a null.
    public mutating func appendNull() {
        validity.append(false)
        count += 1
        switch type {
        case .bool: bits.append(false)
        case .string: offsets.append(Int32(values.byteCount))
        case .interval: values.appendZeros(16)
        case .timestamp, .float64, .int64, .uint64: values.appendZeros(8)
        }
    }

    /// Appends a string's bytes, which must be UTF-8.
    public mutating func append(utf8 bytes: UnsafeRawBufferPointer) {
        precondition(type == .string, "text appended to a column of \(type.name)")
        values.append(bytes)
        offsets.append(Int32(values.byteCount))
        validity.append(true)
        count += 1
    }

    /// Appends a value, or a null for `nil`.
    ///
    /// - Throws: `MartletError` of code `.typeConflict` when the value is not of the column's type. Integers widen to
    ///   a float column.
    public mutating func append(_ value: FieldValue?) throws(MartletError) {
        guard let value else { return appendNull() }
        switch (type, value) {
        case (.timestamp, .timestamp(let time)): values.append(time.nanoseconds)
        case (.float64, .float64(let number)): values.append(number)
        case (.float64, .int64(let number)): values.append(Double(number))
        case (.float64, .uint64(let number)): values.append(Double(number))
        case (.int64, .int64(let number)): values.append(number)
        case (.uint64, .uint64(let number)): values.append(number)
        case (.bool, .bool(let flag)): bits.append(flag)
        case (.interval, .interval(let interval)): values.append(interval)
        case (.string, .string(var text)):
            text.withUTF8 { values.append(UnsafeRawBufferPointer($0)) }
            offsets.append(Int32(values.byteCount))
        default:
            throw MartletError(
                .typeConflict, "a value of type \(value.type.name) does not fit a column of type \(type.name)")
        }
        validity.append(true)
        count += 1
    }

    /// The finished column.
    public consuming func finish() -> Column {
        let type = type
        let count = count
        let nullCount = validity.clearCount
        let validity = validity.finish()
        let offsets = offsets.finish()
        let values = type == .bool ? bits.finish() : values.finish()
        return Column(
            type: type, count: count, nullCount: nullCount, validity: nullCount == 0 ? nil : validity, values: values,
            offsets: type == .string ? offsets : nil)
    }
}

extension Column {
    /// A column of the given values; `nil` becomes a null.
    public init(_ type: ColumnType, _ values: [FieldValue?]) throws(MartletError) {
        var builder = ColumnBuilder(type, capacity: values.count)
        for value in values { try builder.append(value) }
        self = builder.finish()
    }

    /// A column of fixed-width values without nulls, copied as they lie in memory.
    public init<T: BitwiseCopyable>(_ type: ColumnType, unsafeElements elements: [T]) {
        precondition(type.fixedWidth == MemoryLayout<T>.stride, "\(T.self) is not the layout of \(type.name)")
        self.init(type: type, count: elements.count, values: Buffer(elements))
    }

    /// A dictionary-encoded string column without nulls.
    public init(indices: [UInt32], dictionary: StringDictionary) {
        self.init(type: .string, count: indices.count, values: Buffer(indices), dictionary: dictionary)
    }
}
