import MartletModel
import MartletTestSupport
import Testing

@testable import MartletWire

@Suite struct FrameTests {
    @Test(arguments: [nil, WireCompression.lz4, .zstd])
    func anyBatchComesBackAsItWas(compression: WireCompression?) throws {
        for seed in UInt64(0)..<300 {
            var random = SeededGenerator(seed: seed)
            let batch = try Samples.randomBatch(using: &random)
            let frame = try Samples.frame(.rows(batch), compression: compression)
            guard case .rows(let read) = try Samples.read(frame).message else {
                Issue.record("seed \(seed): not rows")
                continue
            }
            #expect(read.schema == batch.schema, "seed \(seed)")
            for row in 0..<batch.rowCount { #expect(read.row(row) == batch.row(row), "seed \(seed), row \(row)") }
        }
    }

    @Test(arguments: [WireCompression.lz4, .zstd])
    func largeBodiesAreCompressedWhereThatHelps(compression: WireCompression) throws {
        let column = try Column(.int64, (0..<4096).map { .int64($0 % 7) })
        let batch = RecordBatch(schema: [ColumnDescription("v", .int64)], columns: [column], rowCount: 4096)
        let plain = try Samples.frame(.rows(batch))
        let packed = try Samples.frame(.rows(batch), compression: compression)
        #expect(packed.count < plain.count / 4)
        let (header, message) = try Samples.read(packed)
        #expect(header.compression == compression)
        guard case .rows(let read) = message else { return #expect(Bool(false), "not rows") }
        #expect(read.row(4095) == [.int64(4095 % 7)])
    }

    @Test func everyFrameAndBufferStartsAtAMultipleOfEight() throws {
        for (_, requestID, message) in try Samples.messages() {
            #expect(try Samples.frame(message, requestID: requestID).count % 8 == 0)
        }
    }

    @Test func aSliceWhoseOffsetsDoNotStartAtZeroIsMoved() throws {
        let whole = Buffer(Array("abcdef".utf8))
        let column = Column(
            type: .string, count: 2, values: whole, offsets: Buffer([2, 3, 6] as [Int32]))
        let batch = RecordBatch(schema: [ColumnDescription("s", .string)], columns: [column], rowCount: 2)
        guard case .rows(let read) = try Samples.read(try Samples.frame(.rows(batch))).message else {
            return #expect(Bool(false), "not rows")
        }
        #expect(read.row(0) == [.string("c")])
        #expect(read.row(1) == [.string("def")])
    }

    @Test func aDictionaryMuchLargerThanItsRowsIsSentAsPlainText() throws {
        let entries = (0..<10_000).map { "host_\($0)" }
        let column = Column(indices: [9_999, 5], dictionary: StringDictionary(entries))
        let batch = RecordBatch(schema: [ColumnDescription("host", .string, .tag)], columns: [column], rowCount: 2)
        let frame = try Samples.frame(.rows(batch))
        #expect(frame.count < 200)
        guard case .rows(let read) = try Samples.read(frame).message else { return #expect(Bool(false), "not rows") }
        #expect(read.row(0) == [.string("host_9999")])
    }

    @Test func aFrameAboveThePeersLimitIsRefusedAndLeavesTheOutputAlone() throws {
        let column = try Column(.int64, (0..<4096).map { .int64($0) })
        let batch = RecordBatch(schema: [ColumnDescription("v", .int64)], columns: [column], rowCount: 4096)
        var output = MutableBuffer(capacity: 0)
        var code: MartletError.Code?
        do {
            try FrameCodec.append(.rows(batch), requestID: 1, maximumBody: 1000, to: &output)
        } catch { code = error.code }
        #expect(code == .outOfRange)
        #expect(output.byteCount == 0)
    }

    @Test func aDamagedByteAnywhereIsNoticed() throws {
        for (name, requestID, message) in try Samples.messages() {
            let frame = try Samples.frame(message, requestID: requestID)
            let header = try Samples.read(frame).header
            for index in 0..<(FrameHeader.byteCount + header.bodyLength) {
                var damaged = frame
                damaged[index] ^= 0x10
                #expect(throws: MartletError.self, "\(name), byte \(index)") { try Samples.read(damaged) }
            }
        }
    }

    @Test func aHTTPRequestIsToldWhatThePortSpeaks() throws {
        let bytes = Buffer(Array("GET /health HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        withExtendedLifetime(bytes) {
            let error = #expect(throws: MartletError.self) { try FrameHeader(bytes.bytes, maximumBody: 1 << 20) }
            #expect(error?.hint?.contains("HTTP") == true)
        }
    }

    @Test func everyErrorCodeAndLocationComesBack() throws {
        let locations: [MartletError.Location?] = [
            nil, .input(line: 3, column: 9), .statement(offset: 5, line: 1, column: 6),
            .file(path: "/x", offset: nil), .file(path: "/x", offset: 12), .column(table: "t", column: nil),
            .column(table: "t", column: "c"),
        ]
        for code in MartletError.Code.allCases {
            for location in locations {
                for hint in [nil, "do this"] {
                    let error = MartletError(code, "what", at: location, hint: hint)
                    guard case .error(let read) = try Samples.read(try Samples.frame(.error(error))).message else {
                        return #expect(Bool(false), "not an error")
                    }
                    #expect(read == error)
                }
            }
        }
    }

    @Test(
        arguments: [
            ("key before a smaller one", [1, 98, 1, 120, 1, 97, 1, 120]), ("cut off", [5, 97]),
            ("empty value", [1, 97, 0]),
            ("length not shortest", [0x81, 0, 97, 1, 98]), ("not UTF-8", [1, 0xff, 1, 98]),
        ] as [(String, [UInt8])])
    func malformedSeriesTagsAreRefused(what: String, bytes: [UInt8]) throws {
        let dictionary = StringDictionary(
            offsets: Buffer([0, Int32(bytes.count)]), bytes: Buffer(bytes), count: 1)
        let batch = RecordBatch(
            schema: [ColumnDescription("series", .string, .series)],
            columns: [Column(indices: [0], dictionary: dictionary)], rowCount: 1)
        #expect(throws: MartletError.self, "\(what)") { try Samples.read(try Samples.frame(.rows(batch))) }
    }
}
