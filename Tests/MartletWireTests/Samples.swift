import MartletModel
import MartletTestSupport

@testable import MartletWire

/// Messages that tests share.
enum Samples {
    /// A batch that uses every column type, layout and role that a result can have.
    static func everyType() throws -> RecordBatch {
        let schema = [
            ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
            ColumnDescription("usage", .float64, .field), ColumnDescription("count", .int64, .field),
            ColumnDescription("total", .uint64, .field), ColumnDescription("up", .bool, .field),
            ColumnDescription("note", .string, .field), ColumnDescription("span", .interval),
        ]
        let columns = [
            try Column(.timestamp, [0, 1_714_564_800_500_000_000, -1].map { .timestamp(Timestamp(nanoseconds: $0)) }),
            Column(indices: [1, 0, 1], dictionary: StringDictionary(["north", "süd"])),
            try Column(.float64, [.float64(1.5), nil, .float64(-0.0)]),
            try Column(.int64, [.int64(.min), .int64(-1), .int64(.max)]),
            try Column(.uint64, [nil, nil, .uint64(.max)]),
            try Column(.bool, [.bool(true), .bool(false), nil]),
            try Column(.string, [.string(""), .string("日本"), nil]),
            try Column(.interval, [.interval(Interval(months: 1, days: -2, nanoseconds: 3)), nil, nil]),
        ]
        return RecordBatch(schema: schema, columns: columns, rowCount: 3)
    }

    /// Rows as the line parser hands them over: time, series, fields.
    static func seriesBatch() throws -> TableBatch {
        let series = try [TagSet([("host", "a"), ("dc", "x")]), TagSet([("host", "b")]), TagSet.empty]
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for tags in series {
            bytes += tags.canonicalBytes
            offsets.append(Int32(bytes.count))
        }
        let dictionary = StringDictionary(offsets: Buffer(offsets), bytes: Buffer(bytes), count: series.count)
        return TableBatch(
            table: "cpu",
            batch: RecordBatch(
                schema: [
                    ColumnDescription("time", .timestamp, .time), ColumnDescription("series", .string, .series),
                    ColumnDescription("usage", .float64, .field),
                ],
                columns: [
                    Column(.timestamp, unsafeElements: [1, 2, 3, 4] as [Int64]),
                    Column(indices: [0, 1, 2, 0], dictionary: dictionary),
                    Column(.float64, unsafeElements: [1, 2, 3, 4.25]),
                ], rowCount: 4))
    }

    /// One message of every type, by the name of its golden file.
    static func messages() throws -> [(name: String, requestID: UInt32, message: Message)] {
        let error = MartletError(
            .semantic, "there is no column 'hots' in table 'cpu'", at: .statement(offset: 7, line: 1, column: 8),
            hint: "did you mean 'host'?")
        let batch = try everyType()
        return [
            (
                "hello", 0,
                .hello(
                    Greeting(
                        oldestVersion: 1, newestVersion: 2, features: [.lz4, .zstd], maximumBody: 1 << 20,
                        software: "golden client 1.0"))
            ),
            (
                "welcome", 0,
                .welcome(
                    Greeting(features: [.lz4], maximumBody: 16 << 20, maximumRequests: 64, software: "golden server"))
            ),
            ("authenticate", 1, .authenticate(method: "key", payload: [1, 2, 3])),
            ("authenticated", 1, .authenticated),
            ("ping", 2, .ping(Array("12345678".utf8))),
            ("pong", 2, .pong(Array("12345678".utf8))),
            (
                "append", 3,
                .append(AppendRequest(namespace: "default", durability: .durable, batches: [try seriesBatch()]))
            ),
            (
                "appended", 3,
                .appended(
                    WireReceipt(
                        accepted: 3, rejected: 1, commit: 42, isDurable: true,
                        rejections: [
                            WireRejection(
                                batch: 0, row: 2,
                                error: MartletError(
                                    .typeConflict, "text offered to a number",
                                    at: .column(table: "cpu", column: "usage")))
                        ]))
            ),
            (
                "query", 4,
                .query(
                    QueryRequest(
                        namespace: "default", sql: "SELECT * FROM cpu", timeout: 5000, memoryLimit: 1 << 20,
                        maximumRows: 1000, credit: 8))
            ),
            (
                "schema", 4,
                .schema(
                    RecordBatch(
                        schema: batch.schema, columns: batch.schema.map { Column.nulls($0.type, count: 0) },
                        rowCount: 0))
            ),
            ("rows", 4, .rows(batch)),
            ("end", 4, .end(WireSummary(rows: 3, elapsed: 1_500_000, notices: ["one remark"]))),
            ("credit", 4, .credit(2)),
            ("cancel", 4, .cancel),
            ("error", 5, .error(error)),
        ]
    }

    /// A frame of one message.
    static func frame(
        _ message: Message, requestID: UInt32 = 1, compression: WireCompression? = nil
    ) throws -> [UInt8] {
        var output = MutableBuffer(capacity: 256)
        try FrameCodec.append(
            message, requestID: requestID, compression: compression, maximumBody: 1 << 24, to: &output)
        return Array(output.bytes)
    }

    /// Reads one frame that fills `bytes`.
    static func read(_ bytes: [UInt8]) throws(MartletError) -> (header: FrameHeader, message: Message) {
        let copy = Buffer(bytes)
        return try withExtendedLifetime(copy) { () throws(MartletError) in
            guard copy.byteCount >= FrameHeader.byteCount else {
                throw MartletError(.protocolViolation, "cut off")
            }
            let header = try FrameHeader(copy.bytes, maximumBody: 1 << 24)
            let end = FrameHeader.byteCount + header.bodyLength
            guard end + FrameHeader.padding(after: header.bodyLength) == copy.byteCount else {
                throw MartletError(.protocolViolation, "cut off")
            }
            let body = UnsafeRawBufferPointer(rebasing: copy.bytes[FrameHeader.byteCount..<end])
            return (header, try FrameCodec.message(header, body: body))
        }
    }

    /// A batch of random shape; nulls, dictionaries and empty texts included.
    static func randomBatch(using random: inout SeededGenerator) throws -> RecordBatch {
        let rows = Int.random(in: 0...40, using: &random)
        var schema: [ColumnDescription] = []
        var columns: [Column] = []
        for index in 0..<Int.random(in: 1...6, using: &random) {
            let type = ColumnType.allCases.randomElement(using: &random)!
            schema.append(ColumnDescription("c\(index)é", type))
            let hasNulls = Bool.random(using: &random)
            if type == .string && Bool.random(using: &random) {
                let entries = (0..<Int.random(in: 1...5, using: &random)).map { "entry \($0)" }
                let indices = (0..<rows).map { _ in UInt32.random(in: 0..<UInt32(entries.count), using: &random) }
                columns.append(Column(indices: indices, dictionary: StringDictionary(entries)))
                continue
            }
            let values = (0..<rows).map { _ -> FieldValue? in
                if hasNulls && Bool.random(using: &random) { return nil }
                let bits = random.next()
                switch type {
                case .timestamp: return .timestamp(Timestamp(nanoseconds: Int64(bitPattern: bits)))
                case .float64: return .float64(Double(bitPattern: bits & ~(0x7ff << 52)))
                case .int64: return .int64(Int64(bitPattern: bits))
                case .uint64: return .uint64(bits)
                case .bool: return .bool(bits & 1 == 1)
                case .string: return .string(String(repeating: "ü", count: Int(bits % 4)))
                case .interval: return .interval(Interval(months: Int32(bits % 12), days: 1, nanoseconds: -5))
                }
            }
            columns.append(try Column(type, values))
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: rows)
    }
}
