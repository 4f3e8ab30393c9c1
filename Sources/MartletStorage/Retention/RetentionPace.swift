import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Keeps a run of retention within so many bytes a second: after each commit it waits until the time that the bytes so far
/// may take has passed.
struct RetentionPace {
    private static let nap: UInt32 = 10_000
    private let bytesPerSecond: Int?
    private let clock: any Clock
    private let start: Int64
    private var bytes = 0.0

    /// - Parameter bytesPerSecond: `nil` for as fast as it goes.
    init(bytesPerSecond: Int?, clock: any Clock) {
        self.bytesPerSecond = bytesPerSecond
        self.clock = clock
        start = clock.monotonicNanoseconds()
    }

    /// Takes note of bytes that were read, and waits for their time to pass.
    ///
    /// - Throws: `.cancelled` or `.timeout`.
    mutating func wait(for more: Int, _ context: QueryContext) throws(MartletError) {
        guard let bytesPerSecond else { return }
        bytes += Double(more)
        let due = bytes / Double(bytesPerSecond) * 1e9
        while Double(clock.monotonicNanoseconds() - start) < due {
            try context.check()
            usleep(Self.nap)
        }
    }
}
