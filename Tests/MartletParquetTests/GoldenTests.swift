import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// The bytes that are written for given rows and options, which change only when the writer does.
///
/// The file is not compressed, so that it doesn't change with the compressor's version. To make it anew after a wanted
/// change, set MARTLET_PARQUET_GOLDEN to the path that it shall be written to.
struct GoldenTests {
    private static func batch() throws(MartletError) -> RecordBatch {
        var samples = SampleBatches(seed: 2024)
        return try samples.batch(rows: 60)
    }

    private static func bytes() throws(MartletError) -> Buffer {
        var options = ParquetWriterOptions()
        options.compression = .none
        options.encodings = .densest
        options.pageRows = 25
        options.rowGroupRows = 40
        options.keyValues = ["origin": "golden"]
        return try RoundTrip.write([try batch()], schema: SampleBatches.schema, options: options).bytes
    }

    @Test("The golden file is written byte for byte, and read")
    func golden() throws {
        let written = try Self.bytes()
        if let path = Exchange.directory("MARTLET_PARQUET_GOLDEN") {
            let file = try POSIXFileSystem().open(path, .create)
            try file.write(written.bytes, at: 0)
        }
        let url = Bundle.module.url(forResource: "samples", withExtension: "parquet", subdirectory: "Golden")
        let path = try #require(url).path
        let file = try POSIXFileSystem().open(path, .read)
        let golden = try file.readExactly(Int(try file.size()), at: 0)
        #expect(Array(golden.bytes) == Array(written.bytes))
        let reader = try ParquetReader(file, path: path)
        #expect(reader.keyValues["origin"] == "golden")
        #expect(reader.rowGroupCount == 2)
        #expect(try RoundTrip.dump(RoundTrip.read(golden).batches) == RoundTrip.dump([Self.batch()]))
    }
}
