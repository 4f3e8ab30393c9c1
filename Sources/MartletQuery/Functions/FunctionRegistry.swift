import MartletModel

/// A function of values of one row: `abs`, `date_part`, `time_bucket`.
///
/// Vectorised: it sees whole columns and returns a whole column. NULL in, NULL out is the function's own business,
/// because some (`coalesce`) differ.
public protocol ScalarFunction: Sendable {
    /// The name in SQL, lower case.
    var name: String { get }
    /// The result's type for arguments of these types (`nil` = an untyped NULL literal).
    ///
    /// - Throws: `.semantic` with a message that names the accepted forms.
    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType
    /// The function's values. Every argument column has `rowCount` rows; `constant[i]` says that column `i` holds one
    /// value in all rows, so that patterns and zones are prepared once.
    func evaluate(
        _ arguments: [Column], constant: [Bool], rowCount: Int, context: EvaluationContext
    ) throws(MartletError) -> Column
}

/// What functions may ask of the world.
public struct EvaluationContext: Sendable {
    /// The statement's `now()`: one value for the whole statement.
    public let now: Timestamp

    /// A context with a fixed `now()`.
    public init(now: Timestamp) { self.now = now }
}

/// An aggregate: `sum`, `percentile_cont`, `rate`.
public protocol AggregateFunction: Sendable {
    /// The name in SQL, lower case.
    var name: String { get }
    /// The result's type for arguments of these types.
    ///
    /// - Throws: `.semantic` with a message that names the accepted forms.
    func resultType(of arguments: [ColumnType?]) throws(MartletError) -> ColumnType
    /// Whether the aggregate needs the row's time (`first`, `rate`). The engine then passes the time column (of the
    /// table, or of the argument that `ORDER BY` or the function's second argument names) as `times`.
    var needsTime: Bool { get }
    /// A new accumulator. `constants` holds the values of arguments that are constant (percentile fractions), else nil.
    func makeAccumulator(
        argumentTypes: [ColumnType?], constants: [FieldValue?]
    ) throws(MartletError) -> any AggregateAccumulator
}

/// The running state of one aggregate over many groups. Not thread-safe.
public protocol AggregateAccumulator: AnyObject {
    /// Makes sure that groups `0 ..< count` exist.
    func grow(toGroups count: Int)
    /// Adds rows. `groups[i]` is the group of row `i`; `selection` (if any) lists the rows to add, else all
    /// `rowCount`. `times` are the rows' timestamps where `needsTime`.
    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int) throws(MartletError)
    /// Adds the state of `other`, an accumulator of the same function; `mapping[g]` is the group here of its group `g`.
    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError)
    /// The results of groups `0 ..< count`.
    func finish(groupCount: Int) throws(MartletError) -> Column
    /// Bytes held, for the query's memory limit.
    var memoryFootprint: Int { get }
}

/// The functions that SQL knows. Built-ins and a stranger's go through the same door.
public struct FunctionRegistry: Sendable {
    private var scalars: [String: any ScalarFunction] = [:]
    private var aggregates: [String: any AggregateFunction] = [:]
    private var windows: [String: any WindowFunction] = [:]

    /// An empty registry; `FunctionRegistry.builtIn` has the built-in functions.
    public init() {}

    /// Adds or replaces a scalar function.
    public mutating func register(_ function: any ScalarFunction) { scalars[function.name] = function }
    /// Adds or replaces an aggregate.
    public mutating func register(_ function: any AggregateFunction) { aggregates[function.name] = function }
    /// Adds or replaces a function of windows. Those of SQL itself, like `rank`, cannot be replaced.
    public mutating func register(_ function: any WindowFunction) { windows[function.name] = function }
    /// The scalar function called `name` (lower case).
    public func scalar(_ name: String) -> (any ScalarFunction)? { scalars[name] }
    /// The aggregate called `name` (lower case).
    public func aggregate(_ name: String) -> (any AggregateFunction)? { aggregates[name] }
    /// The function of windows called `name` (lower case).
    public func window(_ name: String) -> (any WindowFunction)? { windows[name] }
    /// All names, for completion and for "did you mean".
    public var names: [String] { (Array(scalars.keys) + Array(aggregates.keys) + windowNames).sorted() }
    /// The names of functions that need OVER.
    var windowNames: [String] { Array(windows.keys) }
}
