import ArgumentParser
import CZlib
import CZstd
import Foundation
import Martlet
import MartletModel
import Testing

@testable import MartletCLI

/// Bytes in memory, handed out a few at a time.
private final class MemorySource: ByteSource {
    private var bytes: [UInt8]
    private let step: Int

    init(_ bytes: [UInt8], step: Int = 1000) {
        self.bytes = bytes
        self.step = step
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(MartletError) -> Int {
        let count = min(step, min(buffer.count, bytes.count))
        buffer.copyBytes(from: bytes[..<count])
        bytes.removeFirst(count)
        return count
    }
}

private func drain(_ source: any ByteSource) throws -> [UInt8] {
    var result: [UInt8] = []
    let chunk = MutableRawChunk(byteCount: 777)
    while true {
        let count = try source.read(into: chunk.bytes)
        if count == 0 { return result }
        result += chunk.bytes[..<count]
    }
}

private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    var output = [UInt8](repeating: 0, count: bytes.count + 1000)
    var input = bytes
    deflateInit2_(
        &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    let count = input.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            deflate(&stream, Z_FINISH)
            return target.count - Int(stream.avail_out)
        }
    }
    deflateEnd(&stream)
    return Array(output[..<count])
}

private func zstd(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 3)
    return Array(output[..<count])
}

@Suite struct UnpackingTests {
    private let text = Array(String(repeating: "cpu,host=a usage=1 1\n", count: 50_000).utf8)

    @Test func plainGzipAndZstdAreToldByTheirFirstBytes() throws {
        for packed in [text, gzip(text), zstd(text)] {
            #expect(try drain(ByteSources.unpacked(MemorySource(packed))) == text)
        }
    }

    @Test func severalMembersAreOneText() throws {
        for packed in [gzip(text) + gzip(text), zstd(text) + zstd(text)] {
            #expect(try drain(ByteSources.unpacked(MemorySource(packed))) == text + text)
        }
    }

    @Test func cutAndDamagedFilesAreNoticed() throws {
        for packed in [gzip(text), zstd(text)] {
            #expect(throws: MartletError.self) {
                try drain(ByteSources.unpacked(MemorySource(Array(packed.dropLast(9)))))
            }
        }
        var damaged = gzip(text)
        for index in 40..<60 { damaged[index] ^= 0x55 }
        #expect(throws: MartletError.self) { try drain(ByteSources.unpacked(MemorySource(damaged))) }
    }

    @Test func emptyInputIsEmpty() throws { #expect(try drain(ByteSources.unpacked(MemorySource([]))).isEmpty) }
}

/// A directory of its own for a test.
private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "martlet-import-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
}

private func run(_ arguments: [String]) async throws -> Int32 {
    do {
        var command = try MartletCommand.parseAsRoot(arguments)
        if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
        return 0
    } catch let code as ExitCode {
        return code.rawValue
    } catch let failure as CommandFailure {
        return failure.status.rawValue
    }
}

@Suite struct ImportTests {
    @Test func linesGoIntoADirectoryAndBadOnesIntoAFile() async throws {
        try await withDirectory { path in
            let lines =
                (0..<5000).map { "cpu,host=h\($0 % 7) usage=\($0) \($0)" } + ["cpu,host=x usage=", "no fields here"]
            try Data(gzip(Array((lines.joined(separator: "\n") + "\n").utf8))).write(
                to: URL(fileURLWithPath: path + "/cpu.lp.gz"))
            #expect(try await run(["import", path + "/cpu.lp.gz", "--data", path + "/db"]) == 4)
            let database = try Database.open(at: path + "/db")
            let rows = try database.namespace().query("SELECT count(*), max(usage) FROM cpu").rows()
            #expect(rows == [[.int64(5000), .float64(4999)]])
            try database.close()
            let rejected = try String(contentsOfFile: path + "/cpu.lp.gz.rejected", encoding: .utf8)
            #expect(rejected.contains("# line 5001: column "))
            #expect(rejected.contains("\ncpu,host=x usage=\n"))
            #expect(rejected.hasSuffix("\nno fields here\n"))
        }
    }

    @Test func rowsThatTheStoreRefusesKeepTheirLines() async throws {
        try await withDirectory { path in
            try "cpu usage=1 1\ncpu usage=2 2\n".write(toFile: path + "/a.lp", atomically: true, encoding: .utf8)
            try "cpu usage=3 3\ncpu usage=\"text\" 4\n".write(toFile: path + "/b.lp", atomically: true, encoding: .utf8)
            #expect(try await run(["import", path + "/a.lp", "--data", path + "/db"]) == 0)
            #expect(try await run(["import", path + "/b.lp", "--data", path + "/db"]) == 4)
            let rejected = try String(contentsOfFile: path + "/b.lp.rejected", encoding: .utf8)
            #expect(rejected.hasPrefix("# line 2: "))
            #expect(rejected.hasSuffix("\ncpu usage=\"text\" 4\n"))
        }
    }

    @Test func csvBecomesATableWithTags() async throws {
        try await withDirectory { path in
            let text = """
                date,station,temp,rain,wet,note
                2012/01/01,seattle,12.8,3,true,"a, b"
                2012/01/02,new york,,4,false,
                2012/01/03,seattle,10.6,x,true,
                2012/01/04,seattle
                yesterday,seattle,1,1,true,

                """
            try text.write(toFile: path + "/weather.csv", atomically: true, encoding: .utf8)
            let arguments = [
                "import", path + "/weather.csv", "--tag", "station", "--type", "rain=bigint", "--data", path + "/db",
            ]
            #expect(try await run(arguments) == 4)
            let database = try Database.open(at: path + "/db")
            let rows = try database.namespace().query(
                "SELECT station, temp, rain, wet, note FROM weather ORDER BY time"
            ).rows()
            #expect(
                rows == [
                    [.string("seattle"), .float64(12.8), .int64(3), .bool(true), .string("a, b")],
                    [.string("new york"), nil, .int64(4), .bool(false), nil],
                ])
            try database.close()
            let rejected = try String(contentsOfFile: path + "/weather.csv.rejected", encoding: .utf8)
            #expect(rejected.contains("# line 4: field 4: 'x' does not fit column 'rain' of type BIGINT"))
            #expect(rejected.contains("\n2012/01/03,seattle,10.6,x,true,\n"))
            #expect(rejected.contains("# line 5: "))
            #expect(rejected.contains("'yesterday' is no moment"))
        }
    }

    @Test func aMissingFileIsAWrongCommandLine() async throws {
        #expect(try await run(["import", "/nowhere/at/all.lp"]) == 2)
    }
}

@Suite struct CheckTests {
    @Test func aSoundDirectoryIsSoundAndADamagedOneIsMended() async throws {
        try await withDirectory { path in
            let lines = (0..<3000).map { "cpu,host=h\($0 % 7) usage=\($0) \($0)\n" }.joined()
            try lines.write(toFile: path + "/cpu.lp", atomically: true, encoding: .utf8)
            let database = path + "/db"
            #expect(try await run(["import", path + "/cpu.lp", "--data", database]) == 0)
            // A log's last layer that fails its checksum is one that was never acknowledged; a sealed block is damaged.
            #expect(try await run(["compact", "--data", database]) == 0)
            #expect(try await run(["check", database]) == 0)
            // Turn a byte around in the middle of the largest file.
            let files = try #require(FileManager.default.enumerator(atPath: database)).compactMap { $0 as? String }
            let largest = try #require(
                files.max { left, right in
                    size(database + "/" + left) < size(database + "/" + right)
                })
            var bytes = try Data(contentsOf: URL(fileURLWithPath: database + "/" + largest))
            bytes[bytes.count / 2] ^= 0x20
            try bytes.write(to: URL(fileURLWithPath: database + "/" + largest))
            #expect(try await run(["check", database]) == 5)
            let mended = try await run(["check", database, "--repair"])
            #expect(mended == 0 || mended == 5)
            #expect(try await run(["check", database]) == 0)
        }
    }

    private func size(_ path: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return 0 }
        return attributes?[.size] as? Int ?? 0
    }

    @Test func aDirectoryThatIsNoneIsAnError() async throws {
        #expect(try await run(["check", "/nowhere/at/all"]) == 1)
    }
}
