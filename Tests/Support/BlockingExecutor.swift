import Dispatch

/// Runs tasks on threads of their own, beside Swift concurrency's pool, which has as many threads as there are cores.
///
/// A test that waits on a plain socket for a server in the same process would otherwise hold a thread of the pool that
/// the server needs to answer: with as many such tests as cores, nothing moves until a time-out.
///
/// ```swift
/// try await withTaskExecutorPreference(BlockingExecutor.shared) { ... }
/// ```
public final class BlockingExecutor: TaskExecutor {
    /// The one that tests share.
    public static let shared = BlockingExecutor()

    private let queue = DispatchQueue(label: "martlet.tests.blocking", attributes: .concurrent)

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
