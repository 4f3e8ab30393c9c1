import MartletModel

/// Limits of a statement and the functions that it may call.
public struct QueryOptions: Sendable {
    /// The longest a statement may run, in nanoseconds; `nil`: as long as it takes. Passing it throws `.timeout`.
    public var timeout: Int64?
    /// The most memory, in bytes, that one statement's sorts, groups, joins and results under way may hold together.
    /// Passing it throws `.resourceExhausted`.
    public var memoryLimit: Int
    /// The most rows that a result may have; `nil`: any number. Passing it throws `.resourceExhausted`.
    public var maximumRows: Int?
    /// The functions that SQL knows.
    public var functions: FunctionRegistry
    /// What EXPORT writes with; without one it gives rows to clients only.
    package var exporter: (any Exporter)?
    /// What carries out statements on continuous queries, detectors and alerts.
    package var streams: (any StreamHost)?

    /// The default limits: no time limit, 256 MiB, any number of rows, the built-in functions.
    public init(
        timeout: Int64? = nil, memoryLimit: Int = 256 << 20, maximumRows: Int? = nil,
        functions: FunctionRegistry = .builtIn
    ) {
        self.timeout = timeout
        self.memoryLimit = memoryLimit
        self.maximumRows = maximumRows
        self.functions = functions
    }
}
