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
