import Synchronization

/// A value that one thread at a time sees: the standard library's `Mutex`, in a form that the thread sanitizer follows.
///
/// A contended `Mutex` is taken inside the Swift runtime, which is not instrumented, so the sanitizer would not see that
/// the holder before comes first and would report every access behind the lock as a race. In such a build
/// (`MARTLET_THREAD_SANITIZER`) an atomic beside the lock is released by each holder and acquired by the next. Elsewhere
/// nothing is added.
public struct Guarded<Value: ~Copyable>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>
    #if MARTLET_THREAD_SANITIZER
        @usableFromInline let handover = Atomic<UInt8>(0)
    #endif

    /// Guards `value`.
    @inlinable public init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Runs `body` with the value, while no other thread has it. Not recursive.
    ///
    /// - Throws: what `body` throws.
    @inlinable public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value) throws(Failure) -> sending Result in
            takeOver()
            defer { handOver() }
            return try body(&value)
        }
    }

    /// Runs `body` with the value if no other thread has it now; else returns nil at once.
    ///
    /// - Throws: what `body` throws.
    @inlinable public borrowing func withLockIfAvailable<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result? {
        try mutex.withLockIfAvailable { (value) throws(Failure) -> sending Result in
            takeOver()
            defer { handOver() }
            return try body(&value)
        }
    }

    @inlinable @inline(__always) borrowing func takeOver() {
        #if MARTLET_THREAD_SANITIZER
            _ = handover.load(ordering: .acquiring)
        #endif
    }

    @inlinable @inline(__always) borrowing func handOver() {
        #if MARTLET_THREAD_SANITIZER
            handover.store(0, ordering: .releasing)
        #endif
    }
}
