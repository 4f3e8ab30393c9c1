import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// What is written is what is read.
struct RoundTripTests {
    @Test("Rows of every type come back under any options", arguments: 1...24)
    func anyOptions(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var options = ParquetWriterOptions()
        options.compression = [.none, .lz4, .zstd(level: 1), .zstd(level: 9)].randomElement(using: &random)!
        options.pageVersion = Bool.random(using: &random) ? .v1 : .v2
        options.encodings = ParquetEncodings(rawValue: Int.random(in: 0..<32, using: &random))
        options.rowGroupRows = Int.random(in: 1...2000, using: &random)
        options.rowGroupBytes = Bool.random(using: &random) ? 32 << 20 : Int.random(in: 1...200_000, using: &random)
        options.pageRows = Int.random(in: 1...600, using: &random)
        options.pageBytes = Int.random(in: 1...20_000, using: &random)
        options.dictionaryBytes = [0, 100, 1 << 20].randomElement(using: &random)!
        options.statisticsBytes = Int.random(in: 4...64, using: &random)
        options.writesPageIndex = Bool.random(using: &random)
        options.writesChecksums = Bool.random(using: &random)
        options.timestampUnit = Bool.random(using: &random) ? .microseconds : .nanoseconds
        var samples = SampleBatches(seed: seed)
        samples.nullShare = [0, 0.05, 0.5, 0.95].randomElement(using: &random)!
        samples.wholeMicroseconds = options.timestampUnit == .microseconds
        var batches: [RecordBatch] = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            batches.append(try samples.batch(rows: Int.random(in: 0...500, using: &random)))
        }
        if options.rowGroupRows < 20 { batches = Array(batches.prefix(1)) }
        let (bytes, summary) = try RoundTrip.write(batches, schema: SampleBatches.schema, options: options)
        #expect(summary.rowCount == Int64(batches.reduce(0) { $0 + $1.rowCount }))
        #expect(summary.byteCount == Int64(bytes.byteCount))
        #expect(summary.truncatedTimestamps == 0)
        var readerOptions = ParquetReaderOptions()
        readerOptions.batchRows = Int.random(in: 1...700, using: &random)
        let (schema, read) = try RoundTrip.read(bytes, options: readerOptions)
        #expect(schema == SampleBatches.schema, "seed \(seed): the roles come back too")
        #expect(RoundTrip.dump(read) == RoundTrip.dump(batches), "seed \(seed), \(options)")
        #expect(read.allSatisfy { $0.rowCount <= readerOptions.batchRows })
    }

    @Test("Every number of rows around the sizes of pages and row groups comes back")
    func boundaries() throws {
        for rows in [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 129, 200] {
            var options = ParquetWriterOptions()
            options.pageRows = 16
            options.rowGroupRows = 64
            var samples = SampleBatches(seed: UInt64(rows))
            let batch = try samples.batch(rows: rows)
            let (bytes, summary) = try RoundTrip.write([batch], schema: SampleBatches.schema, options: options)
            #expect(summary.rowGroupCount == (rows + 63) / 64)
            #expect(try RoundTrip.dump(RoundTrip.read(bytes).batches) == RoundTrip.dump([batch]), "\(rows) rows")
        }
    }

    @Test("A file without rows keeps its schema")
    func empty() throws {
        let (bytes, summary) = try RoundTrip.write([], schema: SampleBatches.schema)
        #expect(summary.rowGroupCount == 0)
        let (schema, batches) = try RoundTrip.read(bytes)
        #expect(schema == SampleBatches.schema)
        #expect(batches.isEmpty)
    }

    @Test("The extremes of every type come back")
    func extremes() throws {
        let times: [FieldValue?] = [.min, .max, Timestamp(nanoseconds: 0), Timestamp(nanoseconds: -1)].map {
            .timestamp($0)
        }
        var exact = ParquetWriterOptions()
        exact.timestampUnit = .nanoseconds
        #expect(try RoundTrip.column(.timestamp, times, options: exact) == times)
        let integers: [FieldValue?] = [.int64(.min), .int64(.max), nil, .int64(0), .int64(-1)]
        #expect(try RoundTrip.column(.int64, integers) == integers)
        let unsigned: [FieldValue?] = [.uint64(.max), nil, .uint64(0), .uint64(1 << 63)]
        #expect(try RoundTrip.column(.uint64, unsigned) == unsigned)
        let long = String(repeating: "é", count: 100_000)
        let strings: [FieldValue?] = [.string(""), nil, .string(long), .string("\u{0}"), .string(long + "x")]
        #expect(try RoundTrip.column(.string, strings) == strings)
        let bools: [FieldValue?] = [nil, nil, .bool(true), .bool(false)]
        #expect(try RoundTrip.column(.bool, bools) == bools)
        let zeros: [FieldValue?] = [.float64(-0.0), .float64(0.0), .float64(.infinity)]
        let read = try RoundTrip.column(.float64, zeros)
        #expect(
            read.map { if case .float64(let value) = $0 { value.sign == .minus } else { false } } == [
                true, false, false,
            ])
    }

    @Test("Microseconds are rounded down, and the rows that lost something are counted")
    func truncation() throws {
        let schema = [ColumnDescription("time", .timestamp, .time)]
        let times: [Int64] = [1_500, -1_500, 2_000, -2_000, 999, -1]
        let batch = RecordBatch(
            schema: schema, columns: [Column(.timestamp, unsafeElements: times)], rowCount: times.count)
        let (bytes, summary) = try RoundTrip.write([batch], schema: schema)
        #expect(summary.truncatedTimestamps == 4)
        let read = try RoundTrip.read(bytes).batches[0].columns[0]
        #expect((0..<6).map { read.values.pointer(to: Int64.self)[$0] } == [1_000, -2_000, 2_000, -2_000, 0, -1_000])
    }

    @Test("A text column whose dictionary fits stays a dictionary in the batches")
    func dictionaryBatches() throws {
        let schema = [ColumnDescription("host", .string, .tag)]
        let dictionary = StringDictionary(["a", "b", "unused", "c"])
        let indices: [UInt32] = (0..<1000).map { [0, 1, 3][$0 % 3] }
        let column = Column(indices: indices, dictionary: dictionary)
        let batch = RecordBatch(schema: schema, columns: [column], rowCount: 1000)
        let (bytes, _) = try RoundTrip.write([batch, batch], schema: schema)
        let read = try RoundTrip.read(bytes).batches
        #expect(read.allSatisfy { $0.columns[0].dictionary?.strings == ["a", "b", "c"] })
        #expect(RoundTrip.dump(read) == RoundTrip.dump([batch, batch]))
    }

    @Test("A chosen subset of the columns is read in the chosen order")
    func projection() throws {
        var samples = SampleBatches(seed: 5)
        let batch = try samples.batch(rows: 100)
        let (bytes, _) = try RoundTrip.write([batch], schema: SampleBatches.schema)
        var options = ParquetReaderOptions()
        options.columns = ["up", "time"]
        let (schema, read) = try RoundTrip.read(bytes, options: options)
        #expect(schema.map(\.name) == ["up", "time"])
        #expect(read[0].row(42) == [batch["up"]!.value(at: 42), batch["time"]!.value(at: 42)])
        options.columns = ["nope"]
        #expect {
            try RoundTrip.read(bytes, options: options)
        } throws: { error in
            (error as? MartletError)?.code == .notFound
        }
    }

    @Test("Row groups are written once the buffered bytes reach their limit")
    func boundedBuffer() throws {
        var options = ParquetWriterOptions()
        options.rowGroupBytes = 300_000
        let sink = MemorySink()
        let writer = try ParquetWriter(schema: SampleBatches.schema, options: options, to: sink)
        var samples = SampleBatches(seed: 9)
        for _ in 0..<12 {
            try writer.append(try samples.batch(rows: 500))
            #expect(writer.bufferedBytes < 700_000)
        }
        #expect(try writer.finish().rowGroupCount >= 3)
    }

    @Test("Columns of any name keep their role")
    func names() throws {
        let names = ["a b", "new\nline", "back\\slash", "\u{300}mark", "", " ", "é", "\r\n"]
        let schema = names.map { ColumnDescription($0, .string, .tag) }
        let columns = names.map { _ in Column.nulls(.string, count: 2) }
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: 2)
        let (bytes, _) = try RoundTrip.write([batch], schema: schema)
        #expect(try RoundTrip.read(bytes).schema == schema)
    }

    @Test("A caller's roles go before the file's, and must fit")
    func roles() throws {
        let schema = [ColumnDescription("at", .timestamp), ColumnDescription("who", .string)]
        let columns = [
            try Column(.timestamp, [.timestamp(.init(nanoseconds: 0)), nil]), Column.nulls(.string, count: 2),
        ]
        let batch = RecordBatch(schema: schema, columns: columns, rowCount: 2)
        let (bytes, _) = try RoundTrip.write([batch], schema: schema)
        func read(_ roles: [String: ColumnRole]) throws(MartletError) -> [ColumnDescription] {
            var options = ParquetReaderOptions()
            options.roles = roles
            return try RoundTrip.read(bytes, options: options).schema
        }
        #expect(try read(["who": .tag]).map(\.role) == [.value, .tag])
        for (roles, code) in [
            (["who": ColumnRole.time], MartletError.Code.typeConflict), (["at": .time], .typeConflict),
            (["nobody": .tag], .notFound),
        ] {
            #expect {
                try read(roles)
            } throws: { error in
                (error as? MartletError)?.code == code
            }
        }
    }

    @Test("What can't be written is refused with the column's name")
    func refusals() throws {
        func refusal(_ schema: [ColumnDescription], _ code: MartletError.Code, _ word: String) {
            #expect {
                _ = try ParquetWriter(schema: schema, to: MemorySink())
            } throws: { error in
                (error as? MartletError)?.code == code && "\(error)".contains(word)
            }
        }
        refusal([ColumnDescription("span", .interval)], .unsupported, "span")
        refusal([ColumnDescription("s", .string, .series)], .unsupported, "'s'")
        refusal([ColumnDescription("a", .int64), ColumnDescription("a", .bool)], .invalidArgument, "'a'")
        refusal([], .invalidArgument, "column")
        let schema = [ColumnDescription("time", .timestamp, .time)]
        let writer = try ParquetWriter(schema: schema, to: MemorySink())
        let nulls = RecordBatch(schema: schema, columns: [.nulls(.timestamp, count: 3)], rowCount: 3)
        #expect(throws: MartletError.self) { try writer.append(nulls) }
        let other = [ColumnDescription("time", .int64, .field)]
        let batch = RecordBatch(schema: other, columns: [.nulls(.int64, count: 1)], rowCount: 1)
        #expect(throws: MartletError.self) { try writer.append(batch) }
    }
}
