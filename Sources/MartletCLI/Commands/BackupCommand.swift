import ArgumentParser
import Martlet
import MartletModel
import MartletQuery
import MartletStorage

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back a data directory up, incrementally, while a daemon writes to it.",
        discussion: """
            Each namespace is saved as it stands at one moment. Backups in one directory share their files, so that \
            another one costs what is new since; sealed segments become hard links where the file system allows it, \
            which take no space but are lost with the disk: use --copy, or a directory on another device, against that.
            """)

    @Argument(help: "The directory of the backups; made where it does not exist.", completion: .directory)
    var directory: String

    @Option(name: .long, help: "The data directory to back up.", completion: .directory)
    var data: String?

    @Flag(name: .long, help: "Copy every file instead of linking where that is possible.")
    var copy = false

    @Flag(name: .long, help: "List the directory's backups instead.")
    var list = false

    func validate() throws {
        if list == (data != nil) { throw ValidationError("Give either --data or --list.") }
    }

    func run() async throws {
        do throws(MartletError) {
            if list {
                for (record, created) in try BackupRestore.list(directory) {
                    Terminal.write("\(try Self.text(created))  \(record)\n")
                }
                return
            }
            var options = Database.Options()
            options.readOnly = true
            let database = try Database.open(at: data ?? "", options: options)
            let summary = try database.backup(to: directory, linking: !copy)
            try database.close()
            for segment in summary.missing { Terminal.writeError("missing: \(segment)\n") }
            Terminal.write(
                "\(summary.record): \(Figures.grouped(summary.files)) files, \(Figures.bytes(Int(summary.bytes))), of "
                    + "which \(Figures.bytes(Int(summary.copiedBytes))) were copied and "
                    + "\(Figures.grouped(summary.reusedFiles)) files were there\n")
            if summary.missing.isEmpty { return }
        } catch {
            throw CommandFailure(error)
        }
        throw ExitCode(ExitStatus.damaged.rawValue)
    }

    static func text(_ time: Timestamp) throws(MartletError) -> String {
        let column = try ColumnKernels.cast(Column(.timestamp, [.timestamp(time)]), to: .string)
        guard case .string(let text)? = column.value(at: 0) else { return "\(time.nanoseconds)" }
        return text
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a data directory of a backup, or bring one namespace back.",
        discussion: """
            Takes the newest backup, or with --at the newest one that was made until then. Checks every file against \
            its checksum before anything is in its place. The data directory must be new; with --namespace it may also \
            be one that no process has open and that has no namespace of that name.
            """)

    @Argument(help: "The directory of the backups.", completion: .directory)
    var backup: String

    @Argument(help: "The data directory to make.", completion: .directory)
    var data: String

    @Option(name: .long, help: "The latest moment of the backup, as '2026-11-27 14:00' (UTC).")
    var at: String?

    @Option(name: .long, help: "The only namespace to restore.")
    var namespace: String?

    func run() async throws {
        do throws(MartletError) {
            var time: Timestamp?
            if let at {
                let column = try ColumnKernels.cast(Column(.string, [.string(at)]), to: .timestamp)
                if case .timestamp(let moment)? = column.value(at: 0) { time = moment }
            }
            let summary = try Database.restore(from: backup, to: data, at: time, namespace: namespace)
            Terminal.write(
                "restored \(summary.namespaces.joined(separator: ", ")) as of "
                    + "\(try BackupCommand.text(summary.created)) UTC: \(Figures.grouped(summary.files)) files, "
                    + "\(Figures.bytes(Int(summary.bytes)))\n")
        } catch {
            throw CommandFailure(error)
        }
    }
}
