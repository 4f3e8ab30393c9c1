import ArgumentParser
import MartletModel

struct CompactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Merge a namespace's segments, and so remove the bytes of deleted and overwritten rows.",
        discussion: """
            The same as the statement COMPACT: when it has ended, no file of the namespace holds a deleted value any \
            more. Works through a running daemon, or with --data on a directory that no daemon has open.
            """)

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let target = try await connection.open()
        var settings = StatementRunner.Settings()
        settings.namespace = connection.namespace
        settings.print.width = Terminal.outputIsTerminal ? Terminal.size.columns : nil
        settings.print.usesUnicode = Terminal.usesUnicode
        let status = await StatementRunner(target: target, settings: settings).run("COMPACT")
        do throws(MartletError) { try await target.close() } catch { throw CommandFailure(error) }
        if status != .success { throw ExitCode(status.rawValue) }
    }
}
