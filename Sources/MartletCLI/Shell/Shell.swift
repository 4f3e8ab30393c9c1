import Foundation
import Martlet
import MartletModel
import MartletQuery

/// The interactive shell, and the reader of statements from a pipe.
final class Shell {
    private let runner: StatementRunner
    private var completion = Completion()
    private var history: History
    private var isDone = false

    init(runner: StatementRunner) {
        self.runner = runner
        history = History(path: History.defaultPath)
    }

    static let help = """
        A statement may go over several lines; `;` at a line's end runs it.

          \\d              tables
          \\d TABLE        columns of a table
          \\dt             tables
          \\n NAME         work in another namespace (\\namespace)
          \\f FORMAT       print results as table, csv, json, ndjson or line (\\format)
          \\plot           draw results as charts, or stop doing so
          \\timing         tell how long each statement took, or stop doing so
          \\?              this help
          \\q              leave (Ctrl-D does, too)

        Keys: Tab completes, Up and Down recall, Ctrl-R searches back, Ctrl-A/E/B/F/K/U/W/Y edit as in a shell,
        Ctrl-C gives up a line or ends a running statement.

        """

    // MARK: Interactive

    /// Reads and runs statements until the end of input.
    func runInteractively() async -> ExitStatus {
        Terminal.write("martlet \(Version.current), connected to \(runner.target.name). \\? for help.\n")
        await refreshCompletion()
        let terminal = RawTerminal()
        var text = ""
        while !isDone {
            let prompt = text.isEmpty ? "\(promptName)> " : String(repeating: " ", count: promptName.count - 1) + "-> "
            let editor = LineEditor(history: history) { [completion] in completion.candidates(for: $0) }
            let line: String?
            do {
                line = try terminal.readLine(prompt: prompt, editor: editor)
            } catch is RawTerminal.Interrupted {
                text = ""
                continue
            } catch {
                Terminal.writeError("\(error)\n")
                return .failure
            }
            guard let line else { break }
            if text.isEmpty && line.hasPrefix("\\") {
                history.add(line)
                _ = await command(line)
            } else {
                text += (text.isEmpty ? "" : "\n") + line
                text = await runComplete(text)
            }
        }
        do { try history.save() } catch { Terminal.writeError("the history was not saved: \(error)\n") }
        return .success
    }

    private var promptName: String {
        let namespace = runner.current.namespace
        return namespace == "default" ? "martlet" : "martlet:\(namespace)"
    }

    /// Runs the statements of `text` that a `;` has ended; returns the rest.
    private func runComplete(_ text: String) async -> String {
        let statements = StatementSplitter.split(text)
        guard let last = statements.last else { return "" }
        guard last.isEnded else { return text }
        history.add(text)
        for statement in statements {
            if await runner.run(statement.sql) != .success { break }
        }
        let changesNames = statements.contains { statement in
            ["CREATE", "DROP", "ALTER", "INSERT"].contains { statement.sql.uppercased().hasPrefix($0) }
        }
        if changesNames { await refreshCompletion() }
        return ""
    }

    /// Asks for the names that Tab completes. Completion is a convenience: without an answer it knows keywords only.
    private func refreshCompletion() async {
        let namespace = runner.current.namespace
        var next = Completion()
        do throws(MartletError) {
            for row in try await runner.target.rows("SHOW TABLES", namespace: namespace) {
                guard case .string(let table)? = row.first ?? nil else { continue }
                next.tables[table] = []
                guard next.tables.count <= 200 else { continue }
                let columns = try await runner.target.rows(
                    "SHOW COLUMNS FROM \(SQLText.name(table))", namespace: namespace)
                next.tables[table] = columns.compactMap {
                    if case .string(let name)? = $0.first ?? nil { name } else { nil }
                }
            }
            for row in try await runner.target.rows("SHOW FUNCTIONS", namespace: namespace) {
                if case .string(let name)? = row.first ?? nil { next.functions.append(name) }
            }
        } catch {
            if error.code == .closed || error.code == .io { Terminal.writeError("\(error)\n") }
        }
        completion = next
    }

    // MARK: From a pipe

    /// Runs the statements and commands that stand on standard input, up to the first that fails.
    func runPiped(_ input: String) async -> ExitStatus {
        var text = ""
        for line in input.split(separator: "\n", omittingEmptySubsequences: false) {
            if text.isEmpty && line.hasPrefix("\\") {
                let status = await command(String(line))
                if status != .success { return status }
                if isDone { return .success }
                continue
            }
            text += (text.isEmpty ? "" : "\n") + line
            guard !StatementSplitter.isIncomplete(text) else { continue }
            let status = await runner.run(all: StatementSplitter.split(text))
            if status != .success { return status }
            text = ""
        }
        return await runner.run(all: StatementSplitter.split(text))
    }

    // MARK: Commands

    private func command(_ line: String) async -> ExitStatus {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = words.count > 1 ? words[1].trimmingCharacters(in: .whitespaces) : nil
        switch (words[0], argument) {
        case ("\\q", nil): isDone = true
        case ("\\?", _), ("\\h", _): Terminal.write(Self.help)
        case ("\\d", nil), ("\\dt", _): return await runner.run("SHOW TABLES")
        case ("\\d", let table?):
            let name = table.hasPrefix("\"") ? table : SQLText.name(table)
            return await runner.run("SHOW COLUMNS FROM \(name)")
        case ("\\timing", _):
            runner.change { $0.showsTiming = Self.isOn(argument, now: $0.showsTiming) }
            Terminal.write("timing is \(runner.current.showsTiming ? "on" : "off")\n")
        case ("\\plot", _):
            runner.change { $0.print.plots = Self.isOn(argument, now: $0.print.plots) }
            Terminal.write("charts are \(runner.current.print.plots ? "on" : "off")\n")
        case ("\\f", let name?), ("\\format", let name?):
            guard let format = ResultFormat(rawValue: name) else {
                let known = ResultFormat.allCases.map(\.rawValue).joined(separator: ", ")
                Terminal.writeError("error: there is no format '\(name)'; there are \(known)\n")
                return .failure
            }
            runner.change { $0.print.format = format }
        case ("\\n", let name?), ("\\namespace", let name?):
            runner.change { $0.namespace = name }
            await refreshCompletion()
        default:
            Terminal.writeError("error: unknown command \(line); \\? lists the commands\n")
            return .failure
        }
        return .success
    }

    private static func isOn(_ argument: String?, now: Bool) -> Bool {
        switch argument {
        case "on": true
        case "off": false
        default: !now
        }
    }
}
