import MartletModel

/// A clock that stands still until a test moves it.
public final class ManualClock: Clock {
    fileprivate struct State {
        var now: Int64
        var monotonic: Int64
        var step: Int64
    }

    private let state: Guarded<State>

    /// A clock that shows `now`.
    ///
    /// - Parameter step: nanoseconds by which each reading moves the clock, so that successive readings differ.
    public init(now: Timestamp = Timestamp(nanoseconds: 1_700_000_000_000_000_000), step: Int64 = 0) {
        state = Guarded(State(now: now.nanoseconds, monotonic: 0, step: step))
    }

    public func now() -> Timestamp {
        state.withLock { state in
            defer { state.advance(by: state.step) }
            return Timestamp(nanoseconds: state.now)
        }
    }

    public func monotonicNanoseconds() -> Int64 {
        state.withLock { state in
            defer { state.advance(by: state.step) }
            return state.monotonic
        }
    }

    /// Moves both the wall clock and the monotonic clock forward by `nanoseconds`, which must not be negative.
    public func advance(by nanoseconds: Int64) {
        precondition(nanoseconds >= 0, "a clock advances by \(nanoseconds) ns; use set(_:) to turn it back")
        state.withLock { $0.advance(by: nanoseconds) }
    }

    /// Sets the wall clock, forward or back, as an administrator would. The monotonic clock goes on undisturbed.
    public func set(_ time: Timestamp) { state.withLock { $0.now = time.nanoseconds } }
}

extension ManualClock.State {
    fileprivate mutating func advance(by nanoseconds: Int64) {
        now += nanoseconds
        monotonic += nanoseconds
    }
}
