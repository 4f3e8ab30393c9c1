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

    static func write(_ text: String, to path: String) throws {
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
                    options.rowGroupRows = 5000
                    options.pageRows = 700
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
        for (name, options) in Exchange.variants {
            for (shape, rows, nulls) in [("nulls", 12_000, 0.1), ("full", 7_000, 0.0), ("empty", 0, 0.0)] {
                var samples = SampleBatches(seed: 42)
                samples.nullShare = nulls
                let sink = FileSink(try files.open("\(directory)/\(name)-\(shape).parquet", .create))
                let writer = try ParquetWriter(schema: SampleBatches.schema, options: options, to: sink)
                var text = ""
                var left = rows
                while left > 0 {
                    let batch = try samples.batch(rows: min(left, 1999))
                    try writer.append(batch)
                    RowDump.append(batch, to: &text)
                    left -= batch.rowCount
                }
                let summary = try writer.finish()
                try sink.synchronize()
                #expect(summary.rowCount == Int64(rows))
                try Exchange.write(text, to: "\(directory)/\(name)-\(shape).expected")
            }
        }
    }
}
