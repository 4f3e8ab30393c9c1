import MartletModel
import Synchronization

/// The rows of a query as they arrive.
///
/// One pass, one consumer at a time. The server sends ahead by a few batches and then waits until they are read.
public final class WireResult: AsyncSequence, Sendable {
    public typealias Element = RecordBatch
    public typealias Failure = MartletError

    private let stream: ResultStream

    init(_ stream: ResultStream) { self.stream = stream }

    /// The result's columns; empty for a statement without a result.
    public var schema: [ColumnDescription] { stream.schema }

    /// Row count, time and notices; `nil` before the last batch was read.
    public var summary: WireSummary? { stream.summary }

    /// The next rows, or `nil` at the end.
    ///
    /// - Throws: what ended the query: `.cancelled`, `.timeout`, `.resourceExhausted`, `.closed` and the like.
    public func next() async throws(MartletError) -> RecordBatch? { try await stream.next() }

    /// Ends the query; `next` then throws `.cancelled`, unless it had ended already.
    public func cancel() { stream.cancel() }

    /// All remaining batches.
    public func collect() async throws(MartletError) -> [RecordBatch] {
        var batches: [RecordBatch] = []
        while let batch = try await next() { batches.append(batch) }
        return batches
    }

    public func makeAsyncIterator() -> Iterator { Iterator(result: self) }

    /// Walks through the batches.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let result: WireResult

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MartletError) -> RecordBatch? {
            try await result.next()
        }

        public mutating func next() async throws(MartletError) -> RecordBatch? { try await result.next() }
    }

    deinit { stream.cancel() }
}

/// What has arrived of a query and who waits for more.
final class ResultStream: Sendable {
    private struct State {
        var id: UInt32 = 0
        var schema: [ColumnDescription]?
        var batches: [RecordBatch] = []
        var read = 0
        var taken = 0
        var end: Result<WireSummary, MartletError>?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let connection: ClientConnection
    private let credit: Int
    private let state = Mutex(State())

    init(connection: ClientConnection, credit: Int) {
        self.connection = connection
        self.credit = credit
    }

    var schema: [ColumnDescription] { state.withLock { $0.schema ?? [] } }

    var summary: WireSummary? {
        state.withLock { state in
            guard state.read == state.batches.count, case .success(let summary)? = state.end else { return nil }
            return summary
        }
    }

    func begin(id: UInt32) { state.withLock { $0.id = id } }

    func waitForSchema() async throws(MartletError) {
        await wait { $0.schema != nil || $0.end != nil }
        let end = state.withLock { $0.schema == nil ? $0.end : nil }
        if case .failure(let error)? = end { throw error }
        if case .success? = end { throw ClientConnection.unexpectedAnswer }
    }

    func next() async throws(MartletError) -> RecordBatch? {
        await wait { $0.read < $0.batches.count || $0.end != nil }
        let (batch, end, grant, id) = state.withLock { state in
            guard state.read < state.batches.count else { return (nil as RecordBatch?, state.end, 0, state.id) }
            let batch = state.batches[state.read]
            state.read += 1
            if state.read == state.batches.count {
                state.batches = []
                state.read = 0
            }
            // Credit goes back in halves: one small frame for several large ones.
            state.taken += 1
            let grant = state.end == nil && state.taken * 2 >= credit ? state.taken : 0
            if grant > 0 { state.taken = 0 }
            return (batch, nil, grant, state.id)
        }
        if grant > 0 { connection.send(.credit(UInt32(grant)), id: id) }
        if case .failure(let error)? = end { throw error }
        return batch
    }

    func cancel() {
        let id = state.withLock { $0.end == nil ? $0.id : 0 }
        if id != 0 { connection.send(.cancel, id: id) }
    }

    func receive(_ message: Message) {
        update { state in
            switch message {
            case .schema(let batch): state.schema = batch.schema
            case .rows(let batch): state.batches.append(batch)
            case .end(let summary): state.end = .success(summary)
            case .error(let error): state.end = .failure(error)
            default: state.end = .failure(ClientConnection.unexpectedAnswer)
            }
        }
    }

    func fail(_ error: MartletError) {
        update { if $0.end == nil { $0.end = .failure(error) } }
    }

    private func update(_ change: (inout sending State) -> Void) {
        let waiter = state.withLock { state in
            change(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits until something changed and `isReady` holds; a cancelled task cancels the query, whose end then arrives.
    private func wait(until isReady: @Sendable (borrowing State) -> Bool) async {
        await withTaskCancellationHandler {
            while !state.withLock({ isReady($0) }) {
                await withCheckedContinuation { continuation in
                    let isReadyNow = state.withLock { state in
                        if isReady(state) { return true }
                        precondition(state.waiter == nil, "a result has one consumer at a time")
                        state.waiter = continuation
                        return false
                    }
                    if isReadyNow { continuation.resume() }
                }
            }
        } onCancel: {
            cancel()
        }
    }
}
