/// A span of calendar and clock time: Arrow's MonthDayNano.
public struct Interval: Sendable, Hashable, Codable, BitwiseCopyable {
    /// Calendar months.
    public var months: Int32
    /// Calendar days.
    public var days: Int32
    /// Nanoseconds.
    public var nanoseconds: Int64

    /// An interval of the given parts.
    public init(months: Int32 = 0, days: Int32 = 0, nanoseconds: Int64 = 0) {
        self.months = months
        self.days = days
        self.nanoseconds = nanoseconds
    }
}

/// One value of any column type.
public enum FieldValue: Sendable, Hashable {
    /// IEEE 754 binary64.
    case float64(Double)
    /// Signed 64-bit integer.
    case int64(Int64)
    /// Unsigned 64-bit integer.
    case uint64(UInt64)
    /// A truth value.
    case bool(Bool)
    /// UTF-8 text.
    case string(String)
    /// A moment.
    case timestamp(Timestamp)
    /// A span of time.
    case interval(Interval)

    /// A number as a float, which is the nearest one where an integer has more than 53 bits; `nil` for what is no number.
    package var number: Double? {
        switch self {
        case .float64(let value): value
        case .int64(let value): Double(value)
        case .uint64(let value): Double(value)
        case .bool, .string, .timestamp, .interval: nil
        }
    }

    /// The column type that holds the value.
    public var type: ColumnType {
        switch self {
        case .float64: .float64
        case .int64: .int64
        case .uint64: .uint64
        case .bool: .bool
        case .string: .string
        case .timestamp: .timestamp
        case .interval: .interval
        }
    }
}
