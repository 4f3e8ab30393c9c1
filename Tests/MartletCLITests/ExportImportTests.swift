import ArgumentParser
import Foundation
import Martlet
import MartletModel
import MartletParquet
import MartletTestSupport
import Testing

@testable import MartletCLI

/// `martlet export` and `martlet import` as a person runs them, on directories.
@Suite struct ExportImportTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("export-\(UUID().uuidString)")
    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func run(_ arguments: [String]) async throws {
        var command = try MartletCommand.parseAsRoot(arguments)
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }

    private func query(_ directory: String, _ sql: String, namespace: String = "default") throws -> [[FieldValue?]] {
        var options = Database.Options()
        options.readOnly = true
        let database = try Database.open(at: path(directory), options: options)
        defer { try? database.close() }
        return try database.namespace(namespace).query(sql).rows()
    }

    /// Rows as text that tells -0.0 from 0.0 and one NaN from another.
    private func exact(_ rows: [[FieldValue?]]) -> [String] {
        rows.map { row in
            row.map { value in
                if case .float64(let number)? = value { return "0x" + String(number.bitPattern, radix: 16) }
                return value.map { "\($0)" } ?? "null"
            }.joined(separator: "|")
        }
    }

    private func fill(_ directory: String) throws {
        let database = try Database.open(at: path(directory))
        let space = try database.namespace()
        try space.query(
            "CREATE TABLE odd (time TIMESTAMP, host TAG, \"the zone\" TAG, d DOUBLE, i BIGINT, u UBIGINT, b BOOLEAN, s VARCHAR)"
        )
        try space.query("CREATE TABLE empty (time TIMESTAMP, host TAG, value UBIGINT)")
        let doubles: [Double?] = [
            0, -0.0, .nan, Double(bitPattern: 0x7ff8_0000_dead_beef), .infinity, -.infinity, .leastNonzeroMagnitude,
            .greatestFiniteMagnitude, nil, 0.1,
        ]
        var rows: [Row] = []
        for index in 0..<500 {
            var fields: [String: FieldValue] = ["u": .uint64(.max - UInt64(index))]
            if let number = doubles[index % doubles.count] { fields["d"] = .float64(number) }
            if index % 3 != 0 { fields["i"] = .int64(index % 2 == 0 ? .min + Int64(index) : .max - Int64(index)) }
            if index % 4 != 0 { fields["b"] = .bool(index % 8 < 4) }
            if index % 5 != 0 { fields["s"] = .string(["", "plain", "a,\"b\"\n\\", "\u{1F426}\u{0}x"][index % 4]) }
            let tags =
                index % 7 == 0 ? [:] : index % 2 == 0 ? ["host": "h \(index % 3)"] : ["host": "x", "the zone": "=,"]
            rows.append(
                Row(
                    "odd", tags: tags, fields: fields,
                    time: Timestamp(nanoseconds: Int64(index - 250) * 40_000_000_000_001)))
        }
        try space.append(rows)
        try database.close()
    }

    private static let all = "SELECT * FROM odd ORDER BY time"

    @Test("An export that is imported gives back the same rows, to the bit", arguments: ["zstd", "lz4", "none"])
    func roundTrip(compression: String) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try fill("from")
        try await run([
            "export", "--data", path("from"), "--to", path("lake"), "--timestamps", "nanos", "--encodings", "densest",
            "--compression", compression,
        ])
        try await run(["import", path("lake"), "--data", path("to")])
        let (before, after) = (try query("from", Self.all), try query("to", Self.all))
        #expect(before.count == 500)
        #expect(exact(after) == exact(before))
        for table in ["odd", "empty"] {
            #expect(
                try query("to", "SHOW COLUMNS FROM \(table)") == (try query("from", "SHOW COLUMNS FROM \(table)")))
        }
    }

    @Test("A field's type is that of its first line throughout a text, and only lines of other types are rejected")
    func mixedTypes() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Several blocks of text, and a table that exists already for the second import.
        let count = 150_000
        let lines = (0..<count).map { $0 % 3 == 1 ? "m v=\"text\" \($0)" : "m v=\($0).5 \($0)" }
        try lines.joined(separator: "\n").write(toFile: path("m.lp"), atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            let ended = await #expect(throws: ExitCode.self) {
                try await run(["import", path("m.lp"), "--data", path("to")])
            }
            #expect(ended?.rawValue == ExitStatus.partly.rawValue)
            #expect(try query("to", "SELECT count(*) FROM m") == [[.int64(Int64(count / 3 * 2))]])
            let rejected = try String(contentsOfFile: path("m.lp.rejected"), encoding: .utf8).split(separator: "\n")
            #expect(rejected.count == count / 3 * 2)
            #expect(rejected[1] == "m v=\"text\" 1" && rejected.last == "m v=\"text\" \(count - 2)")
            #expect(
                rejected.allSatisfy { !$0.hasPrefix("#") || $0.contains("is stored as DOUBLE; this value is VARCHAR") })
        }
    }

    @Test("A backup that is restored answers as the database did")
    func backupAndRestore() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try fill("from")
        try await run(["backup", path("saved"), "--data", path("from")])
        try await run(["backup", path("saved"), "--data", path("from"), "--copy"])
        try await run(["backup", path("saved"), "--list"])
        try await run(["restore", path("saved"), path("to")])
        #expect(exact(try query("to", Self.all)) == exact(try query("from", Self.all)))
        for wrong in [
            ["restore", path("saved"), path("to")], ["restore", path("saved"), path("x"), "--at", "1999-01-01"],
            ["restore", path("nowhere"), path("x")], ["backup", path("from"), "--data", path("from")],
        ] {
            await #expect(throws: CommandFailure.self) { try await run(wrong) }
        }
        #expect(!FileManager.default.fileExists(atPath: path("x")))
    }

    @Test("Only what writes makes a directory that is not there")
    func missingDirectory() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let failure = await #expect(throws: CommandFailure.self) {
            try await run(["query", "--data", path("typo"), "SELECT 1"])
        }
        #expect(failure?.status == .cannotConnect)
        await #expect(throws: CommandFailure.self) {
            try await run(["export", "--data", path("typo"), "--to", path("lake")])
        }
        #expect(!FileManager.default.fileExists(atPath: path("typo")))
        try await run(["query", "--data", path("new"), "CREATE TABLE t (time TIMESTAMP, v DOUBLE); SELECT * FROM t"])
        #expect(FileManager.default.fileExists(atPath: path("new")))
    }

    @Test("Text exports come back through the same import", arguments: ["csv", "csv.zst", "line", "line.zst"])
    func textRoundTrip(ending: String) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try fill("from")
        let sql = "SELECT time, host, i, b FROM odd WHERE i IS NOT NULL"
        try await run([
            "export", "odd", "--data", path("from"), "--to", path("odd.\(ending)"), "--where", "i IS NOT NULL",
        ])
        var arguments = ["import", path("odd.\(ending)"), "--data", path("to")]
        if ending.hasPrefix("csv") { arguments += ["--tag", "host,the zone", "--type", "u=ubigint"] }
        try await run(arguments)
        let order = " ORDER BY time"
        #expect(exact(try query("to", sql + order)) == exact(try query("from", sql + order)))
    }

    @Test("A file that was changed after the export is refused before any row is taken")
    func damaged() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try fill("from")
        try await run(["export", "--data", path("from"), "--to", path("lake")])
        let entries = try ParquetFolder.files(in: path("lake"), fileSystem: POSIXFileSystem())
        let victim = try #require(entries.last?.path)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: victim))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: victim))
        await #expect(throws: CommandFailure.self) { try await run(["import", path("lake"), "--data", path("to")]) }
        #expect(!FileManager.default.fileExists(atPath: path("to/namespaces/default/1.sealed")))
        try FileManager.default.removeItem(atPath: victim)
        let error = await #expect(throws: CommandFailure.self) {
            try await run(["import", path("lake"), "--data", path("to"), "--no-verify"])
        }
        #expect(error?.message.contains("names a file that is not there") == true)
    }

    private func fillNamespaces(_ directory: String) throws {
        let database = try Database.open(at: path(directory))
        for name in ["default", "plant"] {
            if name != "default" { try database.createNamespace(name) }
            try database.namespace(name).append([Row("t", fields: ["who": .string(name)], time: .init(nanoseconds: 5))])
        }
        try database.close()
    }

    @Test("Namespaces come back into their own, or are asked about")
    func namespaces() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try fillNamespaces("from")
        try await run(["export", "--data", path("from"), "--to", path("lake"), "--all-namespaces"])
        await #expect(throws: CommandFailure.self) { try await run(["import", path("lake"), "--data", path("to")]) }
        try await run(["import", path("lake"), "--data", path("to"), "--keep-namespaces"])
        for name in ["default", "plant"] {
            #expect(try query("to", "SELECT who FROM t", namespace: name) == [[.string(name)]])
        }
    }

    @Test("Rows without a time and of another type go to the rejects, with their place; the others are kept")
    func rejects() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let schema = [
            ColumnDescription("when", .timestamp), ColumnDescription("host", .string), ColumnDescription("v", .string),
        ]
        let sink = ObjectSink(
            try DirectorySink(path("foreign/region=eu"), fileSystem: POSIXFileSystem()).create("a.parquet"))
        let writer = try ParquetWriter(schema: schema, to: sink)
        let times: [FieldValue?] = [.timestamp(.init(nanoseconds: 1000)), nil, .timestamp(.init(nanoseconds: 3000))]
        try writer.append(
            RecordBatch(
                schema: schema,
                columns: [
                    try Column(.timestamp, times), try Column(.string, ["a", "b", "c"]),
                    try Column(.string, ["x", "y", "z"]),
                ], rowCount: 3))
        _ = try writer.finish()
        try sink.finish()
        let code = await #expect(throws: ExitCode.self) {
            try await run([
                "import", path("foreign"), "--data", path("to"), "--table", "t", "--tag", "host", "--rejects",
                path("bad"),
            ])
        }
        #expect(code?.rawValue == ExitStatus.partly.rawValue)
        #expect(
            try query("to", "SELECT host, region, v FROM t ORDER BY time") == [["a", "eu", "x"], ["c", "eu", "z"]])
        #expect(try String(contentsOfFile: path("bad"), encoding: .utf8).contains("a.parquet: the row has no time"))

        let database = try Database.open(at: path("typed"))
        try database.namespace().query("CREATE TABLE t (time TIMESTAMP, host TAG, v DOUBLE)")
        try database.close()
        _ = await #expect(throws: ExitCode.self) {
            try await run([
                "import", path("foreign"), "--data", path("typed"), "--table", "t", "--rejects", path("worse"),
            ])
        }
        let worse = try String(contentsOfFile: path("worse"), encoding: .utf8)
        #expect(worse.contains("t,host=c,region=eu v=\"z\" 3000"))
    }

    @Test(
        "Wrong command lines are refused",
        arguments: [
            ["export", "--data", "x"], ["export", "--to", "y", "--query", "SELECT 1", "cpu"],
            ["export", "--to", "y", "--memory", "1MiB"], ["export", "--to", "y", "--compression", "gzip"],
            ["export", "--to", "y", "--all-namespaces", "cpu"], ["import", "-", "--format", "parquet"],
            ["import", "x.csv", "--keep-namespaces"],
        ])
    func commandLines(arguments: [String]) {
        #expect(throws: (any Error).self) { try MartletCommand.parseAsRoot(arguments) }
    }
}
