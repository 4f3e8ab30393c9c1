import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The Swift half of `tools/tests/parquet-readers`, which names the directories in the environment.
enum Exchange {
    static func directory(_ variable: String) -> String? {
        guard let value = getenv(variable) else { return nil }
        return String(cString: value)
    }

    static var outgoing: String? { directory("MARTLET_PARQUET_OUT") }
    static var incoming: String? { directory("MARTLET_PARQUET_IN") }

    static func write(_ text: String, to path: String) throws(MartletError) {
        let files = POSIXFileSystem()
        let file = try files.open(path, .create)
        let buffer = Buffer(Array(text.utf8))
        try file.write(buffer.bytes, at: 0)
        try file.close()
    }

    /// The options of the sample files, by the files' names.
    static var variants: [(name: String, options: ParquetWriterOptions)] {
        var result: [(String, ParquetWriterOptions)] = []
        for (codec, compression) in [
            ("zstd", ParquetCompression.zstd(level: 3)), ("lz4", .lz4), ("none", .none),
        ] {
            for (version, page) in [("v1", ParquetPageVersion.v1), ("v2", .v2)] {
                for (set, encodings) in [("plain", ParquetEncodings([])), ("widest", .widest), ("densest", .densest)] {
                    var options = ParquetWriterOptions()
                    options.compression = compression
                    options.pageVersion = page
                    options.encodings = encodings
                    options.rowGroupRows = 1500
                    options.pageRows = 300
                    result.append(("\(codec)-\(version)-\(set)", options))
                }
            }
        }
        var delta = ParquetWriterOptions()
        delta.encodings = [.deltaIntegers, .deltaStrings, .runLengthBools]
        delta.pageBytes = 4096
        result.append(("no-dictionary", delta))
        result.append(("defaults", ParquetWriterOptions()))
        return result
    }
}

@Suite(.enabled(if: Exchange.outgoing != nil || Exchange.incoming != nil))
struct ExchangeTests {
    @Test("Sample files are written for other readers", .enabled(if: Exchange.outgoing != nil))
    func writeSamples() throws {
        let directory = try #require(Exchange.outgoing)
        let files = POSIXFileSystem()
        for (shape, rows, nulls) in [("nulls", 4_000, 0.1), ("full", 2_000, 0.0), ("empty", 0, 0.0)] {
            var samples = SampleBatches(seed: 42)
            samples.nullShare = nulls
            var batches: [RecordBatch] = []
            for start in stride(from: 0, to: rows, by: 777) {
                batches.append(try samples.batch(rows: min(777, rows - start)))
            }
            try Exchange.write(RoundTrip.dump(batches), to: "\(directory)/\(shape).expected")
            for (name, options) in Exchange.variants {
                let sink = ObjectSink(
                    try DirectorySink(directory, fileSystem: files).create("\(name)-\(shape).parquet"))
                let writer = try ParquetWriter(schema: SampleBatches.schema, options: options, to: sink)
                for batch in batches { try writer.append(batch) }
                #expect(try writer.finish().rowCount == Int64(rows))
                try sink.finish()
            }
        }
        try writeLarge(directory)
        try writePartitions(directory + "/export")
    }

    /// A partitioned export of two tables over three days.
    private func writePartitions(_ directory: String) throws {
        let schema = [
            ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
            ColumnDescription("value", .float64, .field), ColumnDescription("total", .uint64, .field),
        ]
        let export = try PartitionedExport(
            directory: directory, fileSystem: POSIXFileSystem(), clock: SystemClock())
        let hosts = StringDictionary((0..<10).map { "host-\($0)" })
        for table in ["cpu", "mem/free"] {
            try export.beginTable(table, namespace: "default", schema: schema)
            for start in stride(from: 0, to: 25_920, by: 5_000) {
                let rows = start..<min(start + 5_000, 25_920)
                let batch = RecordBatch(
                    schema: schema,
                    columns: [
                        Column(
                            .timestamp,
                            unsafeElements: rows.map { 1_704_067_200_000_000_000 + Int64($0) * 10_000_000_000 }),
                        Column(indices: rows.map { UInt32($0 % 10) }, dictionary: hosts),
                        Column(.float64, unsafeElements: rows.map { Double($0) / 4 }),
                        Column(.uint64, unsafeElements: rows.map { UInt64($0) }),
                    ], rowCount: rows.count)
                try export.append(batch)
            }
        }
        let manifest = try export.finish()
        #expect(manifest.files.count == 6)
        #expect(manifest.rowCount == 2 * 25_920)
    }

    /// Many rows of few columns, with the default options: several row groups, many pages.
    private func writeLarge(_ directory: String) throws {
        let schema = [
            ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
            ColumnDescription("value", .int64, .field),
        ]
        var options = ParquetWriterOptions()
        options.rowGroupRows = 100_000
        let sink = ObjectSink(
            try DirectorySink(directory, fileSystem: POSIXFileSystem()).create("large.parquet"))
        let writer = try ParquetWriter(schema: schema, options: options, to: sink)
        let hosts = StringDictionary((0..<100).map { "host-\($0)" })
        for start in stride(from: 0, to: 300_000, by: 10_000) {
            let times = (start..<start + 10_000).map { 1_700_000_000_000_000_000 + Int64($0) * 1_000_000 }
            let batch = RecordBatch(
                schema: schema,
                columns: [
                    Column(.timestamp, unsafeElements: times),
                    Column(indices: (start..<start + 10_000).map { UInt32($0 % 100) }, dictionary: hosts),
                    Column(.int64, unsafeElements: (start..<start + 10_000).map { Int64($0) * 7 }),
                ], rowCount: 10_000)
            try writer.append(batch)
        }
        _ = try writer.finish()
        try sink.finish()
    }

    @Test("Files of other writers are read", .enabled(if: Exchange.incoming != nil))
    func readForeign() throws {
        let directory = try #require(Exchange.incoming)
        let files = POSIXFileSystem()
        for name in try files.list(directory).sorted() where name.hasSuffix(".parquet") {
            let path = "\(directory)/\(name)"
            do throws(MartletError) {
                var options = ParquetReaderOptions()
                options.batchRows = 1000
                let reader = try ParquetReader(try files.open(path, .read), path: name, options: options)
                var text = ""
                while let batch = try reader.next() { RowDump.append(batch, to: &text) }
                try Exchange.write(text, to: path + ".rows")
            } catch {
                try Exchange.write("\(error)", to: path + ".error")
            }
        }
    }
}
