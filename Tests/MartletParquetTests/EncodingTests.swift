import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// The encodings of values, each against its own decoder and against bytes of the format's documents.
struct EncodingTests {
    @Test("The CRC of the check string is the catalogue's")
    func crc32() {
        let text = Array("123456789".utf8)
        #expect(text.withUnsafeBytes { CRC32.checksum($0) } == 0xcbf4_3926)
        let long = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = long.withUnsafeBytes { CRC32.checksum($0) }
        let parts = long.withUnsafeBytes { bytes in
            CRC32.checksum(
                UnsafeRawBufferPointer(rebasing: bytes[333...]),
                seed: CRC32.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<333])))
        }
        #expect(whole == parts)
    }

    @Test("XXH64 gives the published hashes")
    func xxhash() {
        #expect(Array("".utf8).withUnsafeBytes { XXHash64.hash($0) } == 0xef46_db37_51d8_e999)
        #expect(Array("a".utf8).withUnsafeBytes { XXHash64.hash($0) } == 0xd24e_c4f1_a98c_6e5b)
        #expect(Array("abc".utf8).withUnsafeBytes { XXHash64.hash($0) } == 0x44bc_2cf5_ad77_0999)
        let long = Array("Call me Ishmael. Some years ago--never mind how long precisely-".utf8)
        #expect(long.withUnsafeBytes { XXHash64.hash($0) } == 0x02a2_e854_70d6_fd96)
        let word: UInt64 = 0x0123_4567_89ab_cdef
        #expect(withUnsafeBytes(of: word.littleEndian) { XXHash64.hash($0) } == XXHash64.hash(word))
    }

    @Test("A bloom filter finds every value it was given and few others", arguments: [1, 2, 3])
    func bloomFilter(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var filter = SplitBlockBloomFilter(distinctCount: 10_000, falsePositiveRate: 0.01, byteLimit: 1 << 20)
        let members = (0..<10_000).map { _ in random.next() }
        for member in members { filter.insert(XXHash64.hash(member)) }
        for member in members { #expect(filter.mayContain(XXHash64.hash(member)), "seed \(seed)") }
        var wrong = 0
        for _ in 0..<10_000 where filter.mayContain(XXHash64.hash(random.next())) { wrong += 1 }
        #expect(wrong < 300, "seed \(seed): \(wrong) false positives of 10000")
        var buffer = MutableBuffer(capacity: 0)
        filter.encode(into: &buffer)
        let copy = try SplitBlockBloomFilter(buffer.bytes)
        for member in members { #expect(copy.mayContain(XXHash64.hash(member))) }
    }

    @Test("Hybrid runs give back every value at every width, in pieces of any size", arguments: 0...32)
    func hybridRuns(width: Int) throws {
        var random = SeededGenerator(seed: UInt64(width) + 100)
        for round in 0..<20 {
            let mask = width == 0 ? 0 : UInt32.max >> UInt32(32 - width)
            var values: [UInt32] = []
            let wanted = Int.random(in: 0...700, using: &random)
            while values.count < wanted {
                let value = UInt32(truncatingIfNeeded: random.next()) & mask
                let run = Bool.random(using: &random) ? 1 : Int.random(in: 1...40, using: &random)
                values += [UInt32](repeating: value, count: run)
            }
            var buffer = MutableBuffer(capacity: 0)
            values.withUnsafeBufferPointer {
                if let base = $0.baseAddress, !values.isEmpty {
                    HybridRunEncoder.encode(base, count: values.count, width: width, into: &buffer)
                }
            }
            let encoded = buffer.finish()
            var decoder = HybridRunDecoder(encoded.baseAddress, 0..<encoded.byteCount, width: width)
            var decoded = [UInt32](repeating: .max, count: values.count)
            var done = 0
            while done < values.count {
                let take = min(Int.random(in: 1...50, using: &random), values.count - done)
                try decoded.withUnsafeMutableBufferPointer { (target) throws(MartletError) in
                    try decoder.decode(take, into: target.baseAddress! + done)
                }
                done += take
            }
            #expect(decoded == values, "width \(width) round \(round)")
            withExtendedLifetime(encoded) {}
        }
    }

    @Test("Delta packing gives back any integers, wrapping differences included", arguments: 1...12)
    func deltaBinaryPacked(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for shape in 0..<6 {
            let count = Int.random(in: 0...1000, using: &random)
            var values: [Int64] = []
            for index in 0..<count {
                switch shape {
                case 0: values.append(Int64(bitPattern: random.next()))
                case 1: values.append(Int64(index) * 1_000_000_000)
                case 2: values.append(index % 2 == 0 ? .min : .max)
                case 3: values.append(Int64.random(in: -5...5, using: &random))
                case 4: values.append(7)
                default: values.append(Int64(index) * 10_000 + Int64.random(in: 0...999, using: &random))
                }
            }
            var buffer = MutableBuffer(capacity: 0)
            values.withUnsafeBufferPointer { DeltaBinaryPackedEncoder.encode($0, into: &buffer) }
            buffer.append(UInt8(0xaa))
            let encoded = buffer.finish()
            var skipper = try DeltaBinaryPackedDecoder(encoded.baseAddress, 0..<encoded.byteCount)
            try skipper.skipAll()
            #expect(skipper.position == encoded.byteCount - 1, "seed \(seed) shape \(shape)")
            var decoder = try DeltaBinaryPackedDecoder(encoded.baseAddress, 0..<encoded.byteCount - 1)
            #expect(decoder.count == count)
            var decoded = [Int64](repeating: 0, count: count)
            var done = 0
            while done < count {
                let take = min(Int.random(in: 1...70, using: &random), count - done)
                try decoded.withUnsafeMutableBufferPointer { (target) throws(MartletError) in
                    try decoder.decode(take, into: target.baseAddress! + done)
                }
                done += take
            }
            #expect(decoded == values, "seed \(seed) shape \(shape)")
            withExtendedLifetime(encoded) {}
        }
    }

    @Test("Delta packing writes the bytes of the format's first example")
    func deltaExample() {
        // Encodings.md: 1, 2, 3, 4, 5 has differences of 1, so the packed part is empty.
        var buffer = MutableBuffer(capacity: 0)
        [Int64](1...5).withUnsafeBufferPointer { DeltaBinaryPackedEncoder.encode($0, into: &buffer) }
        #expect(Array(buffer.bytes) == [0x80, 0x01, 4, 5, 2, 2, 0, 0, 0, 0])
    }

    @Test("Byte streams are split and joined again")
    func byteStreamSplit() {
        let values: [UInt64] = (0..<100).map { UInt64($0) &* 0x0101_0203_0507_0b0d }
        var buffer = MutableBuffer(capacity: 0)
        values.withUnsafeBufferPointer { ByteStreamSplit.encode($0, into: &buffer) }
        #expect(buffer.byteCount == 800)
        var decoded = [UInt64](repeating: 0, count: 40)
        decoded.withUnsafeMutableBufferPointer {
            ByteStreamSplit.decode(buffer.base, total: 100, width: 8, first: 30, count: 40, into: $0.baseAddress!)
        }
        #expect(decoded == Array(values[30..<70]))
    }

    @Test("Snappy literals and overlapping copies decompress")
    func snappy() throws {
        // "abcabcabcabcX": literal abc, copy of 9 bytes from 3 back, literal X.
        let source: [UInt8] = [13, 0x08, 0x61, 0x62, 0x63, 0x15, 0x03, 0x00, 0x58]
        var target = [UInt8](repeating: 0, count: 13)
        try source.withUnsafeBytes { source in
            try target.withUnsafeMutableBytes { target in try Snappy.decompress(source, into: target) }
        }
        #expect(String(decoding: target, as: UTF8.self) == "abcabcabcabcX")
    }
}
