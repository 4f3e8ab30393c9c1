import Foundation
import Martlet
import MartletModel
import MartletParquet
import MartletTestSupport
import Testing

/// EXPORT as a program sees it: statements in, files out.
@Suite struct ExportStatementTests {
    static let day: Int64 = 86_400_000_000_000
    static let start: Int64 = 19_723 * day  // 2024-01-01

    /// A database on a simulated disk.
    private static func withDatabase(
        _ change: (inout Database.Options) -> Void = { _ in },
        _ body: (Database, SimulatedFileSystem) throws -> Void
    ) throws {
        let files = SimulatedFileSystem(seed: 1)
        var options = Database.Options()
        options.fileSystem = files
        options.clock = ManualClock()
        options.queryTimeout = nil
        change(&options)
        let database = try Database.open(at: "db", options: options)
        try body(database, files)
        try database.close()
    }

    private static func fill(_ database: Database, rows: Int = 100) throws {
        let space = try database.namespace()
        try space.query(
            "CREATE TABLE cpu (time TIMESTAMP, host TAG, usage DOUBLE, count BIGINT, total UBIGINT, up BOOLEAN, note VARCHAR)"
        )
        var batch: [Row] = []
        for row in 0..<rows {
            var fields: [String: FieldValue] = [
                "usage": .float64(Double(row) / 4), "total": .uint64(.max - UInt64(row)),
            ]
            if row % 2 == 0 { fields["count"] = .int64(Int64(row) - 50) }
            if row % 3 == 0 { fields["up"] = .bool(row % 6 == 0) }
            if row % 5 == 0 { fields["note"] = .string(row % 10 == 0 ? "" : "a \"b\", c\n\u{1F426}") }
            batch.append(
                Row(
                    "cpu", tags: row % 7 == 0 ? [:] : ["host": "h\(row % 3)"], fields: fields,
                    time: Timestamp(nanoseconds: start + Int64(row) * day / 10 + Int64(row))))
        }
        try space.append(batch)
    }

    private static func read(_ files: any FileSystem, _ path: String) throws -> [[FieldValue?]] {
        let reader = try ParquetReader(try files.open(path, .read), path: path)
        var rows: [[FieldValue?]] = []
        while let batch = try reader.next() { for row in 0..<batch.rowCount { rows.append(batch.row(row)) } }
        return rows
    }

    private static func byTime(_ rows: [[FieldValue?]]) -> [[FieldValue?]] {
        func time(_ row: [FieldValue?]) -> Int64 {
            if case .timestamp(let time)? = row[0] { time.nanoseconds } else { 0 }
        }
        return rows.sorted { time($0) < time($1) }
    }

    @Test("A table goes to a folder by days, and the files hold its rows to the nanosecond")
    func tableToFolder() throws {
        try Self.withDatabase { database, files in
            try Self.fill(database)
            let space = try database.namespace()
            let told = try space.query("EXPORT TABLE cpu TO 'out' (FORMAT parquet, TIMESTAMPS nanos)").rows()
            #expect(told.count == 10)
            var rows: [[FieldValue?]] = []
            for (index, row) in told.enumerated() {
                let path = "namespace=default/table=cpu/date=2024-01-\(index < 9 ? "0" : "")\(index + 1)/part-1.parquet"
                #expect(row[0] == .string(path))
                let read = try Self.read(files, "out/" + path)
                #expect(row[2] == .int64(Int64(read.count)))
                rows += read
            }
            #expect(Self.byTime(rows) == (try space.query("SELECT * FROM cpu ORDER BY time").rows()))
            #expect(files.exists("out/_manifest.json"))
        }
    }

    @Test("A query goes to one file, whose format its name tells", arguments: ["parquet", "csv", "jsonl", "line"])
    func queryToFile(format: String) throws {
        try Self.withDatabase { database, files in
            try Self.fill(database, rows: 20)
            let space = try database.namespace()
            let sql = "SELECT time, host, usage FROM cpu WHERE usage < 2 ORDER BY time"
            let result = try space.query("EXPORT (\(sql)) TO 'a/b/hosts.\(format)' (TABLE hosts)")
            #expect(try result.rows().map { $0[2] } == [.int64(8)])
            let bytes = try #require(files.contents(of: "a/b/hosts.\(format)"))
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            switch format {
            case "csv":
                #expect(lines.count == 9 && lines[0] == "time,host,usage")
                #expect(lines[2] == "2024-01-01T02:24:00.000000001Z,h1,0.25")
            case "jsonl":
                #expect(lines.count == 8)
                #expect(lines[0] == #"{"time":"2024-01-01T00:00:00Z","host":null,"usage":0.0}"#)
            case "line": #expect(lines[1] == "hosts,host=h1 usage=0.25 1704075840000000001")
            default:
                #expect(result.notices.count == 1, "what is finer than a microsecond was cut off")
                #expect(try Self.read(files, "a/b/hosts.parquet").count == 8)
            }
        }
    }

    @Test("Zstd text is what the plain text is, and the parts of a folder are named after their format")
    func compressedText() throws {
        try Self.withDatabase { database, files in
            try Self.fill(database)
            let space = try database.namespace()
            let told = try space.query("EXPORT NAMESPACE TO 'out' (FORMAT csv, COMPRESSION zstd)").rows()
            #expect(told.count == 10)
            #expect(told[0][0] == "namespace=default/table=cpu/date=2024-01-01/part-1.csv.zst")
            let magic = try #require(
                files.contents(of: "out/namespace=default/table=cpu/date=2024-01-01/part-1.csv.zst"))
            #expect(Array(magic.prefix(4)) == [0x28, 0xb5, 0x2f, 0xfd])
        }
    }

    @Test("COLD BEFORE takes what is older, and nothing else")
    func coldBefore() throws {
        try Self.withDatabase { database, _ in
            try Self.fill(database)
            let space = try database.namespace()
            try space.append([Row("mem", fields: ["free": 1.0], time: Timestamp(nanoseconds: Self.start - 1))])
            let told = try space.query("EXPORT COLD BEFORE '2024-01-03' TO 'out'").rows()
            #expect(told.map { $0[1] } == ["cpu", "cpu", "mem"])
            #expect(told.map { $0[2] } == [10, 10, 1])
            let one = try space.query("EXPORT (COLD BEFORE '2024-01-02' TABLE mem) TO 'mem.csv'").rows()
            #expect(one.map { $0[2] } == [1])
            #expect(
                try space.query("EXPORT TABLE cpu WHERE host = 'h1' BEFORE '2024-01-02' TO STDOUT").rows().count == 2)
        }
    }

    @Test("Nothing is overwritten: a file is refused, and a folder gets further parts and a second manifest")
    func neverOverwritten() throws {
        try Self.withDatabase { database, files in
            try Self.fill(database, rows: 10)
            let space = try database.namespace()
            _ = try space.query("EXPORT TABLE cpu TO 'x.csv'").rows()
            let before = files.contents(of: "x.csv")
            let error = #expect(throws: MartletError.self) { try space.query("EXPORT TABLE cpu TO 'x.csv'").rows() }
            #expect(error?.code == .alreadyExists)
            #expect(files.contents(of: "x.csv") == before)
            for _ in 0..<2 { _ = try space.query("EXPORT TABLE cpu TO 'out/'").rows() }
            let folder = "out/namespace=default/table=cpu/date=2024-01-01"
            #expect(try files.list(folder).sorted() == ["part-1.parquet", "part-2.parquet"])
            #expect(files.exists("out/_manifest.json") && files.exists("out/_manifest-2.json"))
        }
    }

    @Test("An export that is cancelled, or whose result is let go, leaves no unfinished file and no manifest")
    func cancelled() throws {
        try Self.withDatabase { database, files in
            try Self.fill(database, rows: 10)
            let result = try database.namespace().query("EXPORT TABLE cpu TO 'x.csv'")
            result.cancel()
            #expect(throws: MartletError.self) { try result.next() }
            #expect(!files.exists("x.csv"))
            do { _ = try database.namespace().query("EXPORT TABLE cpu TO 'out'") }
            #expect(!files.exists("out/_manifest.json"))
        }
    }

    @Test(
        "A restricted engine writes below its directory only",
        arguments: [
            "/etc/x.csv", "../x.csv", "a/../../x.csv", "s3://bucket/x.csv", "/export", "/exports-of-others/x.csv",
            "file:///tmp/x.csv", "a/./x.csv", "/exports/../x.csv",
        ])
    func restricted(destination: String) throws {
        try Self.withDatabase({ $0.exports = .below("/exports") }) { database, files in
            try Self.fill(database, rows: 3)
            let names = try files.list("/")
            let error = #expect(throws: MartletError.self) {
                try database.namespace().query("EXPORT TABLE cpu TO '\(destination)'").rows()
            }
            #expect(error?.code == .unauthorized)
            #expect(try files.list("/") == names)
        }
    }

    @Test("Below its directory a restricted engine takes relative and full paths")
    func allowed() throws {
        try Self.withDatabase({ $0.exports = .below("/exports") }) { database, files in
            try Self.fill(database, rows: 3)
            let space = try database.namespace()
            _ = try space.query("EXPORT TABLE cpu TO 'daily/x.csv'").rows()
            _ = try space.query("EXPORT TABLE cpu TO '/exports/y.csv'").rows()
            #expect(files.exists("/exports/daily/x.csv") && files.exists("/exports/y.csv"))
        }
    }

    @Test("An engine that may not export says why")
    func refused() throws {
        try Self.withDatabase({ $0.exports = .nowhere(reason: "no --export-dir") }) { database, _ in
            try Self.fill(database, rows: 3)
            let error = #expect(throws: MartletError.self) {
                try database.namespace().query("EXPORT TABLE cpu TO 'x.csv'")
            }
            #expect(error?.code == .unauthorized && error?.message.contains("no --export-dir") == true)
        }
    }

    @Test(
        "Mistakes are named with their place",
        arguments: [
            ("EXPORT TABLE cpu TO 'x' (FORMAT xml)", "format takes parquet, csv, jsonl, line"),
            ("EXPORT TABLE cpu TO 'x' (COMPRESS zstd)", "there is no option 'COMPRESS'"),
            ("EXPORT TABLE cpu TO 'x' (FORMAT csv, FORMAT csv)", "given twice"),
            ("EXPORT TABLE cpu TO 'x' (COMPRESSION_LEVEL 40)", "from 1 to 19"),
            ("EXPORT TABLE cpu TO 'x.csv' (COMPRESSION lz4)", "zstd or not at all"),
            ("EXPORT NAMESPACE TO 'x.csv'", "several tables go to a folder"),
            ("EXPORT NAMESPACE other TO 'x'", "is not the namespace of this connection"),
            ("EXPORT COLD TO 'x'", "expected BEFORE"), ("EXPORT TABLE cpu BEFORE 'soon' TO 'x'", "is not a time"),
            ("EXPORT TABLE nothing TO 'x'", "there is no table 'nothing'"), ("EXPORT cpu TO 'x'", "expected a query"),
            ("EXPORT (SELECT 1) BEFORE '2024-01-01' TO 'x'", "does not go with a query"),
            ("EXPORT TABLE cpu TO x", "a path in single quotes"), ("EXPORT TABLE cpu TO 's3://b/x'", "no sink for 's3"),
            ("EXPORT NAMESPACE TO STDOUT", "don't make one result"),
            ("EXPORT TABLE cpu TO STDOUT (FORMAT csv)", "takes no options"),
        ])
    func mistakes(sql: String, message: String) throws {
        try Self.withDatabase { database, files in
            try Self.fill(database, rows: 1)
            let error = #expect(throws: MartletError.self) { try database.namespace().query(sql).rows() }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            #expect(!files.exists("x"))
        }
    }

    @Test("A program's own sink is reached by its scheme, like the built-in one")
    func ownSink() throws {
        let files = SimulatedFileSystem(seed: 9)
        try Self.withDatabase({ options in
            options.sinks.register("bucket") { rest, _ throws(MartletError) in
                try DirectorySink("store/" + rest, fileSystem: files)
            }
        }) { database, _ in
            try Self.fill(database, rows: 3)
            _ = try database.namespace().query("EXPORT TABLE cpu TO 'bucket://year/x.csv'").rows()
            #expect(files.exists("store/year/x.csv"))
        }
    }

    @Test("An export of more than its memory stays within it")
    func boundedMemory() throws {
        try Self.withDatabase({ options in
            options.memoryLimit = 24 << 20
            options.queryMemoryLimit = 6 << 20
        }) { database, files in
            let space = try database.namespace()
            let rows = 400_000
            var random = SeededGenerator(seed: 3)
            for first in stride(from: 0, to: rows, by: 20_000) {
                let times = (first..<first + 20_000).map { Self.start + Int64($0) * 2_000_000_000 }
                let noise = times.map { _ in Double.random(in: 0..<1, using: &random) }
                let more = times.map { _ in UInt64.random(in: 0 ... .max, using: &random) }
                let batch = RecordBatch(
                    schema: [
                        ColumnDescription("time", .timestamp, .time), ColumnDescription("noise", .float64, .field),
                        ColumnDescription("more", .uint64, .field),
                    ],
                    columns: [
                        Column(.timestamp, unsafeElements: times), Column(.float64, unsafeElements: noise),
                        Column(.uint64, unsafeElements: more),
                    ], rowCount: times.count)
                try space.append([TableBatch(table: "wide", batch: batch)])
            }
            // More than twice the query's memory: were rows gathered, the budget would refuse them.
            let told = try space.query("EXPORT TABLE wide TO 'wide.parquet'").rows()
            #expect(told.map { $0[2] } == [.int64(Int64(rows))])
            let reader = try ParquetReader(try files.open("wide.parquet", .read), path: "wide.parquet")
            #expect(reader.rowGroupCount >= 8)
            let folders = try space.query("EXPORT TABLE wide TO 'out'").rows()
            #expect(folders.count == 10)
        }
    }
}
