import MartletModel
import MartletTestSupport
import Testing

@testable import MartletCodec

@Suite("Checksums and compression")
struct ChecksumAndCompressionTests {
    private func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    @Test("CRC-32C gives the check values of RFC 3720")
    func knownChecksums() {
        func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
        #expect(crc(Array("123456789".utf8)) == 0xe306_9283)
        #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(crc([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(crc((0..<32).map { UInt8($0) }) == 0x46dd_794e)
        #expect(crc([]) == 0)
    }

    @Test("the fast checksum equals its portable twin at every length and alignment")
    func checksumTwins() {
        let bytes = random(40_000, seed: 31)
        bytes.withUnsafeBytes { all in
            for length in Array(0..<100) + [255, 256, 767, 768, 769, 5000, 12_287, 12_288, 12_289, 39_990] {
                let start = length % 9
                let slice = UnsafeRawBufferPointer(rebasing: all[start..<(start + length)])
                #expect(CRC32C.checksum(slice, seed: 77) == CRC32C.portable(slice, seed: 77), "length \(length)")
            }
        }
    }

    @Test("a checksum continues from its seed")
    func checksumContinues() {
        random(1000, seed: 32).withUnsafeBytes { all in
            let head = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[0..<333]))
            #expect(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[333...]), seed: head) == CRC32C.checksum(all))
        }
    }

    @Test("compressed bytes come back", arguments: [Compression.Method.lz4, .zstd])
    func compression(method: Compression.Method) throws {
        for bytes in [[], [7], random(5000, seed: 33), Array(repeating: 9, count: 100_000)] as [[UInt8]] {
            var packed = MutableBuffer(capacity: 0)
            try bytes.withUnsafeBytes { try Compression.compress($0, method: method, into: &packed) }
            var back = [UInt8](repeating: 0, count: bytes.count)
            let input = packed.bytes
            try back.withUnsafeMutableBytes { try Compression.decompress(input, method: method, into: $0) }
            #expect(back == bytes)
        }
    }

    @Test("a wrong length or damaged bytes are refused", arguments: [Compression.Method.lz4, .zstd])
    func damagedCompression(method: Compression.Method) throws {
        let bytes = [UInt8](repeating: 5, count: 1000)
        var packed = MutableBuffer(capacity: 0)
        try bytes.withUnsafeBytes { try Compression.compress($0, method: method, into: &packed) }
        for length in [0, 999, 1001] {
            var back = [UInt8](repeating: 0, count: length)
            let input = packed.bytes
            #expect(throws: MartletError.self) {
                try back.withUnsafeMutableBytes { try Compression.decompress(input, method: method, into: $0) }
            }
        }
        let cut = Array(packed.bytes.dropLast(3))
        var back = [UInt8](repeating: 0, count: 1000)
        #expect(throws: MartletError.self) {
            try cut.withUnsafeBytes { input in
                try back.withUnsafeMutableBytes { try Compression.decompress(input, method: method, into: $0) }
            }
        }
    }
}
