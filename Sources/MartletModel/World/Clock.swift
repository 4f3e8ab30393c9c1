#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The time as the engine sees it. Everything that reads a clock does so through one of these, so that a test can
/// set, move and stop it.
public protocol Clock: Sendable {
    /// The wall-clock time.
    func now() -> Timestamp
    /// Nanoseconds that only ever grow, from an arbitrary start; for durations and deadlines.
    func monotonicNanoseconds() -> Int64
}

/// The machine's own clocks.
public struct SystemClock: Clock {
    /// The machine's own clocks.
    public init() {}

    public func now() -> Timestamp { Timestamp(nanoseconds: read(CLOCK_REALTIME)) }

    public func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    private func read(_ id: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
