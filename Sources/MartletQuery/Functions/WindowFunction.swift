import MartletModel

/// A function that exists only with OVER and sees its partition in order, as `anomaly_score`.
///
/// Unlike an aggregate it has no frame: what it says about a row is its own business.
public protocol WindowFunction: Sendable {
    /// The name in SQL, lower case.
    var name: String { get }
    /// The result's type for arguments of these types (`nil` = an untyped NULL literal), under OVER with this order.
    ///
    /// - Parameters:
    ///   - constants: the values of arguments that are constant, else nil.
    /// - Throws: `.semantic` with a message that names the accepted forms.
    func resultType(
        of arguments: [ColumnType?], constants: [FieldValue?], order: [WindowOrder]
    ) throws(MartletError) -> ColumnType
    /// The function's values for all rows, which are sorted by partition and order.
    ///
    /// - Parameters:
    ///   - order: the ORDER BY keys, one value a row.
    ///   - partitions: the rows of each partition; together, all rows in turn.
    ///   - checkpoint: to be called every few thousand rows; throws when the statement was cancelled or took too long.
    func evaluate(
        _ arguments: [Column], constants: [FieldValue?], order: [Column], partitions: [Range<Int>],
        checkpoint: () throws(MartletError) -> Void
    ) throws(MartletError) -> Column
}

/// One key of an OVER clause's ORDER BY.
public struct WindowOrder: Sendable, Hashable {
    /// The type of the key.
    public let type: ColumnType
    /// Whether the greatest comes first.
    public let isDescending: Bool
}
