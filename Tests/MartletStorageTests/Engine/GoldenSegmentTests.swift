import Foundation
import MartletCodec
import MartletModel
import Testing

@testable import MartletStorage

/// A database as an earlier build wrote it: the manifest, a sealed segment and a hot one. A build that can't read it
/// breaks the promise of format-spec/segment.md and format-spec/manifest.md.
@Suite struct GoldenSegmentTests {
    private static let rows = [
        TestRow(["host": "a", "dc": "x"], 1_000, ["load": .float64(1.5), "used": .int64(-3), "up": .bool(true)]),
        TestRow(["host": "a", "dc": "x"], 2_000, ["load": .float64(2.25), "note": .string("caffè")]),
        TestRow(["host": "b"], 1_000, ["load": .float64(-0.5), "total": .uint64(.max)]),
    ]
    private static let laterRows = [
        TestRow(["host": "b"], 1_000, ["used": .int64(9)]), TestRow(["host": "c"], 3_000, ["load": .float64(7)]),
    ]

    private func golden() throws -> URL {
        try #require(Bundle.module.resourceURL).appendingPathComponent("Golden/database")
    }

    /// Run with MARTLET_WRITE_GOLDEN=DIRECTORY to write the files anew, which only a new format version justifies.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] != nil))
    func writeTheGoldenFiles() throws {
        let target = try #require(ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"])
        let database = try TestDatabase()
        _ = try database.namespace.append([TableBatch("cpu", Self.rows)])
        try database.namespace.compact()
        _ = try database.namespace.append([TableBatch("cpu", Self.laterRows)])
        _ = try database.namespace.delete(from: "cpu", time: TimeRange(1_500, 2_500), series: .equals("host", "a"))
        try database.engine.close()
        try FileManager.default.copyItem(atPath: database.path, toPath: target)
    }

    @Test func theGoldenDatabaseIsRead() throws {
        let copy = NSTemporaryDirectory() + "martlet-golden-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: try golden().path, toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let engine = try StorageEngine.open(at: copy, options: TestDatabase.plain)
        let namespace = try engine.namespace("default")
        let expected: Set<TestRow> = [
            Self.rows[0], TestRow(["host": "b"], 1_000, Self.rows[2].fields.merging(["used": .int64(9)]) { $1 }),
            Self.laterRows[1],
        ]
        #expect(Set(try TestReader(namespace).rows("cpu")) == expected)
        #expect(try namespace.snapshot().segments.map(\.tier) == ["sealed", "hot"])
        try engine.close()
    }

    @Test func theGoldenBackupRecordIsReadAndWrittenToTheByte() throws {
        let path = try #require(Bundle.module.resourceURL).appendingPathComponent("Golden/record.backup")
        var expected = BackupRecord(created: Timestamp(nanoseconds: 1_700_000_000_000_000_000))
        var manifest = Manifest()
        manifest.nextSegment = 4
        manifest.hot = [Manifest.Hot(number: 2, length: 381)]
        expected.namespaces = [
            BackupRecord.Namespace(
                name: "default", manifest: manifest,
                files: [
                    BackupRecord.File(
                        name: "2.hot", stored: "files/default/2-0badcafe-381.hot", byteCount: 381, crc32c: 0x1234_5678)
                ])
        ]
        let bytes = expected.encode()
        if let target = ProcessInfo.processInfo.environment["MARTLET_WRITE_GOLDEN"] {
            try Data(bytes.bytes).write(to: URL(fileURLWithPath: target + ".record.backup"))
        }
        let golden = try Data(contentsOf: path)
        #expect(golden == Data(bytes.bytes))
        #expect(try BackupRecord.read(path.path, POSIXFileSystem()) == expected)
        withExtendedLifetime(bytes) {}
    }

    @Test func eachGoldenFileBeginsAsSpecified() throws {
        let folder = try golden().appendingPathComponent("namespaces/default")
        let manifest = try Data(contentsOf: folder.appendingPathComponent("MANIFEST"))
        #expect(manifest.prefix(10) == Data("MARTMANI".utf8) + Data([1, 0]))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let hot = try Data(
            contentsOf: folder.appendingPathComponent(try #require(names.first { $0.hasSuffix(".hot") })))
        #expect(hot.prefix(12) == Data("MARTLET\0".utf8) + Data([1, 0, 1, 0]))
        #expect(hot[32..<36] == Data("MLYR".utf8))
        let sealed = try Data(
            contentsOf: folder.appendingPathComponent(try #require(names.first { $0.hasSuffix(".sealed") })))
        #expect(sealed.prefix(12) == Data("MARTLET\0".utf8) + Data([1, 0, 2, 0]))
        #expect(sealed.suffix(8).prefix(4) == Data("MSEG".utf8))
    }

    @Test func aNewerManifestIsRefusedWithTheReason() throws {
        let copy = NSTemporaryDirectory() + "martlet-golden-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: try golden().path, toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let path = copy + "/namespaces/default/MANIFEST"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[8] = 2
        let body = [UInt8](bytes.dropLast(4))
        let checksum = body.withUnsafeBytes { CRC32C.checksum($0) }
        bytes = Data(body) + withUnsafeBytes(of: checksum.littleEndian) { Data($0) }
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: MartletError.self) {
            let engine = try StorageEngine.open(at: copy, options: TestDatabase.plain)
            _ = try engine.namespace("default")
        }
        #expect(error?.code == .unsupportedVersion)
    }
}
