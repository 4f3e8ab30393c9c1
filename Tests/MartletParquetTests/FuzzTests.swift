import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// Damaged files lead to errors, never to crashes or to memory without bound.
struct FuzzTests {
    private static func file(_ seed: UInt64) throws -> [UInt8] {
        var random = SeededGenerator(seed: seed &* 31)
        var options = ParquetWriterOptions()
        // Without checksums and, mostly, compression, the damage reaches the decoders.
        options.writesChecksums = false
        options.compression = [.none, .none, .lz4, .zstd(level: 1)].randomElement(using: &random)!
        options.pageVersion = Bool.random(using: &random) ? .v1 : .v2
        options.encodings = [.densest, [], .widest, [.deltaIntegers, .deltaStrings, .byteStreamSplit]]
            .randomElement(using: &random)!
        options.pageRows = 40
        options.rowGroupRows = 100
        var samples = SampleBatches(seed: seed)
        samples.nullShare = Bool.random(using: &random) ? 0 : 0.2
        let (bytes, _) = try RoundTrip.write(
            [try samples.batch(rows: 150)], schema: SampleBatches.schema, options: options)
        return Array(bytes.bytes)
    }

    private static let options: ParquetReaderOptions = {
        var options = ParquetReaderOptions()
        options.memoryLimit = 1 << 20
        options.batchRows = 64
        return options
    }()

    /// Reads all that can be read; says whether it went to the end. Each row is touched, as a caller would.
    private static func consume(_ bytes: [UInt8], seed: UInt64) -> Bool {
        let file = MemoryFile(bytes)
        do throws(MartletError) {
            let reader = try ParquetReader(file, path: "fuzz", options: options)
            var batches = 0
            while let batch = try reader.next(), batches < 100 {
                batches += 1
                #expect(batch.rowCount <= 64, "seed \(seed)")
                #expect(batch.memoryFootprint < 64 << 20, "seed \(seed)")
                for column in batch.columns {
                    for row in 0..<batch.rowCount { _ = column.value(at: row) }
                }
            }
            return true
        } catch {
            let expected: Set<MartletError.Code> = [
                .corrupt, .unsupported, .outOfRange, .invalidUTF8, .resourceExhausted,
            ]
            #expect(expected.contains(error.code), "seed \(seed): \(error)")
            #expect(!error.message.isEmpty)
            return false
        }
    }

    @Test("Bytes changed anywhere", arguments: 1...10)
    func mutations(seed: UInt64) throws {
        let original = try Self.file(seed)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                default: bytes[position] = [0, 0x7f, 0x80, 0xff].randomElement(using: &random)!
                }
            }
            _ = Self.consume(bytes, seed: seed)
        }
    }

    @Test("Bytes changed in the footer, which everything else hangs on", arguments: 1...10)
    func footerMutations(seed: UInt64) throws {
        let original = try Self.file(seed &+ 50)
        var random = SeededGenerator(seed: seed)
        let length = original[(original.count - 8)..<(original.count - 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
        for _ in 0..<80 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = original.count - 8 - length + Int.random(in: 0..<length, using: &random)
                bytes[position] =
                    Bool.random(using: &random)
                    ? UInt8(truncatingIfNeeded: random.next())
                    : bytes[position] ^ (1 << UInt8.random(in: 0..<8, using: &random))
            }
            _ = Self.consume(bytes, seed: seed)
        }
    }

    @Test("Bytes changed in the page headers and levels at the start of pages", arguments: 1...6)
    func headerMutations(seed: UInt64) throws {
        let original = try Self.file(seed &+ 90)
        var random = SeededGenerator(seed: seed)
        let reader = try ParquetReader(MemoryFile(original), path: "fuzz")
        let starts = reader.metadata.rowGroups.flatMap { $0.columns.compactMap { $0.metadata } }
            .flatMap { [$0.dataPageOffset, $0.dictionaryPageOffset ?? $0.dataPageOffset] }
        for _ in 0..<100 {
            var bytes = original
            let start = Int(starts.randomElement(using: &random)!)
            let position = min(start + Int.random(in: 0..<60, using: &random), bytes.count - 1)
            bytes[position] = UInt8(truncatingIfNeeded: random.next())
            _ = Self.consume(bytes, seed: seed)
        }
    }

    @Test("A file cut off anywhere is refused", arguments: 1...3)
    func truncations(seed: UInt64) throws {
        let original = try Self.file(seed &+ 20)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let count = Int.random(in: 0..<original.count, using: &random)
            #expect(!Self.consume(Array(original[..<count]), seed: seed))
        }
    }

    @Test("Random bytes between the magic numbers are refused", arguments: 1...3)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let count = Int.random(in: 1...400, using: &random)
            let footer = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let length = withUnsafeBytes(of: UInt32(count).littleEndian) { Array($0) }
            #expect(!Self.consume(Array("PAR1".utf8) + footer + length + Array("PAR1".utf8), seed: seed))
        }
    }

    @Test("A page that fails its checksum is refused, with the column's name")
    func checksum() throws {
        let schema = [ColumnDescription("v", .int64, .field)]
        let batch = RecordBatch(
            schema: schema, columns: [try Column(.int64, (0..<100).map { .int64($0 * $0 * 77) })], rowCount: 100)
        var options = ParquetWriterOptions()
        options.compression = .none
        options.encodings = []
        let (content, _) = try RoundTrip.write([batch], schema: schema, options: options)
        let reader = try ParquetReader(MemoryFile(content), path: "x")
        let chunk = try #require(reader.metadata.rowGroups[0].columns[0].metadata)
        var bytes = Array(content.bytes)
        bytes[Int(chunk.dataPageOffset + chunk.totalCompressedSize) - 10] ^= 1
        #expect {
            try RoundTrip.read(Buffer(bytes))
        } throws: { error in
            let text = "\(error)"
            return (error as? MartletError)?.code == .corrupt && text.contains("CRC-32") && text.contains("'v'")
        }
    }

    @Test("Damaged Snappy blocks are refused", arguments: 1...5)
    func snappy(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let count = Int.random(in: 1...60, using: &random)
            var source = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            source[0] = 64
            var target = [UInt8](repeating: 0, count: 64)
            let failed = source.withUnsafeBytes { source in
                target.withUnsafeMutableBytes { target in
                    (try? Snappy.decompress(source, into: target)) == nil
                }
            }
            if !failed { #expect(source.count >= 3, "seed \(seed)") }
        }
    }

    @Test("Thrift of any bytes is read or refused", arguments: 1...5)
    func thrift(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1...80, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next())
            }
            bytes.withUnsafeBytes { buffer in
                var reader = ThriftReader(buffer)
                let header = try? PageHeader(from: &reader)
                #expect(reader.position <= bytes.count, "seed \(seed)")
                if let header { #expect(header.valueCount >= 0) }
            }
        }
    }
}
