import NIOCore

/// Runs tasks on an event loop's thread: the loop that also reads and writes their sockets, so that neither has to wake
/// another thread.
///
/// What runs there must not block.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
