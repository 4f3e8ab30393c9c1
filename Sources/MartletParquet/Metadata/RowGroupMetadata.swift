import MartletModel

/// A horizontal slice of a file.
struct RowGroupMetadata: ThriftEncodable, ThriftDecodable {
    var columns: [ColumnChunkMetadata] = []
    var totalByteSize: Int64 = 0
    var rowCount: Int64 = 0
    var fileOffset: Int64?
    var totalCompressedSize: Int64?
    var ordinal: Int16?

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.list(1, columns)
        writer.i64(2, totalByteSize)
        writer.i64(3, rowCount)
        writer.i64(5, fileOffset)
        writer.i64(6, totalCompressedSize)
        if let ordinal { writer.i16(7, ordinal) }
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var group = RowGroupMetadata()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: group.columns = try reader.list(field)
            case 2: group.totalByteSize = try reader.i64(field)
            case 3: group.rowCount = try reader.i64(field)
            case 5: group.fileOffset = try reader.i64(field)
            case 6: group.totalCompressedSize = try reader.i64(field)
            default: try reader.skip(field)
            }
        }
        self = group
    }
}

/// How many pages of a chunk have which encoding.
struct PageEncodingStatistics: ThriftEncodable {
    let pageType: PageType
    let encoding: ParquetEncoding
    let count: Int32

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, pageType.rawValue)
        writer.i32(2, encoding.rawValue)
        writer.i32(3, count)
    }
}

/// Bounds and counts of a page's or a chunk's values, as their PLAIN bytes.
struct ValueStatistics: ThriftEncodable, ThriftDecodable, Equatable {
    var nullCount: Int64?
    var distinctCount: Int64?
    var maximum: [UInt8]?
    var minimum: [UInt8]?
    var isMaximumExact: Bool?
    var isMinimumExact: Bool?

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i64(3, nullCount)
        writer.i64(4, distinctCount)
        writer.binary(5, maximum)
        writer.binary(6, minimum)
        writer.bool(7, isMaximumExact)
        writer.bool(8, isMinimumExact)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var statistics = ValueStatistics()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 3: statistics.nullCount = try reader.i64(field)
            case 4: statistics.distinctCount = try reader.i64(field)
            case 5: statistics.maximum = try reader.binary(field)
            case 6: statistics.minimum = try reader.binary(field)
            case 7: statistics.isMaximumExact = try reader.bool(field)
            case 8: statistics.isMinimumExact = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        self = statistics
    }
}

/// The values of one column in one row group: where they are and how they are stored.
struct ColumnMetadata: ThriftEncodable, ThriftDecodable {
    var typeNumber: Int32 = -1
    var encodings: [ParquetEncoding] = []
    var path: [String] = []
    var codecNumber: Int32 = 0
    var valueCount: Int64 = 0
    var totalUncompressedSize: Int64 = 0
    var totalCompressedSize: Int64 = 0
    var dataPageOffset: Int64 = 0
    var dictionaryPageOffset: Int64?
    var statistics: ValueStatistics?
    var encodingStatistics: [PageEncodingStatistics] = []
    var bloomFilterOffset: Int64?
    var bloomFilterLength: Int32?

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, typeNumber)
        writer.list(2, i32: encodings.map(\.rawValue))
        writer.list(3, strings: path)
        writer.i32(4, codecNumber)
        writer.i64(5, valueCount)
        writer.i64(6, totalUncompressedSize)
        writer.i64(7, totalCompressedSize)
        writer.i64(9, dataPageOffset)
        writer.i64(11, dictionaryPageOffset)
        writer.structure(12, statistics)
        if !encodingStatistics.isEmpty { writer.list(13, encodingStatistics) }
        writer.i64(14, bloomFilterOffset)
        writer.i32(15, bloomFilterLength)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var column = ColumnMetadata()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: column.typeNumber = try reader.i32(field)
            case 2:
                for number in try reader.integers(field) {
                    if let encoding = Int32(exactly: number).flatMap(ParquetEncoding.init(rawValue:)) {
                        column.encodings.append(encoding)
                    }
                }
            case 3: column.path = try reader.strings(field)
            case 4: column.codecNumber = try reader.i32(field)
            case 5: column.valueCount = try reader.i64(field)
            case 6: column.totalUncompressedSize = try reader.i64(field)
            case 7: column.totalCompressedSize = try reader.i64(field)
            case 9: column.dataPageOffset = try reader.i64(field)
            case 11: column.dictionaryPageOffset = try reader.i64(field)
            case 12: column.statistics = try reader.structure(field)
            case 14: column.bloomFilterOffset = try reader.i64(field)
            case 15: column.bloomFilterLength = try reader.i32(field)
            default: try reader.skip(field)
            }
        }
        self = column
    }
}

/// A column chunk and the places of its page index.
struct ColumnChunkMetadata: ThriftEncodable, ThriftDecodable {
    var filePath: String?
    var fileOffset: Int64 = 0
    var metadata: ColumnMetadata?
    var offsetIndexOffset: Int64?
    var offsetIndexLength: Int32?
    var columnIndexOffset: Int64?
    var columnIndexLength: Int32?
    var isEncrypted = false

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i64(2, fileOffset)
        writer.structure(3, metadata)
        writer.i64(4, offsetIndexOffset)
        writer.i32(5, offsetIndexLength)
        writer.i64(6, columnIndexOffset)
        writer.i32(7, columnIndexLength)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var chunk = ColumnChunkMetadata()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: chunk.filePath = try reader.string(field)
            case 2: chunk.fileOffset = try reader.i64(field)
            case 3: chunk.metadata = try reader.structure(field)
            case 4: chunk.offsetIndexOffset = try reader.i64(field)
            case 5: chunk.offsetIndexLength = try reader.i32(field)
            case 6: chunk.columnIndexOffset = try reader.i64(field)
            case 7: chunk.columnIndexLength = try reader.i32(field)
            case 8, 9:
                chunk.isEncrypted = true
                try reader.skip(field)
            default: try reader.skip(field)
            }
        }
        self = chunk
    }
}
