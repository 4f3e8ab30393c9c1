import MartletModel

/// The header in front of every page.
struct PageHeader: ThriftEncodable, ThriftDecodable {
    /// What a data page of version 2 says beyond version 1.
    struct Version2 {
        var nullCount: Int32 = 0
        var rowCount: Int32 = 0
        var definitionLevelsByteCount: Int32 = 0
        var repetitionLevelsByteCount: Int32 = 0
        var isCompressed = true
    }

    var type = PageType.data
    var uncompressedSize: Int32 = 0
    var compressedSize: Int32 = 0
    var crc: Int32?
    var valueCount: Int32 = 0
    var encodingNumber: Int32 = 0
    var definitionLevelEncodingNumber = ParquetEncoding.rle.rawValue
    var version2 = Version2()
    var statistics: ValueStatistics?

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, type.rawValue)
        writer.i32(2, uncompressedSize)
        writer.i32(3, compressedSize)
        writer.i32(4, crc)
        switch type {
        case .data: writer.structure(5, DataHeader(page: self))
        case .dictionary: writer.structure(7, DictionaryHeader(page: self))
        case .dataV2: writer.structure(8, DataHeaderV2(page: self))
        case .index: break
        }
    }

    private struct DataHeader: ThriftEncodable {
        let page: PageHeader
        func encodeFields(into writer: inout ThriftWriter) {
            writer.i32(1, page.valueCount)
            writer.i32(2, page.encodingNumber)
            writer.i32(3, page.definitionLevelEncodingNumber)
            writer.i32(4, ParquetEncoding.rle.rawValue)
            writer.structure(5, page.statistics)
        }
    }

    private struct DictionaryHeader: ThriftEncodable {
        let page: PageHeader
        func encodeFields(into writer: inout ThriftWriter) {
            writer.i32(1, page.valueCount)
            writer.i32(2, page.encodingNumber)
        }
    }

    private struct DataHeaderV2: ThriftEncodable {
        let page: PageHeader
        func encodeFields(into writer: inout ThriftWriter) {
            writer.i32(1, page.valueCount)
            writer.i32(2, page.version2.nullCount)
            writer.i32(3, page.version2.rowCount)
            writer.i32(4, page.encodingNumber)
            writer.i32(5, page.version2.definitionLevelsByteCount)
            writer.i32(6, page.version2.repetitionLevelsByteCount)
            writer.bool(7, page.version2.isCompressed)
            writer.structure(8, page.statistics)
        }
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var page = PageHeader()
        var typeNumber: Int32 = -1
        var described: PageType?
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: typeNumber = try reader.i32(field)
            case 2: page.uncompressedSize = try reader.i32(field)
            case 3: page.compressedSize = try reader.i32(field)
            case 4: page.crc = try reader.i32(field)
            case 5:
                described = .data
                try reader.structure { (reader, field) throws(MartletError) in
                    switch field.id {
                    case 1: page.valueCount = try reader.i32(field)
                    case 2: page.encodingNumber = try reader.i32(field)
                    case 3: page.definitionLevelEncodingNumber = try reader.i32(field)
                    default: try reader.skip(field)
                    }
                }
            case 7:
                described = .dictionary
                try reader.structure { (reader, field) throws(MartletError) in
                    switch field.id {
                    case 1: page.valueCount = try reader.i32(field)
                    case 2: page.encodingNumber = try reader.i32(field)
                    default: try reader.skip(field)
                    }
                }
            case 8:
                described = .dataV2
                try reader.structure { (reader, field) throws(MartletError) in
                    switch field.id {
                    case 1: page.valueCount = try reader.i32(field)
                    case 2: page.version2.nullCount = try reader.i32(field)
                    case 3: page.version2.rowCount = try reader.i32(field)
                    case 4: page.encodingNumber = try reader.i32(field)
                    case 5: page.version2.definitionLevelsByteCount = try reader.i32(field)
                    case 6: page.version2.repetitionLevelsByteCount = try reader.i32(field)
                    case 7: page.version2.isCompressed = try reader.bool(field)
                    default: try reader.skip(field)
                    }
                }
            default: try reader.skip(field)
            }
        }
        guard let type = PageType(rawValue: typeNumber) else {
            throw MartletError(.corrupt, "a page is of unknown type \(typeNumber)")
        }
        guard type == .index || described == type else {
            throw MartletError(.corrupt, "a page of type \(typeNumber) lacks its header")
        }
        guard page.uncompressedSize >= 0, page.compressedSize >= 0, page.valueCount >= 0 else {
            throw MartletError(.corrupt, "a page claims a negative size or count")
        }
        page.type = type
        self = page
    }
}

/// Where one page is and which row it starts with.
struct PageLocation: ThriftEncodable, ThriftDecodable {
    var offset: Int64
    var compressedSize: Int32
    var firstRow: Int64

    init(offset: Int64, compressedSize: Int32, firstRow: Int64) {
        self.offset = offset
        self.compressedSize = compressedSize
        self.firstRow = firstRow
    }

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i64(1, offset)
        writer.i32(2, compressedSize)
        writer.i64(3, firstRow)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var location = PageLocation(offset: 0, compressedSize: 0, firstRow: 0)
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: location.offset = try reader.i64(field)
            case 2: location.compressedSize = try reader.i32(field)
            case 3: location.firstRow = try reader.i64(field)
            default: try reader.skip(field)
            }
        }
        self = location
    }
}

/// The places of a chunk's data pages.
struct OffsetIndex: ThriftEncodable, ThriftDecodable {
    var pages: [PageLocation] = []

    init(pages: [PageLocation]) { self.pages = pages }

    func encodeFields(into writer: inout ThriftWriter) { writer.list(1, pages) }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var pages: [PageLocation] = []
        try reader.structure { (reader, field) throws(MartletError) in
            if field.id == 1 { pages = try reader.list(field) } else { try reader.skip(field) }
        }
        self.pages = pages
    }
}

/// The bounds of a chunk's data pages.
struct ColumnIndex: ThriftEncodable, ThriftDecodable {
    /// Whether the bounds of the pages ascend or descend.
    enum Order: Int32 {
        case unordered = 0
        case ascending = 1
        case descending = 2
    }

    var nullPages: [Bool] = []
    var minimums: [[UInt8]] = []
    var maximums: [[UInt8]] = []
    var order = Order.unordered
    var nullCounts: [Int64] = []

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.list(1, bools: nullPages)
        writer.list(2, binaries: minimums)
        writer.list(3, binaries: maximums)
        writer.i32(4, order.rawValue)
        writer.list(5, i64: nullCounts)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var index = ColumnIndex()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: index.nullPages = try reader.bools(field)
            case 2: index.minimums = try reader.binaries(field)
            case 3: index.maximums = try reader.binaries(field)
            case 4: index.order = Order(rawValue: try reader.i32(field)) ?? .unordered
            case 5: index.nullCounts = try reader.integers(field)
            default: try reader.skip(field)
            }
        }
        self = index
    }
}

/// The header in front of a bloom filter's blocks.
struct BloomFilterHeader: ThriftEncodable, ThriftDecodable {
    var byteCount: Int32

    init(byteCount: Int32) { self.byteCount = byteCount }

    private struct FirstChoice: ThriftEncodable {
        func encodeFields(into writer: inout ThriftWriter) { writer.structure(1, EmptyStruct()) }
    }

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, byteCount)
        writer.structure(2, FirstChoice())
        writer.structure(3, FirstChoice())
        writer.structure(4, FirstChoice())
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var byteCount: Int32 = 0
        var known = true
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: byteCount = try reader.i32(field)
            case 2, 3, 4:
                let choice: UnionChoice = try reader.structure(field)
                if choice.id != 1 { known = false }
            default: try reader.skip(field)
            }
        }
        guard known else { throw MartletError(.unsupported, "a bloom filter of an unknown kind") }
        guard byteCount > 0, byteCount % 32 == 0 else {
            throw MartletError(.corrupt, "a bloom filter of \(byteCount) bytes is not made of 32-byte blocks")
        }
        self.byteCount = byteCount
    }
}
