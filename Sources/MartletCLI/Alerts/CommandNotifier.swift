import Foundation
import Martlet
import MartletModel

/// Runs a command for each batch of alerts, which it reads as JSON lines from its standard input. A status other than 0
/// means that they were not delivered: they come again.
struct CommandNotifier: Notifier {
    /// Seconds that a command may take.
    private static let patience = 30.0
    let name = "command"
    private let command: String

    /// - Parameter command: what a shell is given.
    init(_ command: String) { self.command = command }

    func deliver(_ notifications: [AlertNotification]) throws(MartletError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        let input = Pipe()
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        do {
            try process.run()
        } catch {
            throw MartletError(.io, "the alert command cannot be started: \(error.localizedDescription)")
        }
        // A command that does not read ends the pipe, not the daemon: SIGPIPE is ignored.
        try? input.fileHandleForWriting.write(contentsOf: Data(notifications.map(\.json).joined().utf8))
        try? input.fileHandleForWriting.close()
        if ended.wait(timeout: .now() + Self.patience) == .timedOut {
            process.terminate()
            throw MartletError(.timeout, "the alert command took longer than \(Int(Self.patience)) seconds")
        }
        if process.terminationStatus != 0 {
            throw MartletError(.io, "the alert command ended with status \(process.terminationStatus)")
        }
    }
}
