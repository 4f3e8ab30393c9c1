import ArgumentParser
import Foundation
import MartletModel

/// The `martlet` program.
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "The Martlet time-series engine: daemon and tools in one program.",
        version: "martlet \(Version.current)",
        subcommands: [
            ServeCommand.self, QueryCommand.self, ImportCommand.self, ExportCommand.self, SendCommand.self,
            StatusCommand.self, WatchCommand.self, RulesCommand.self,
            CheckCommand.self, CompactCommand.self, BackupCommand.self, RestoreCommand.self,
        ])
}

@main
enum Program {
    static func main() async {
        // A reader that goes away ends the tool where it writes; see Terminal.write.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try MartletCommand.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.writeError("martlet: \(failure.message)\n")
            exit(failure.status.rawValue)
        } catch let error as MartletError {
            Terminal.writeError("martlet: \(error)\n")
            exit(ExitStatus.failure.rawValue)
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch {
            // Help and version end well; all else that the parser throws is a wrong command line.
            let code = MartletCommand.exitCode(for: error)
            if code == .success { MartletCommand.exit(withError: error) }
            Terminal.writeError(MartletCommand.fullMessage(for: error) + "\n")
            exit(code == .validationFailure ? ExitStatus.usage.rawValue : ExitStatus.failure.rawValue)
        }
    }
}
