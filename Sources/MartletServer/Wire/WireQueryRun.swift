import Dispatch
import MartletModel
import MartletQuery
import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// One query of one connection, run in steps on the listener's threads.
///
/// A step fetches and sends one batch and then queues again behind the other queries, so that a long result holds up
/// nobody. No step is queued while the client owes credit or while the socket has not yet taken what was sent: a slow
/// reader costs a few batches of memory and no thread.
final class WireQueryRun: Sendable {
    private enum Phase { case idle, queued, finished }

    private struct State {
        var phase = Phase.queued
        var query: (any WireQuery)?
        var credit: UInt32
        var unwritten = 0
        var isCancelled = false
        var isAbandoned = false
        var rows: UInt64 = 0
        /// Parts of a batch that was too large for one frame, the next one last.
        var rest: [RecordBatch] = []
    }

    /// Frames that may be on their way to the socket at once.
    private static let maximumUnwritten = 4

    private let id: UInt32
    private let session: WireSession
    private let pool: NIOThreadPool
    private let clock: any Clock
    private let begun: Int64
    private let state: Mutex<State>

    init(id: UInt32, credit: UInt32, session: WireSession, pool: NIOThreadPool, clock: any Clock) {
        self.id = id
        self.session = session
        self.pool = pool
        self.clock = clock
        begun = clock.monotonicNanoseconds()
        state = Mutex(State(credit: credit))
    }

    /// Whether nothing happens until the client reads or grants credit.
    var isWaitingForClient: Bool { state.withLock { $0.phase == .idle } }

    func start(_ begin: @escaping @Sendable () throws(MartletError) -> any WireQuery) {
        pool.submit { [self] poolState in
            guard case .active = poolState else {
                return finish(.failure(MartletError(.closed, "the server is shutting down")))
            }
            if state.withLock({ $0.isCancelled }) { return finish(.failure(Self.cancelled)) }
            do throws(MartletError) {
                let query = try begin()
                let schema = query.schema
                let empty = RecordBatch(
                    schema: schema, columns: schema.map { Column.nulls($0.type, count: 0) }, rowCount: 0)
                let frame = try session.encode(.schema(empty), id)
                let isCancelled = state.withLock { state in
                    state.query = query
                    return state.isCancelled
                }
                if isCancelled { query.cancel() }
                session.send(frame)
                requeue()
            } catch {
                finish(.failure(error))
            }
        }
    }

    /// Lets the server send `count` more batches.
    func grant(_ count: UInt32) {
        state.withLock { $0.credit = UInt32(clamping: UInt64($0.credit) + UInt64(count)) }
        wake()
    }

    /// Ends the query with `.cancelled`.
    func cancel() {
        let query = state.withLock { state in
            state.isCancelled = true
            return state.query
        }
        query?.cancel()
        wake()
    }

    /// Ends the query for a client that is gone.
    func abandon() {
        state.withLock { $0.isAbandoned = true }
        cancel()
    }

    /// Queues a step if the query waits and may now go on.
    private func wake() {
        let mayGoOn = state.withLock { state in
            guard state.phase == .idle, Self.mayStep(state) else { return false }
            state.phase = .queued
            return true
        }
        if mayGoOn { submit() }
    }

    /// Queues the next step, or lets the query wait.
    private func requeue() {
        let mayGoOn = state.withLock { state in
            state.phase = Self.mayStep(state) ? .queued : .idle
            return state.phase == .queued
        }
        if mayGoOn { submit() }
    }

    private static func mayStep(_ state: borrowing State) -> Bool {
        state.isCancelled || (state.credit > 0 && state.unwritten < maximumUnwritten)
    }

    private func submit() {
        if state.withLock({ $0.query?.isEndless ?? false }) {
            // It waits for rows: not on one of the few threads that queries share.
            return DispatchQueue.global().async { [self] in step() }
        }
        pool.submit { [self] poolState in
            guard case .active = poolState else {
                return finish(.failure(MartletError(.closed, "the server is shutting down")))
            }
            step()
        }
    }

    private func step() {
        let (query, isCancelled) = state.withLock { ($0.query, $0.isCancelled) }
        guard let query, !isCancelled else { return finish(.failure(Self.cancelled)) }
        do throws(MartletError) {
            let waiting = state.withLock { $0.rest.popLast() }
            let batch = if let waiting { waiting } else { try query.next() }
            guard let batch else {
                let rows = state.withLock { $0.rows }
                let elapsed = UInt64(max(0, clock.monotonicNanoseconds() - begun))
                return finish(.success(WireSummary(rows: rows, elapsed: elapsed, notices: query.notices)))
            }
            if batch.rowCount > 0 {
                let (frame, rowCount) = try encode(batch)
                state.withLock { state in
                    state.rows += UInt64(rowCount)
                    state.unwritten += 1
                    if state.credit != .max { state.credit -= 1 }
                }
                session.send(frame) { [self] in
                    state.withLock { $0.unwritten -= 1 }
                    wake()
                }
            }
            requeue()
        } catch {
            query.cancel()
            finish(.failure(error))
        }
    }

    /// Encodes a batch, or the first rows of it where it is larger than the peer's largest frame; the others wait.
    ///
    /// - Throws: `.outOfRange` where one row exceeds a frame.
    private func encode(_ batch: RecordBatch) throws(MartletError) -> (frame: ByteBuffer, rowCount: Int) {
        var part = batch
        while true {
            do throws(MartletError) {
                return (try session.encode(.rows(part), id), part.rowCount)
            } catch {
                guard error.code == .outOfRange, part.rowCount > 1 else { throw error }
                let half = part.rowCount / 2
                let second = part.rows(half..<part.rowCount)
                state.withLock { $0.rest.append(second) }
                part = part.rows(0..<half)
            }
        }
    }

    private func finish(_ result: Result<WireSummary, MartletError>) {
        let isFirst = state.withLock { state in
            defer {
                state.phase = .finished
                state.query = nil
            }
            return state.phase != .finished
        }
        if isFirst { session.finishQuery(id, result) }
    }

    private static let cancelled = MartletError(.cancelled, "the query was cancelled")
}
