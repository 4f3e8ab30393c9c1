import ArgumentParser
import Foundation
import Martlet
import MartletModel
import MartletQuery

extension ExportOptions.Format: ExpressibleByArgument {}
extension ExportOptions.Compression: ExpressibleByArgument {}
extension ExportOptions.Timestamps: ExpressibleByArgument {}
extension ExportOptions.Encodings: ExpressibleByArgument {}

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write tables or a query's rows as Parquet, CSV, JSON lines or line protocol.",
        discussion: """
            Tables go to a folder, as `namespace=N/table=T/date=D/part-1.parquet` with a `_manifest.json` of rows and \
            checksums; one table or query goes to a file if --to ends in .parquet, .csv, .jsonl or .line, the last \
            three optionally with .zst. Nothing is ever overwritten, and a file has its name only once it is whole.

            The files are written by this command on this machine, also where the rows come from a running daemon. \
            (The statement EXPORT has the daemon write, below its --export-dir.) Each table is exported as it stood \
            at one moment. Memory is bounded by --memory, whatever is exported.

            Exit status: 0 all went well; 1 the export failed; 2 the command line is wrong; 3 no connection; 130 ended \
            by Ctrl-C, which leaves finished parts but no manifest.
            """)

    @Argument(help: "The tables; by default all of the namespace.")
    var tables: [String] = []

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .long, help: "The folder or file to write.", completion: .file())
    var to: String

    @Flag(name: .long, help: "Export the tables of all namespaces.")
    var allNamespaces = false

    @Option(name: .shortAndLong, help: "Export the rows of this query instead of tables.")
    var query: String?

    @Option(name: .long, help: "Only rows for which this SQL condition holds.")
    var `where`: String?

    @Option(name: .long, help: "Only rows older than this time, such as 2024-01-01.")
    var before: String?

    @Option(name: .shortAndLong, help: "parquet, csv, jsonl or line; by default as --to ends, else parquet.")
    var format: ExportOptions.Format?

    @Option(name: .shortAndLong, help: "zstd, lz4 (Parquet only) or none; by default zstd for Parquet.")
    var compression: ExportOptions.Compression?

    @Option(name: .long, help: "The level of zstd, 1 to 19.")
    var compressionLevel = 3

    @Option(
        name: .long, help: "Parquet: micros, which every reader knows, or nanos, which are exact and not for Spark.")
    var timestamps = ExportOptions.Timestamps.micros

    @Option(name: .long, help: "Parquet: widest, for every reader, or densest, for the smallest files.")
    var encodings = ExportOptions.Encodings.widest

    @Option(name: .long, help: "The size at which a file of a folder is finished, such as 512MiB.")
    var fileSize = "512MiB"

    @Option(name: .long, help: "The memory that the export may take, such as 256MiB.")
    var memory = "256MiB"

    func validate() throws {
        guard !to.isEmpty else { throw ValidationError("--to must not be empty.") }
        guard (1...19).contains(compressionLevel) else { throw ValidationError("--compression-level must be 1 to 19.") }
        guard query == nil || (tables.isEmpty && !allNamespaces && before == nil && `where` == nil) else {
            throw ValidationError("--query goes without tables, --all-namespaces, --where and --before.")
        }
        guard !allNamespaces || tables.isEmpty else {
            throw ValidationError("Tables and --all-namespaces exclude each other.")
        }
        guard try ServeCommand.bytes(memory, option: "--memory") >= 8 << 20 else {
            throw ValidationError("--memory must be at least 8MiB.")
        }
        guard try ServeCommand.bytes(fileSize, option: "--file-size") > 0 else {
            throw ValidationError("--file-size must be positive.")
        }
    }

    func run() async throws {
        var options = ExportOptions()
        options.format = format
        options.compression = compression
        options.compressionLevel = compressionLevel
        options.timestamps = timestamps
        options.encodings = encodings
        options.fileBytes = Int64(try ServeCommand.bytes(fileSize, option: "--file-size"))
        let budget = MemoryBudget(limit: try ServeCommand.bytes(memory, option: "--memory"))
        let target = try await connection.open()
        let figures = ExportFigures()
        let progress = ProgressLine { figures.text($0) }
        let interrupts = InterruptWatch()
        let run = ExportRun(target: target, figures: figures, interrupts: interrupts)
        let (to, exporter, sql) = (to, DatabaseExporter(), query)
        let request = ExportRequest(destination: to, options: options, isSingleTable: sql != nil || tables.count == 1)
        let outcome: Result<[String], MartletError>
        do throws(MartletError) {
            let sources = try await sources(target)
            let job = try exporter.begin(request, memory: budget, clock: SystemClock())
            outcome = await run.write(sources, to: job)
            try await target.close()
        } catch {
            progress.finish()
            throw CommandFailure(error)
        }
        progress.finish()
        let wasInterrupted = interrupts.rest()
        let counts = figures.current
        switch outcome {
        case .success(let notices):
            for notice in notices { Terminal.writeError("notice: \(notice)\n") }
            Terminal.writeError(
                "exported \(Figures.grouped(counts.rows)) rows in \(Figures.grouped(counts.files)) "
                    + "\(counts.files == 1 ? "file" : "files"), \(Figures.bytes(counts.bytes)), to \(to) in "
                    + "\(Figures.duration(progress.seconds))\n")
        case .failure(let error):
            if wasInterrupted && error.code == .cancelled { throw ExitCode(ExitStatus.interrupted.rawValue) }
            throw CommandFailure("\(error); the export is not complete and has no manifest")
        }
    }

    /// What is to be exported, by the namespaces and tables that are there.
    private func sources(_ target: any StatementTarget) async throws(MartletError) -> [ExportRun.Source] {
        if let query {
            let one = StatementSplitter.split(query).map(\.sql)
            guard one.count == 1 else { throw MartletError(.invalidArgument, "--query takes one statement") }
            return [
                ExportRun.Source(namespace: connection.namespace, table: "query", sql: "EXPORT (\(one[0])\n) TO STDOUT")
            ]
        }
        var namespaces = [connection.namespace]
        if allNamespaces { namespaces = try await target.names("SHOW NAMESPACES", namespace: connection.namespace) }
        var sources: [ExportRun.Source] = []
        for namespace in namespaces {
            let known = try await target.names("SHOW TABLES", namespace: namespace)
            for table in tables.isEmpty ? known : tables {
                let name = SQLText.name(table)
                var conditions: [String] = []
                if let condition = `where` { conditions.append("(\(condition)\n)") }
                let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
                let limit = before.map { " BEFORE '" + $0.replacingOccurrences(of: "'", with: "''") + "'" } ?? ""
                if let before { conditions.append("time < '" + before.replacingOccurrences(of: "'", with: "''") + "'") }
                let counted = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
                sources.append(
                    ExportRun.Source(
                        namespace: namespace, table: table, sql: "EXPORT TABLE \(name)\(filter)\(limit) TO STDOUT",
                        count: "SELECT count(*) FROM \(name)\(counted)"))
            }
        }
        return sources
    }
}
