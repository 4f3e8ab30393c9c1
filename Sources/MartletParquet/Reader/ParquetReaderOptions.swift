import MartletModel

/// How a Parquet file is read.
package struct ParquetReaderOptions: Sendable {
    /// The most rows of a batch, 1 or more.
    package var batchRows = 8192
    /// The bytes that a batch should stay near; rows per batch are lowered where rows are large.
    package var batchBytes = 16 << 20
    /// The most bytes that one page, one dictionary, the footer or one column of a batch may take.
    package var memoryLimit = 256 << 20
    /// The columns to read, in this order; all of them where `nil`. Columns that are not read may be of any type.
    package var columns: [String]?
    /// The roles of columns by name, for files of other programs. They go before what a file of Martlet's says itself; a
    /// column that neither names has the role `.value`.
    package var roles: [String: ColumnRole] = [:]
    /// Whether pages that carry a CRC-32 are checked against it.
    package var verifiesChecksums = true

    /// The defaults.
    package init() {}
}
