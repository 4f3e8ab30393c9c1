import Dispatch
import MartletAlerting
import MartletModel
import Synchronization

/// Tells notifiers of alerts, away from the threads that evaluate them: each in order, and again where it fails, for as
/// long as the process lives.
final class AlertDispatcher: Sendable {
    private let outboxes: [NotificationOutbox]

    init(_ notifiers: [any Notifier]) { outboxes = notifiers.map { NotificationOutbox($0) } }

    /// Whether anybody is told.
    var hasReceivers: Bool { !outboxes.isEmpty }

    /// Tells all notifiers; returns at once.
    func submit(_ notifications: [AlertNotification]) {
        if notifications.isEmpty { return }
        for outbox in outboxes { outbox.submit(notifications) }
    }

    /// The time of the oldest notification of an alert that some notifier has not taken; `nil` where there is none.
    func oldestUntold(of alert: String, in namespace: String) -> Int64? {
        outboxes.compactMap { $0.oldestUntold(of: alert, in: namespace) }.min()
    }

    /// What keeps notifiers from taking notifications, a sentence each.
    var troubles: [String] { outboxes.compactMap(\.trouble) }
}

/// Notifications on their way to one notifier.
final class NotificationOutbox: Sendable {
    /// The most notifications that wait; the oldest go where there are more, and are still rows of `_alerts`.
    private static let capacity = 10_000
    private static let longestPause = 120

    private struct State {
        var waiting: [AlertNotification] = []
        var isWorking = false
        var pause = 1
        var lost = 0
        var error: MartletError?
    }

    private let notifier: any Notifier
    private let queue: DispatchQueue
    private let state = Mutex(State())

    init(_ notifier: any Notifier) {
        self.notifier = notifier
        queue = DispatchQueue(label: "martlet.notifier.\(notifier.name)", qos: .utility)
    }

    func submit(_ notifications: [AlertNotification]) {
        let begins = state.withLock { state in
            state.waiting += notifications
            if state.waiting.count > Self.capacity {
                let excess = state.waiting.count - Self.capacity
                state.waiting.removeFirst(excess)
                state.lost += excess
            }
            defer { state.isWorking = true }
            return !state.isWorking
        }
        if begins { queue.async { [weak self] in self?.work() } }
    }

    private func work() {
        while true {
            let batch = state.withLock { state in
                if state.waiting.isEmpty { state.isWorking = false }
                return state.waiting
            }
            if batch.isEmpty { return }
            do throws(MartletError) {
                try notifier.deliver(batch)
                state.withLock { state in
                    // Some may have gone to make room while these were delivered.
                    let delivered = Set(batch)
                    state.waiting.removeAll { delivered.contains($0) }
                    state.pause = 1
                    state.error = nil
                }
            } catch {
                let pause = state.withLock { state in
                    defer { state.pause = min(state.pause * 2, Self.longestPause) }
                    state.error = error
                    return state.pause
                }
                queue.asyncAfter(deadline: .now() + .seconds(pause)) { [weak self] in self?.work() }
                return
            }
        }
    }

    func oldestUntold(of alert: String, in namespace: String) -> Int64? {
        state.withLock { state in
            state.waiting.lazy.filter { $0.alert == alert && $0.namespace == namespace }.map(\.at.nanoseconds).min()
        }
    }

    var trouble: String? {
        state.withLock { state in
            guard let error = state.error else { return nil }
            let lost = state.lost > 0 ? ", \(state.lost) gave way to newer ones" : ""
            return "\(notifier.name): \(state.waiting.count) notifications wait\(lost): \(error.message)"
        }
    }
}
