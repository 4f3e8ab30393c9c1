import MartletCodec
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletStorage

/// Seeded mutations of every structure that is read from disk, with the checksums made right again, so that the
/// readers behind them are reached. They must refuse or read something; they must never crash.
@Suite struct ReaderFuzzTests {
    /// Changes, inserts, removes or repeats a few bytes of a range.
    private func mutate(_ bytes: inout [UInt8], in range: Range<Int>, _ generator: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !range.isEmpty {
            let place = Int.random(in: range, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator)!
            case 2: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            default:
                let length = min(Int.random(in: 1...8, using: &generator), range.upperBound - place)
                for index in place..<place + length { bytes[index] = 0xff }
            }
        }
    }

    private func put(_ value: UInt32, _ bytes: inout [UInt8], at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
    }

    private func word(_ bytes: [UInt8], at offset: Int) -> Int {
        bytes.withUnsafeBytes { Int(truncatingIfNeeded: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }

    private func checksum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
        bytes[range].withUnsafeBytes { CRC32C.checksum($0) }
    }

    private func expectRefusal(_ error: MartletError, _ what: String) {
        #expect(error.code == .corrupt || error.code == .unsupportedVersion, "\(what): \(error)")
    }

    @Test func `manifests`() throws {
        let directory = try DamagedDirectory()
        let path = DamagedDirectory.namespace + "/MANIFEST"
        var generator = SeededGenerator(seed: 31)
        var refused = 0
        let original = try directory.disk().contents(of: path) ?? []
        for round in 0..<4_000 {
            var bytes = original
            mutate(&bytes, in: 0..<bytes.count - 4, &generator)
            put(checksum(bytes, 0..<bytes.count - 4), &bytes, at: bytes.count - 4)
            do throws(MartletError) {
                let manifest = try bytes.withRawBytes { bytes throws(MartletError) in try Manifest(bytes) }
                _ = manifest.encode()
            } catch {
                expectRefusal(error, "round \(round)")
                refused += 1
            }
        }
        #expect(refused > 500)
    }

    @Test func `footers and indexes of sealed segments`() throws {
        let directory = try DamagedDirectory()
        let path = try #require(directory.paths.first { $0.hasSuffix(".sealed") })
        var generator = SeededGenerator(seed: 32)
        let original = try directory.disk().contents(of: path) ?? []
        let trailer = original.count - SegmentFooter.trailerLength
        let footer = word(original, at: trailer)
        var damaged = 0
        for round in 0..<400 {
            let disk = try directory.disk(changing: path) { bytes in
                mutate(&bytes, in: footer..<trailer, &generator)
                put(checksum(bytes, footer..<trailer), &bytes, at: trailer + 12)
                put(checksum(bytes, trailer..<bytes.count - 4), &bytes, at: bytes.count - 4)
            }
            let report = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
            if !report.isSound { damaged += 1 }
            let engine = try DamagedDirectory.open(disk)
            for table in ["cpu", "mem"] {
                do throws(MartletError) {
                    _ = try DamagedDirectory.read(table, of: engine)
                } catch {
                    expectRefusal(error, "round \(round)")
                }
            }
            try engine.close()
        }
        #expect(damaged > 50)
    }

    @Test func `layers of hot segments`() throws {
        let directory = try DamagedDirectory()
        let path = try #require(directory.paths.last { $0.hasSuffix(".hot") })
        var generator = SeededGenerator(seed: 33)
        let original = try directory.disk().contents(of: path) ?? []
        // The first layer, behind the file's header.
        let layer = FileHeader.byteCount
        let metadata = layer + LayerHeader.byteCount + word(original, at: layer + 16)
        let end = metadata + word(original, at: layer + 24)
        for round in 0..<400 {
            let disk = try directory.disk(changing: path) { bytes in
                if round % 2 == 0 {
                    mutate(&bytes, in: metadata..<end, &generator)
                } else {
                    mutate(&bytes, in: layer + 16..<layer + 68, &generator)
                }
                put(checksum(bytes, metadata..<end), &bytes, at: layer + 4)
                put(checksum(bytes, layer..<layer + 68), &bytes, at: layer + 68)
            }
            _ = try StorageCheck.check(at: DamagedDirectory.path, fileSystem: disk)
            let engine = try DamagedDirectory.open(disk)
            for table in ["cpu", "mem"] {
                do throws(MartletError) {
                    _ = try DamagedDirectory.read(table, of: engine)
                } catch {
                    #expect(error.code == .corrupt || error.code == .internal, "round \(round): \(error)")
                }
            }
            try engine.close()
        }
    }
}
