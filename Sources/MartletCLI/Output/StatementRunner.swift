import Dispatch
import Foundation
import Martlet
import MartletModel
import Synchronization

/// Runs statements one after the other, prints their results, and ends the running one on Ctrl-C.
final class StatementRunner: Sendable {
    struct Settings: Sendable {
        var print = PrintOptions()
        var showsTiming = false
        var namespace = "default"
    }

    let target: any StatementTarget
    private let settings: Mutex<Settings>
    private let interrupts = InterruptWatch()

    init(target: any StatementTarget, settings: Settings) {
        self.target = target
        self.settings = Mutex(settings)
    }

    var current: Settings { settings.withLock { $0 } }

    func change(_ body: (inout sending Settings) -> Void) { settings.withLock { body(&$0) } }

    /// Runs one statement; reports an error on the standard error stream.
    ///
    /// - Returns: the status, `.success`, `.failure` or `.interrupted`.
    func run(_ sql: String) async -> ExitStatus {
        let settings = current
        let progress = ProgressLine { "running for \(Figures.duration($0)), Ctrl-C stops it" }
        let began = SystemClock().monotonicNanoseconds()
        let work = Task { () async -> Result<Int, MartletError> in
            do throws(MartletError) {
                let result = try await target.run(sql, namespace: settings.namespace)
                interrupts.watch { result.cancel() }
                let count = try await ResultPrinter.print(result, settings.print) { bytes in
                    if bytes.count > 0 { progress.finish() }
                    Terminal.write(bytes)
                }
                for notice in result.notices { Terminal.writeError("notice: \(notice)\n") }
                return .success(count)
            } catch {
                return .failure(error)
            }
        }
        interrupts.watch { work.cancel() }
        let outcome = await work.value
        progress.finish()
        let wasInterrupted = interrupts.rest()
        if settings.showsTiming {
            let seconds = Double(SystemClock().monotonicNanoseconds() - began) / 1e9
            Terminal.writeError("time: \(Figures.duration(seconds))\n")
        }
        guard case .failure(let error) = outcome else { return .success }
        Terminal.writeError(ErrorText.describe(error, in: sql))
        return wasInterrupted && error.code == .cancelled ? .interrupted : .failure
    }

    /// Runs statements up to the first that fails.
    func run(all statements: [StatementSplitter.Statement]) async -> ExitStatus {
        for statement in statements {
            let status = await run(statement.sql)
            if status != .success { return status }
        }
        return .success
    }
}

/// Hands Ctrl-C to whatever runs at the moment. A second Ctrl-C that finds the first unheard ends the process.
final class InterruptWatch: Sendable {
    private struct State {
        var actions: [@Sendable () -> Void] = []
        var count = 0
    }

    // Touched in `init` only, then merely kept alive.
    nonisolated(unsafe) private let source: any DispatchSourceSignal
    private let state = Mutex(State())

    init() {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { [weak self] in self?.interrupt() }
        source.resume()
    }

    private func interrupt() {
        let (actions, count) = state.withLock { state in
            state.count += 1
            return (state.actions, state.count)
        }
        if actions.isEmpty || count > 1 {
            Terminal.writeError("\n")
            exit(ExitStatus.interrupted.rawValue)
        }
        for action in actions { action() }
    }

    /// Adds what Ctrl-C shall do until `rest`; it runs at once if Ctrl-C has come already.
    func watch(_ action: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            state.actions.append(action)
            return state.count > 0
        }
        if isLate { action() }
    }

    /// Forgets the actions; says whether Ctrl-C came.
    func rest() -> Bool {
        state.withLock { state in
            defer { state = State() }
            return state.count > 0
        }
    }
}
