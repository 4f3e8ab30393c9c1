import ArgumentParser
import Foundation
import Martlet
import MartletModel

extension ResultFormat: ExpressibleByArgument {}

struct QueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Run SQL, or open an interactive shell.",
        discussion: """
            Asks a running daemon over its wire port, or with --data a directory. A directory is opened read-only, \
            beside a daemon that may be writing to it; a statement that writes opens it as its one writer.

            With no query, statements are read from --file, from a pipe, or typed into the shell.

            Exit status: 0 all went well; 1 a statement failed; 2 the command line is wrong; 3 the daemon does not \
            answer or the directory cannot be opened; 130 ended by Ctrl-C.
            """)

    @Argument(help: "One or more statements, separated by `;`.")
    var sql: String?

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "How rows are printed: table, csv, json, ndjson or line (line protocol).")
    var format = ResultFormat.table

    @Flag(name: .shortAndLong, help: "Draw the result as a chart.")
    var plot = false

    @Option(name: .long, help: "Read the statements from this file.", completion: .file())
    var file: String?

    @Option(
        name: .long, help: "Rows that a table shows at most; 0 for all. By default 1,000 on a terminal, else 10,000.")
    var maxRows: Int?

    @Option(name: .long, help: "The table's name in line protocol.")
    var measurement = "result"

    @Option(name: .long, help: "Columns to print or draw in, instead of the terminal's.")
    var width: Int?

    @Option(name: .long, help: "Rows of a chart.")
    var height: Int?

    @Flag(name: .long, help: "Tell on the standard error stream how long each statement took.")
    var timing = false

    func validate() throws {
        if sql != nil && file != nil { throw ValidationError("A query and --file exclude each other.") }
        if let maxRows, maxRows < 0 { throw ValidationError("--max-rows must not be negative.") }
        if let width, width < 20 { throw ValidationError("--width must be at least 20.") }
        if let height, height < 6 { throw ValidationError("--height must be at least 6.") }
    }

    func run() async throws {
        let given: String? = try sql ?? file.map(Self.contents)
        let piped = try given == nil && !Terminal.inputIsTerminal ? Self.pipedInput() : nil
        let statements = StatementSplitter.split(given ?? piped ?? "")
        if given != nil && statements.isEmpty { throw CommandFailure("the query is empty", status: .usage) }
        // Only what writes makes a directory that is not there.
        let target = try await connection.open(making: statements.contains { DirectoryTarget.writes($0.sql) })
        let runner = StatementRunner(target: target, settings: settings)
        let status =
            if given != nil {
                await runner.run(all: statements)
            } else if let piped {
                await Shell(runner: runner).runPiped(piped)
            } else {
                await Shell(runner: runner).runInteractively()
            }
        do throws(MartletError) { try await target.close() } catch { throw CommandFailure(error) }
        if status != .success { throw ExitCode(status.rawValue) }
    }

    private var settings: StatementRunner.Settings {
        var settings = StatementRunner.Settings()
        let onTerminal = Terminal.outputIsTerminal
        settings.namespace = connection.namespace
        settings.showsTiming = timing
        settings.print.format = format
        settings.print.plots = plot
        settings.print.measurement = measurement
        let limit = maxRows ?? (onTerminal ? 1000 : 10_000)
        settings.print.rowLimit = limit == 0 ? nil : limit
        settings.print.width = width ?? (onTerminal ? Terminal.size.columns : plot ? 100 : nil)
        settings.print.chartHeight = height ?? (onTerminal ? max(10, min(30, Terminal.size.rows - 4)) : 20)
        settings.print.usesColor = Terminal.outputTakesColor
        settings.print.usesUnicode = Terminal.usesUnicode
        return settings
    }

    private static func pipedInput() throws -> String {
        guard let text = String(data: FileHandle.standardInput.readDataToEndOfFile(), encoding: .utf8) else {
            throw CommandFailure("standard input is not UTF-8", status: .usage)
        }
        return text
    }

    private static func contents(of path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw CommandFailure("cannot read \(path): \(error.localizedDescription)", status: .usage)
        }
    }
}
