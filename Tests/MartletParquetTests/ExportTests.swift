import MartletCodec
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletParquet

/// Exports of whole tables into folders.
struct ExportTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let start: Int64 = 19_723 * day  // 2024-01-01
    private static let schema = [
        ColumnDescription("time", .timestamp, .time), ColumnDescription("host", .string, .tag),
        ColumnDescription("value", .int64, .field),
    ]

    private static func batch(_ times: [Int64], from first: Int = 0) throws(MartletError) -> RecordBatch {
        RecordBatch(
            schema: schema,
            columns: [
                Column(.timestamp, unsafeElements: times),
                try Column(.string, times.indices.map { .string("host-\($0 % 3)") }),
                Column(.int64, unsafeElements: times.indices.map { Int64(first + $0) }),
            ], rowCount: times.count)
    }

    private static func content(_ files: any FileSystem, _ path: String) throws(MartletError) -> Buffer {
        let file = try files.open(path, .read)
        return try file.readExactly(Int(try file.size()), at: 0)
    }

    /// Every value of the `value` column in the files that the manifest names, checking these against it.
    private static func values(_ files: any FileSystem, _ manifest: ExportManifest) throws -> [Int64] {
        var result: [Int64] = []
        for entry in manifest.files {
            let bytes = try content(files, "out/" + entry.path)
            #expect(Int64(bytes.byteCount) == entry.byteCount)
            #expect(CRC32C.checksum(bytes.bytes) == entry.crc32c)
            let batches = try RoundTrip.read(bytes).batches
            #expect(Int64(batches.reduce(0) { $0 + $1.rowCount }) == entry.rowCount)
            var range = TimeRange.empty
            for batch in batches {
                for row in 0..<batch.rowCount {
                    let time = batch.columns[0].values.pointer(to: Int64.self)[row]
                    range = range.union(TimeRange(time, time))
                    #expect(entry.path.contains("date=\(CivilTime.date(day: CivilTime.day(of: time)))/"))
                    result.append(batch["value"]!.values.pointer(to: Int64.self)[row])
                }
            }
            #expect(range == entry.timeRange)
        }
        return result.sorted()
    }

    @Test("Rows in any order land in the folder of their day, and the manifest accounts for all", arguments: 1...4)
    func partitions(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let files = SimulatedFileSystem(seed: seed)
        var options = PartitionedExportOptions()
        options.openFiles = Int.random(in: 1...6, using: &random)
        options.bufferBytes = [1, 20_000, 64 << 20].randomElement(using: &random)!
        options.fileBytes = [2000, 1 << 20].randomElement(using: &random)!
        let export = try PartitionedExport(
            directory: "out", options: options, fileSystem: files, clock: ManualClock())
        try export.beginTable("cpu", namespace: "default", schema: Self.schema)
        var count = 0
        for _ in 0..<10 {
            let times = (0..<50).map { _ in
                Self.start + Int64.random(in: -3 * Self.day..<5 * Self.day, using: &random) / 1000 * 1000
            }
            try export.append(try Self.batch(times, from: count))
            count += 50
        }
        let manifest = try export.finish()
        #expect(manifest.rowCount == 500)
        #expect(try Self.values(files, manifest) == (0..<500).map { Int64($0) }, "seed \(seed)")
        #expect(try files.list("out").sorted() == ["_manifest.json", "namespace=default"])
    }

    @Test("Times that lose what is finer than a microsecond are counted, and the manifest gives them as written")
    func truncation() throws {
        let files = SimulatedFileSystem(seed: 1)
        let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
        try export.beginTable("t", namespace: "n", schema: Self.schema)
        try export.append(try Self.batch([Self.start + 1, Self.start + 2001, Self.start + 3000]))
        let manifest = try export.finish()
        #expect(manifest.truncatedTimestamps == 2)
        #expect(manifest.files[0].timeRange == TimeRange(Self.start, Self.start + 3000))
        #expect(manifest.json.contains("\"max_time\": \"2024-01-01T00:00:00.000003000Z\""))
    }

    @Test("The first and the last moment can be exported and read")
    func extremes() throws {
        let files = SimulatedFileSystem(seed: 1)
        let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
        try export.beginTable("t", namespace: "n", schema: Self.schema)
        try export.append(try Self.batch([.min, .max]))
        let manifest = try export.finish()
        #expect(
            manifest.files.map(\.path).map { $0.split(separator: "/")[2] } == ["date=1677-09-21", "date=2262-04-11"])
        #expect(try Self.values(files, manifest) == [0, 1])
    }

    @Test("A second export into the same directory adds to it")
    func secondExport() throws {
        let files = SimulatedFileSystem(seed: 1)
        var manifests: [ExportManifest] = []
        for round in 0..<2 {
            let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
            try export.beginTable("cpu", namespace: "default", schema: Self.schema)
            try export.append(try Self.batch([Self.start, Self.start + 1000], from: round * 2))
            manifests.append(try export.finish())
        }
        #expect(manifests[1].files[0].path == "namespace=default/table=cpu/date=2024-01-01/part-2.parquet")
        #expect(try files.list("out").sorted() == ["_manifest-2.json", "_manifest.json", "namespace=default"])
        #expect(try Self.values(files, manifests[0]) == [0, 1])
        #expect(try Self.values(files, manifests[1]) == [2, 3])
    }

    @Test("A table without a time has no folder of the date; names are escaped; clashing keys give way")
    func folders() throws {
        let files = SimulatedFileSystem(seed: 1)
        let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
        let schema = [ColumnDescription("Table", .string, .tag), ColumnDescription("n", .int64, .value)]
        try export.beginTable("a/b=c%", namespace: "x y", schema: schema)
        let batch = RecordBatch(
            schema: schema, columns: [try Column(.string, [.string("q")]), try Column(.int64, [.int64(1)])],
            rowCount: 1)
        try export.append(batch)
        let manifest = try export.finish()
        #expect(manifest.files.map(\.path) == ["namespace=x y/_table=a%2Fb%3Dc%25/part-1.parquet"])
        #expect(manifest.files[0].timeRange == nil)
        #expect(manifest.tables[0].partitionKeys == ["namespace", "_table"])
        let parsed = HivePath.parse("_table=a%2Fb%3Dc%25")
        #expect(parsed?.key == "_table" && parsed?.value == "a/b=c%")
    }

    @Test("A folder's files are found with their namespace, table and day, and unfinished ones aren't")
    func folderScan() throws {
        let files = SimulatedFileSystem(seed: 1)
        let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
        for table in ["cpu", "a=b"] {
            try export.beginTable(table, namespace: "plant", schema: Self.schema)
            try export.append(try Self.batch([Self.start, Self.start + Self.day]))
        }
        let manifest = try export.finish()
        _ = try files.open("out/namespace=plant/.part-9.parquet.partial", .create)
        let entries = try ParquetFolder.files(in: "out", fileSystem: files)
        #expect(entries.map(\.path) == manifest.files.map { "out/" + $0.path }.sorted())
        #expect(entries.map { $0.value(of: "table") } == ["a=b", "a=b", "cpu", "cpu"])
        #expect(entries.allSatisfy { $0.value(of: "namespace") == "plant" })
        #expect(entries.map { $0.value(of: "date") } == ["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-02"])
        #expect(throws: MartletError.self) { try ParquetFolder.files(in: "nowhere", fileSystem: files) }
    }

    @Test("Folder names give back any value", arguments: 1...5)
    func hiveNames(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let scalars = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                Unicode.Scalar(UInt32.random(in: 1..<0x3000, using: &random)) ?? "x"
            }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            let name = HivePath.folder("k", String(view))
            #expect(!name.contains("/"))
            #expect(HivePath.parse(name)?.value == String(view), "seed \(seed)")
        }
        #expect(HivePath.parse(HivePath.folder("k", nil))?.value == .some(nil))
        #expect(HivePath.parse("plain") == nil)
    }

    @Test("Days and times are named by the calendar")
    func calendar() {
        #expect(CivilTime.date(day: 0) == "1970-01-01")
        #expect(CivilTime.date(day: -1) == "1969-12-31")
        #expect(CivilTime.date(day: 11_016) == "2000-02-29")
        #expect(CivilTime.date(day: 19_782) == "2024-02-29")
        #expect(CivilTime.timestamp(.min) == "1677-09-21T00:12:43.145224192Z")
        #expect(CivilTime.timestamp(.max) == "2262-04-11T23:47:16.854775807Z")
        #expect(CivilTime.timestamp(-1) == "1969-12-31T23:59:59.999999999Z")
    }

    @Test("A cancelled export leaves no unfinished file")
    func cancel() throws {
        let files = SimulatedFileSystem(seed: 1)
        let export = try PartitionedExport(directory: "out", fileSystem: files, clock: ManualClock())
        try export.beginTable("cpu", namespace: "default", schema: Self.schema)
        try export.append(try Self.batch([Self.start]))
        try export.cancel()
        #expect(try files.list("out/namespace=default/table=cpu/date=2024-01-01").isEmpty)
        #expect(throws: MartletError.self) { try export.finish() }
    }

    @Test("Whatever operation the power fails at, a manifest that is there names files that are whole")
    func crashes() throws {
        func run(_ files: SimulatedFileSystem) throws(MartletError) {
            var options = PartitionedExportOptions()
            options.openFiles = 2
            let export = try PartitionedExport(
                directory: "out", options: options, fileSystem: files, clock: ManualClock())
            try export.beginTable("cpu", namespace: "default", schema: Self.schema)
            try export.append(try Self.batch((0..<30).map { Self.start + Int64($0 % 3) * Self.day }))
            _ = try export.finish()
        }
        func wholeFiles(_ files: any FileSystem, _ path: String) throws -> Int {
            var count = 0
            for name in try files.list(path) {
                if name.hasPrefix("part-") {
                    #expect(!(try RoundTrip.read(Self.content(files, "\(path)/\(name)")).batches.isEmpty))
                    count += 1
                } else if name.contains("=") {
                    count += try wholeFiles(files, "\(path)/\(name)")
                }
            }
            return count
        }
        let rehearsal = SimulatedFileSystem(seed: 1)
        try run(rehearsal)
        let all = try wholeFiles(rehearsal, "out")
        var complete = 0
        for number in 0..<rehearsal.operationCount {
            for seed in UInt64(1)...3 {
                let disk = SimulatedFileSystem(seed: seed)
                disk.inject(.powerLoss, atOperation: number)
                #expect(throws: MartletError.self) { try run(disk) }
                let after = disk.crash()
                guard after.exists("out") else { continue }
                let count = try wholeFiles(after, "out")
                if after.exists("out/_manifest.json") {
                    complete += 1
                    #expect(count == all, "operation \(number), seed \(seed)")
                }
            }
        }
        #expect(complete > 0)
        let finished = try wholeFiles(rehearsal.crash(), "out")
        #expect(finished == all)
    }
}
