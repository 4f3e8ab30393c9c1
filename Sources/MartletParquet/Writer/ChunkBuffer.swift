import MartletModel

/// How the values of a chunk will be written.
enum ChunkEncoding: Equatable {
    case values(ParquetEncoding)
    case dictionary
}

/// What a chunk needs to choose its encoding.
struct EncodingChooser {
    let allowed: ParquetEncodings
    let dictionaryBytes: Int
    let compressor: PageCompressor

    private static let runs = 8
    private static let runLength = 1024

    /// Stretches of `count` values that stand for all of them.
    static func sample(of count: Int) -> [Range<Int>] {
        if count <= runs * runLength { return count == 0 ? [] : [0..<count] }
        let step = (count - runLength) / (runs - 1)
        return (0..<runs).map { $0 * step..<$0 * step + runLength }
    }

    /// Bytes of `encoded` after compression.
    func compressedSize(_ encoded: borrowing MutableBuffer) throws(MartletError) -> Int {
        if compressor.compression == .none { return encoded.byteCount }
        var target = MutableBuffer(capacity: encoded.byteCount)
        try compressor.compress(encoded.bytes, into: &target)
        return target.byteCount
    }
}

/// The values of one column in the row group that is being built.
///
/// Nulls take no room among the values: value `i` is that of the `i`-th row that has one.
protocol ChunkBuffer: AnyObject {
    /// Which rows hold a value.
    var levels: LevelBuffer { get set }
    /// Values held.
    var valueCount: Int { get }
    /// Memory held.
    var byteCount: Int { get }
    /// Appends rows of a column of the chunk's type.
    func append(_ column: Column, rows: Range<Int>) throws(MartletError)
    /// Chooses the encoding by trying those allowed on a sample. Call once, when the chunk is complete.
    func chooseEncoding(_ chooser: EncodingChooser) throws(MartletError) -> ChunkEncoding
    /// Appends the entries of the chosen dictionary as PLAIN values; returns their number.
    func encodeDictionary(into target: inout MutableBuffer) -> Int
    /// Appends values in the chosen encoding.
    func encode(_ values: Range<Int>, _ encoding: ChunkEncoding, into target: inout MutableBuffer)
    /// How many values from `start` on make up `bytes` bytes in the chosen encoding, 1 or more.
    func pageLength(from start: Int, bytes: Int, _ encoding: ChunkEncoding) -> Int
    /// The bounds of some values.
    func bounds(_ values: Range<Int>) -> ValueBounds
    /// The number of distinct values, where it is known.
    var distinctCount: Int? { get }
    /// A filter of all values, or `nil` where the type has none.
    func bloomFilter(falsePositiveRate: Double) -> SplitBlockBloomFilter?
    /// Forgets everything, and gives back the memory unless told to keep it for more.
    func reset(keepingCapacity: Bool)
}
