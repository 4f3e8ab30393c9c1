import ArgumentParser
import Foundation
import Martlet
import MartletModel
import MartletQuery

struct ImportCommand: AsyncParsableCommand {
    /// The formats that are read.
    enum Format: String, CaseIterable, ExpressibleByArgument { case line, csv, parquet }

    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import line protocol, CSV or Parquet.",
        discussion: """
            The text may be plain, gzip or zstd, which its first bytes tell; `-` reads standard input. The format \
            follows from the file's name unless --format says it.

            A CSV file needs a header line. Its time column is the one called time, timestamp, date or the like, else \
            the first that holds moments; --tag names the columns that become tags, all others become fields, whose \
            types are inferred from the first 10,000 records.

            A Parquet file may be of any program; a folder may be one of `martlet export`, whose manifest is checked \
            first, or any with folders called KEY=VALUE, which become tags. Martlet's own files say which columns \
            are tags; for others --tag and --time-column do.

            Rejected lines go to a file, each with its reason, and the others are kept. Exit status: 0 all lines were \
            taken; 1 the import failed; 2 the command line is wrong; 3 no connection; 4 some lines were rejected.
            """)

    @Argument(help: "The file, a folder of Parquet files, or `-` for standard input.", completion: .file())
    var file: String

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "The format: line, csv or parquet.")
    var format: Format?

    @Option(name: .shortAndLong, help: "CSV, Parquet: the table; by default the file's name or the folder's `table=`.")
    var table: String?

    @Option(
        name: .long,
        help: "CSV, Parquet: a column that becomes a tag; may be given several times or as a list with commas.")
    var tag: [String] = []

    @Option(name: .long, help: "CSV, Parquet: the column that holds the time.")
    var timeColumn: String?

    @Option(
        name: .long,
        help: "CSV, Parquet: the unit of a numeric time: s, ms, us or ns; by default guessed from its size.")
    var timeUnit: String?

    @Option(name: .long, help: "CSV: a column's type, as NAME=double, bigint, ubigint, boolean or varchar.")
    var type: [String] = []

    @Option(name: .long, help: "CSV, Parquet: a column to leave out.")
    var skip: [String] = []

    @Option(name: .long, help: "CSV: the character between fields; `tab` for a tabulator.")
    var separator = ","

    @Flag(name: .long, help: "Parquet: import a folder of several namespaces, each into the one of its name.")
    var keepNamespaces = false

    @Flag(name: .long, inversion: .prefixedNo, help: "Parquet: compare checksums with the manifest before importing.")
    var verify = true

    @Option(name: .long, help: "Line protocol: the unit of timestamps: ns, us, ms or s.")
    var precision = "ns"

    @Option(
        name: .long, help: "Where rejected lines go; by default the file's name with `.rejected`.", completion: .file())
    var rejects: String?

    var verifies: Bool { verify }

    func listed(_ values: [String]) -> [String] {
        values.flatMap { $0.split(separator: ",").map(String.init) }
    }

    /// The file's name without its folder and endings.
    var baseName: String {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        return name.split(separator: ".").first.map(String.init) ?? name
    }

    private var isFolder: Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private var chosenFormat: Format {
        if let format { return format }
        let name = file.lowercased().replacingOccurrences(of: ".gz", with: "").replacingOccurrences(
            of: ".zst", with: "")
        if isFolder || name.hasSuffix(".parquet") { return .parquet }
        return name.hasSuffix(".csv") || name.hasSuffix(".tsv") ? .csv : .line
    }

    func validate() throws {
        if TimestampPrecision(name: precision) == nil {
            throw ValidationError("--precision must be ns, us, ms or s, not \(precision).")
        }
        if let timeUnit, TimestampPrecision(name: timeUnit) == nil {
            throw ValidationError("--time-unit must be ns, us, ms or s, not \(timeUnit).")
        }
        _ = try separatorByte()
        _ = try types()
        if chosenFormat == .csv && file == "-" && table == nil {
            throw ValidationError("CSV from standard input needs --table.")
        }
        if chosenFormat == .parquet && (file == "-" || !type.isEmpty) {
            throw ValidationError("Parquet is read from files, not from standard input, and says its types itself.")
        }
        if chosenFormat != .parquet && (isFolder || keepNamespaces) {
            throw ValidationError("Folders and --keep-namespaces are for Parquet.")
        }
        if chosenFormat == .line && !(tag + type + skip).isEmpty {
            throw ValidationError("--tag, --type and --skip are for CSV; line protocol says these things itself.")
        }
    }

    private func separatorByte() throws -> UInt8 {
        if separator == "tab" || separator == "\\t" { return 9 }
        guard separator.utf8.count == 1, let byte = separator.utf8.first, byte != 0x22, byte >= 0x20 else {
            throw ValidationError("--separator must be one character of ASCII other than a quote, or `tab`.")
        }
        return byte
    }

    private func types() throws -> [String: ColumnType] {
        var types: [String: ColumnType] = [:]
        for entry in listed(type) {
            let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
            let chosen = parts.count == 2 ? ColumnType.allCases.first { $0.name == parts[1].uppercased() } : nil
            guard let chosen, chosen.isFieldType else {
                throw ValidationError("--type takes NAME=double, bigint, ubigint, boolean or varchar, not \(entry).")
            }
            types[parts[0]] = chosen
        }
        return types
    }

    func run() async throws {
        if chosenFormat == .parquet { return try await runParquet() }
        let input: FileSource
        do throws(MartletError) {
            input = try FileSource(path: file)
        } catch { throw CommandFailure(error, status: .usage) }
        let target = try await connection.open(making: true)
        let figures = ImportFigures()
        let rejectFile = RejectFile(path: rejects ?? (file == "-" ? "martlet-import" : file) + ".rejected")
        let pipeline = ImportPipeline(
            target: target, namespace: connection.namespace, rejects: rejectFile, figures: figures)
        let (size, counter) = (input.size, input.counter)
        let progress = ProgressLine { Self.progressText($0, figures.current, read: counter.count, of: size) }
        try await finish(target, progress, figures, rejectFile) { () async throws(MartletError) in
            let source = try ByteSources.unpacked(input)
            if chosenFormat == .csv {
                try await importCSV(source, target, pipeline, rejectFile, figures)
            } else {
                let unit = TimestampPrecision(name: precision) ?? .nanoseconds
                let stored = try await LineImport.schemas(of: target, namespace: connection.namespace)
                try await LineImport(precision: unit, stored: stored)
                    .run(source, into: pipeline, rejects: rejectFile, figures: figures)
            }
        }
    }

    private func runParquet() async throws {
        guard FileManager.default.fileExists(atPath: file) else {
            throw CommandFailure("\(file): there is no such file or folder", status: .usage)
        }
        let target = try await connection.open(making: true)
        let figures = ImportFigures()
        var name = Substring(file)
        while name.count > 1 && name.hasSuffix("/") { name.removeLast() }
        let rejectFile = RejectFile(path: rejects ?? name + ".rejected")
        let counter = ByteCounter()
        let size = AtomicBox()
        let progress = ProgressLine {
            Self.progressText($0, figures.current, read: counter.count, of: size.value.load(ordering: .relaxed))
        }
        try await finish(target, progress, figures, rejectFile) { () async throws(MartletError) in
            try await importParquet(target, rejectFile, figures, counter, size, isFolder: isFolder)
        }
    }

    /// Imports and says what became of it.
    private func finish(
        _ target: any StatementTarget, _ progress: ProgressLine, _ figures: ImportFigures, _ rejects: RejectFile,
        _ work: () async throws(MartletError) -> Void
    ) async throws {
        do throws(MartletError) {
            try await work()
            progress.finish()
            try await target.close()
        } catch {
            progress.finish()
            throw CommandFailure(
                "\(error); \(Figures.grouped(figures.current.rows)) rows had been imported before that")
        }
        report(figures.current, seconds: progress.seconds, rejects)
        if rejects.count > 0 { throw ExitCode(ExitStatus.partly.rawValue) }
    }

    private func importCSV(
        _ source: any ByteSource, _ target: any StatementTarget, _ pipeline: ImportPipeline, _ rejects: RejectFile,
        _ figures: ImportFigures
    ) async throws(MartletError) {
        var job = CSVImport(table: table ?? baseName)
        var request = CSVLayout.Request()
        request.tags = Set(listed(tag))
        request.skipped = Set(listed(skip))
        request.timeColumn = timeColumn
        request.timeUnit = timeUnit.flatMap { TimestampPrecision(name: $0)?.nanoseconds }
        do {
            request.types = try types()
            job.separator = file.lowercased().contains(".tsv") && separator == "," ? 9 : try separatorByte()
        } catch {
            throw MartletError(.invalidArgument, "\(error)")
        }
        job.request = request
        job.stored = try await storedColumns(of: job.table, in: target, namespace: connection.namespace)
        let table = job.table
        try await job.run(source, into: pipeline, rejects: rejects, figures: figures) { layout in
            Terminal.writeError("table \(table): \(Self.describe(layout))\n")
        }
    }

    /// Roles and types of a table that exists already; empty for a new one.
    func storedColumns(
        of table: String, in target: any StatementTarget, namespace: String
    ) async throws(MartletError) -> [String: CSVLayout.Target] {
        let tables = try await target.rows("SHOW TABLES", namespace: namespace)
        guard tables.contains(where: { $0.first == .string(table) }) else { return [:] }
        var stored: [String: CSVLayout.Target] = [:]
        for row in try await target.rows(
            "SHOW COLUMNS FROM \(SQLText.name(table))", namespace: namespace)
        {
            guard row.count >= 3, case .string(let name)? = row[0], case .string(let type)? = row[1],
                case .string(let role)? = row[2]
            else { continue }
            if role == "tag" { stored[name] = .tag }
            if role == "field", let type = ColumnType.allCases.first(where: { $0.name == type }) {
                stored[name] = .field(type)
            }
        }
        return stored
    }

    /// `time = time; tags: station; fields: temp DOUBLE, hits BIGINT`.
    static func describe(_ layout: CSVLayout) -> String {
        var tags: [String] = []
        var fields: [String] = []
        for (name, target) in zip(layout.names, layout.targets) {
            switch target {
            case .tag: tags.append(name)
            case .field(let type): fields.append("\(name) \(type.name)")
            case .time, .skipped: break
            }
        }
        let time =
            layout.timeColumn.map { "time from \(layout.names[$0])" } ?? "no time column, so the time of the import"
        return time + (tags.isEmpty ? "" : "; tags \(tags.joined(separator: ", "))")
            + "; fields \(fields.joined(separator: ", "))"
    }

    static func progressText(_ seconds: Double, _ counts: ImportFigures.Counts, read: Int, of size: Int?) -> String {
        var text = ""
        if let size, size > 0 {
            text += Figures.bar(Double(read) / Double(size))
        } else {
            text += "\(Figures.bytes(read)) read  "
        }
        text +=
            "\(Figures.grouped(counts.rows)) rows  \(Figures.grouped(Int(Double(counts.rows) / max(seconds, 0.001)))) rows/s"
        if counts.rejected > 0 { text += "  \(Figures.grouped(counts.rejected)) rejected" }
        return text
    }

    private func report(_ counts: ImportFigures.Counts, seconds: Double, _ rejects: RejectFile) {
        let rate = Figures.grouped(Int(Double(counts.rows) / max(seconds, 0.001)))
        Terminal.writeError(
            "imported \(Figures.grouped(counts.rows)) rows (\(Figures.grouped(counts.values)) values) in "
                + "\(Figures.duration(seconds)), \(rate) rows/s\n")
        if rejects.count > 0 {
            Terminal.writeError("\(Figures.grouped(rejects.count)) lines were rejected; they are in \(rejects.path)\n")
        }
    }
}
