import MartletModel

/// One node of the schema tree, in depth-first order; the first is the root.
struct SchemaElement: ThriftEncodable, ThriftDecodable {
    var type: PhysicalType?
    var typeNumber: Int32?
    var typeLength: Int32?
    var repetition: Repetition?
    var name = ""
    var childCount: Int32?
    var convertedType: ConvertedType?
    var scale: Int32?
    var precision: Int32?
    var logicalType: LogicalType?

    init(name: String) { self.name = name }

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, type?.rawValue)
        writer.i32(2, typeLength)
        writer.i32(3, repetition?.rawValue)
        writer.string(4, name)
        writer.i32(5, childCount)
        writer.i32(6, convertedType?.rawValue)
        writer.i32(7, scale)
        writer.i32(8, precision)
        writer.structure(10, logicalType)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var element = SchemaElement(name: "")
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1:
                let number = try reader.i32(field)
                element.typeNumber = number
                element.type = PhysicalType(rawValue: number)
            case 2: element.typeLength = try reader.i32(field)
            case 3: element.repetition = Repetition(rawValue: try reader.i32(field))
            case 4: element.name = try reader.string(field)
            case 5: element.childCount = try reader.i32(field)
            case 6: element.convertedType = ConvertedType(rawValue: try reader.i32(field))
            case 7: element.scale = try reader.i32(field)
            case 8: element.precision = try reader.i32(field)
            case 10: element.logicalType = try reader.structure(field)
            default: try reader.skip(field)
            }
        }
        self = element
    }
}

/// A pair of texts that the writer of a file attached to it.
struct KeyValue: ThriftEncodable, ThriftDecodable {
    var key: String
    var value: String?

    init(key: String, value: String?) {
        self.key = key
        self.value = value
    }

    func encodeFields(into writer: inout ThriftWriter) {
        writer.string(1, key)
        writer.string(2, value)
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var key = ""
        var value: String?
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: key = try reader.string(field)
            case 2: value = try reader.string(field)
            default: try reader.skip(field)
            }
        }
        self.init(key: key, value: value)
    }
}

/// The union that says how a column's statistics are ordered; the only order is that of the type.
private struct ColumnOrder: ThriftEncodable {
    func encodeFields(into writer: inout ThriftWriter) { writer.structure(1, EmptyStruct()) }
}

/// A file's footer.
struct FileMetadata: ThriftEncodable, ThriftDecodable {
    var version: Int32 = 2
    var schema: [SchemaElement] = []
    var rowCount: Int64 = 0
    var rowGroups: [RowGroupMetadata] = []
    var keyValues: [KeyValue] = []
    var createdBy: String?
    var isEncrypted = false

    init() {}

    func encodeFields(into writer: inout ThriftWriter) {
        writer.i32(1, version)
        writer.list(2, schema)
        writer.i64(3, rowCount)
        writer.list(4, rowGroups)
        if !keyValues.isEmpty { writer.list(5, keyValues) }
        writer.string(6, createdBy)
        writer.list(7, schema.filter { $0.type != nil }.map { _ in ColumnOrder() })
    }

    init(from reader: inout ThriftReader) throws(MartletError) {
        var file = FileMetadata()
        try reader.structure { (reader, field) throws(MartletError) in
            switch field.id {
            case 1: file.version = try reader.i32(field)
            case 2: file.schema = try reader.list(field)
            case 3: file.rowCount = try reader.i64(field)
            case 4: file.rowGroups = try reader.list(field)
            case 5: file.keyValues = try reader.list(field)
            case 6: file.createdBy = try reader.string(field)
            case 8:
                file.isEncrypted = true
                try reader.skip(field)
            default: try reader.skip(field)
            }
        }
        self = file
    }
}
