/// The type of a column's values. The raw values are part of the segment format and of the wire protocol.
public enum ColumnType: UInt8, Sendable, Hashable, CaseIterable, Codable {
    /// Signed nanoseconds since 1970-01-01T00:00:00Z, 8 bytes.
    case timestamp = 1
    /// IEEE 754 binary64, 8 bytes.
    case float64 = 2
    /// Two's complement, 8 bytes.
    case int64 = 3
    /// Unsigned, 8 bytes.
    case uint64 = 4
    /// One bit a value, least significant first.
    case bool = 5
    /// UTF-8 text; plain (`Int32` offsets and bytes) or dictionary-encoded (`UInt32` indices).
    case string = 6
    /// Months, days and nanoseconds as Arrow's MonthDayNano: `Int32`, `Int32`, `Int64`, 16 bytes. Query results only.
    case interval = 7

    /// Bytes of one value, or `nil` where values are not of a whole number of bytes each.
    @inlinable public var fixedWidth: Int? {
        switch self {
        case .timestamp, .float64, .int64, .uint64: 8
        case .interval: 16
        case .bool, .string: nil
        }
    }

    /// Whether a field may be stored with this type.
    public var isFieldType: Bool {
        switch self {
        case .float64, .int64, .uint64, .bool, .string: true
        case .timestamp, .interval: false
        }
    }

    /// Whether arithmetic is defined on the type.
    public var isNumeric: Bool { self == .float64 || self == .int64 || self == .uint64 }

    /// The name that SQL and messages use.
    public var name: String {
        switch self {
        case .timestamp: "TIMESTAMP"
        case .float64: "DOUBLE"
        case .int64: "BIGINT"
        case .uint64: "UBIGINT"
        case .bool: "BOOLEAN"
        case .string: "VARCHAR"
        case .interval: "INTERVAL"
        }
    }
}
