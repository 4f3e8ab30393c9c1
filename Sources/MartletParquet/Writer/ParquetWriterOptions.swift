import MartletModel

/// The unit in which timestamps are written.
package enum ParquetTimestampUnit: Sendable, Hashable {
    /// Microseconds, which every reader knows. What is finer is cut off, towards the past, and counted.
    case microseconds
    /// Nanoseconds: exact. Spark and other readers of older versions of the format refuse them.
    case nanoseconds
}

/// The encodings that a writer may choose from beside PLAIN and RLE for levels, which are always allowed.
package struct ParquetEncodings: OptionSet, Sendable, Hashable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// RLE_DICTIONARY, for columns with few distinct values.
    package static let dictionary = ParquetEncodings(rawValue: 1)
    /// DELTA_BINARY_PACKED, for integers and times.
    package static let deltaIntegers = ParquetEncodings(rawValue: 2)
    /// DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY, for text.
    package static let deltaStrings = ParquetEncodings(rawValue: 4)
    /// BYTE_STREAM_SPLIT, for floating-point numbers. Spark's vectorised reader refuses it.
    package static let byteStreamSplit = ParquetEncodings(rawValue: 8)
    /// RLE for bools.
    package static let runLengthBools = ParquetEncodings(rawValue: 16)

    /// What pyarrow, DuckDB, polars and Spark all read: every encoding but BYTE_STREAM_SPLIT.
    package static let widest: ParquetEncodings = [.dictionary, .deltaIntegers, .deltaStrings, .runLengthBools]
    /// Every encoding: the smallest files.
    package static let densest: ParquetEncodings = [.widest, .byteStreamSplit]
}

/// Which columns get bloom filters.
package enum ParquetBloomFilters: Sendable, Hashable {
    /// None.
    case none
    /// The columns of role `.tag`.
    case tags
    /// The named columns. Bools never have one.
    case columns(Set<String>)
}

/// The version of data pages.
package enum ParquetPageVersion: Sendable, Hashable {
    /// What every reader knows.
    case v1
    /// Levels outside the compressed part.
    case v2
}

/// How a Parquet file is written. The defaults give files that pyarrow, DuckDB, polars and Spark read.
package struct ParquetWriterOptions: Sendable {
    /// How pages are compressed.
    package var compression = ParquetCompression.zstd(level: 3)
    /// The unit of timestamps.
    package var timestampUnit = ParquetTimestampUnit.microseconds
    /// The encodings to choose from.
    package var encodings = ParquetEncodings.widest
    /// The version of data pages.
    package var pageVersion = ParquetPageVersion.v1
    /// The most rows of a row group, 1 or more.
    package var rowGroupRows = 1 << 20
    /// The bytes of buffered values at which a row group is written out. The writer's memory is about this, and twice
    /// as much for a moment where a column's dictionary grows.
    package var rowGroupBytes = 32 << 20
    /// The most rows of a page, 1 or more.
    package var pageRows = 1 << 16
    /// The bytes of values, before compression, at which a page ends. A single longer string still fits.
    package var pageBytes = 1 << 20
    /// The most bytes of a dictionary page; a column chunk that needs more is written without a dictionary.
    package var dictionaryBytes = 1 << 20
    /// Which columns get bloom filters.
    package var bloomFilters = ParquetBloomFilters.tags
    /// The share of absent values that a bloom filter fails to exclude, 0.0001...0.1.
    package var bloomFalsePositiveRate = 0.01
    /// Whether page headers carry a CRC-32.
    package var writesChecksums = true
    /// Whether a page index (column and offset indexes) is written.
    package var writesPageIndex = true
    /// The bytes after which the bounds of strings are cut in statistics.
    package var statisticsBytes = 64
    /// Texts to attach to the file, beside the writer's own.
    package var keyValues: [String: String] = [:]

    /// The defaults.
    package init() {}

    func validate() throws(MartletError) {
        func check(_ holds: Bool, _ what: String) throws(MartletError) {
            if !holds { throw MartletError(.invalidArgument, "Parquet option \(what)") }
        }
        try check(rowGroupRows >= 1, "rowGroupRows must be 1 or more, not \(rowGroupRows)")
        try check(rowGroupBytes >= 1, "rowGroupBytes must be 1 or more, not \(rowGroupBytes)")
        try check(pageRows >= 1 && pageRows <= 1 << 24, "pageRows must be 1...16777216, not \(pageRows)")
        try check(pageBytes >= 1 && pageBytes <= 1 << 28, "pageBytes must be 1...268435456, not \(pageBytes)")
        try check(
            dictionaryBytes >= 0 && dictionaryBytes <= 1 << 28,
            "dictionaryBytes must be 0...268435456, not \(dictionaryBytes)")
        try check(statisticsBytes >= 4, "statisticsBytes must be 4 or more, not \(statisticsBytes)")
    }
}
