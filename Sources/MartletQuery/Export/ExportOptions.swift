import MartletModel

/// How rows are written out of the database.
public struct ExportOptions: Sendable, Hashable {
    /// The formats of files.
    public enum Format: String, Sendable, CaseIterable {
        /// Apache Parquet.
        case parquet
        /// Comma-separated values with a header line.
        case csv
        /// One JSON object a line.
        case jsonl
        /// InfluxDB line protocol.
        case line
    }

    /// The compressors of files.
    public enum Compression: String, Sendable, CaseIterable {
        /// Zstandard.
        case zstd
        /// LZ4 blocks; of Parquet only.
        case lz4
        /// None.
        case none
    }

    /// The unit of timestamps in Parquet; the other formats are always exact.
    public enum Timestamps: String, Sendable, CaseIterable {
        /// Microseconds, which every reader knows; what is finer is cut off, and counted.
        case micros
        /// Nanoseconds: exact, and refused by some readers.
        case nanos
    }

    /// The encodings of Parquet.
    public enum Encodings: String, Sendable, CaseIterable {
        /// Those that pyarrow, DuckDB, polars and Spark all read.
        case widest
        /// All of them: the smallest files.
        case densest
    }

    /// The format; `nil` follows the destination's name, and is Parquet for a folder.
    public var format: Format?
    /// The compressor; `nil` means zstd for Parquet, and for the others what the destination's name says, else none.
    public var compression: Compression?
    /// The level of zstd, 1...19.
    public var compressionLevel = 3
    /// The unit of timestamps.
    public var timestamps = Timestamps.micros
    /// The encodings of Parquet.
    public var encodings = Encodings.widest
    /// The bytes at which a file of a folder is finished and the next one begun.
    public var fileBytes: Int64 = 512 << 20
    /// The name that the rows of a query get as a table.
    public var table = "query"

    /// The defaults.
    public init() {}
}
