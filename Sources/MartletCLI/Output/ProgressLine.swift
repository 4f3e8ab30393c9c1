import Dispatch
import MartletModel
import Synchronization

/// A line on the standard error stream that tells how a long operation goes: shown on a terminal only, and only once
/// the operation has taken longer than a second.
final class ProgressLine: Sendable {
    private struct State {
        var isShown = false
        var isFinished = false
    }

    private let text: @Sendable (_ seconds: Double) -> String
    private let clock: any Clock
    private let begun: Int64
    private let state = Mutex(State())
    // Made and started in `init`; `cancel`, the only later call, may come from any thread.
    nonisolated(unsafe) private let timer: (any DispatchSourceTimer)?

    /// - Parameter text: what the line says after so many seconds; called several times a second on another thread.
    init(
        isEnabled: Bool = Terminal.errorIsTerminal, clock: any Clock = SystemClock(),
        text: @escaping @Sendable (_ seconds: Double) -> String
    ) {
        self.text = text
        self.clock = clock
        begun = clock.monotonicNanoseconds()
        timer = isEnabled ? DispatchSource.makeTimerSource(queue: .global()) : nil
        timer?.schedule(deadline: .now() + 1, repeating: 0.2)
        timer?.setEventHandler { [weak self] in self?.show() }
        timer?.resume()
    }

    /// Seconds since the operation began.
    var seconds: Double { Double(clock.monotonicNanoseconds() - begun) / 1e9 }

    private func show() {
        let line = text(seconds)
        state.withLock { state in
            guard !state.isFinished else { return }
            state.isShown = true
            Terminal.writeError("\r\u{1b}[2K" + line)
        }
    }

    /// Takes the line away.
    func finish() {
        timer?.cancel()
        state.withLock { state in
            state.isFinished = true
            if state.isShown { Terminal.writeError("\r\u{1b}[2K") }
            state.isShown = false
        }
    }

    deinit { timer?.cancel() }
}
