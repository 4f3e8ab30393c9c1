import Foundation
import Martlet
import MartletModel
import Synchronization

/// Statements on a directory in this process: read-only, until one of them writes.
final class DirectoryTarget: StatementTarget {
    private struct State {
        var database: Database
        var writes: Bool
    }

    let name: String
    private let path: String
    private let state: Mutex<State>

    private init(path: String, database: Database, writes: Bool) {
        self.path = path
        name = path
        state = Mutex(State(database: database, writes: writes))
    }

    /// Opens the directory read-only, beside whatever process may be writing it.
    ///
    /// - Parameter making: whether a directory that does not exist is made.
    /// - Throws: `CommandFailure` of status `.cannotConnect`.
    static func open(_ path: String, making: Bool) throws -> DirectoryTarget {
        do throws(MartletError) {
            var options = Database.Options()
            options.readOnly = !making || FileManager.default.fileExists(atPath: path)
            let database = try Database.open(at: path, options: options)
            return DirectoryTarget(path: path, database: database, writes: !options.readOnly)
        } catch {
            throw CommandFailure(error, status: .cannotConnect)
        }
    }

    /// The database, opened anew as the directory's one writer where that is needed.
    func database(forWriting needsToWrite: Bool) throws(MartletError) -> Database {
        let (database, writes) = state.withLock { ($0.database, $0.writes) }
        guard needsToWrite, !writes else { return database }
        try database.close()
        do throws(MartletError) {
            let writer = try Database.open(at: path)
            state.withLock { $0 = State(database: writer, writes: true) }
            return writer
        } catch {
            guard error.code == .locked else { throw error }
            throw MartletError(
                .locked, error.message, at: error.location,
                hint: "a daemon has the directory open: leave --data out to ask the daemon")
        }
    }

    /// Whether a statement changes anything, by its first word.
    static func writes(_ sql: String) -> Bool {
        var text = Substring(sql)
        while true {
            text = text.drop { $0.isWhitespace || $0 == "(" }
            if text.hasPrefix("--") {
                text = text.drop { $0 != "\n" }
            } else if text.hasPrefix("/*"), let end = text.range(of: "*/") {
                text = text[end.upperBound...]
            } else {
                break
            }
        }
        let word = text.prefix { $0.isLetter }.uppercased()
        return ["INSERT", "DELETE", "CREATE", "DROP", "ALTER", "COMPACT", "RUN", "TRAIN", "ACKNOWLEDGE", "SUBSCRIBE"]
            .contains(word)
    }

    func run(_ sql: String, namespace: String) async throws(MartletError) -> any StatementResult {
        let database = try database(forWriting: Self.writes(sql))
        let space = try database.namespace(namespace)
        return try await Blocking.run { () throws(MartletError) in DirectoryResult(try space.query(sql)) }
    }

    func append(_ batches: [TableBatch], namespace: String) async throws(MartletError) -> AppendReport {
        let space = try database(forWriting: true).namespace(namespace)
        return try await Blocking.run { () throws(MartletError) in
            let result = try space.append(batches)
            return AppendReport(
                accepted: result.accepted, rejectedCount: result.rejected.count,
                rejections: result.rejected.map { .init(batch: $0.batch, row: $0.row, error: $0.error) })
        }
    }

    func close() async throws(MartletError) { try state.withLock { $0.database }.close() }
}

private final class DirectoryResult: StatementResult {
    private let result: QueryResult

    init(_ result: QueryResult) { self.result = result }

    var schema: [ColumnDescription] { result.schema }
    var notices: [String] { result.notices }

    func next() async throws(MartletError) -> RecordBatch? {
        let result = result
        return try await Blocking.run { () throws(MartletError) in try result.next() }
    }

    func cancel() { result.cancel() }
}

/// Runs work that blocks on a thread that is not Swift concurrency's.
enum Blocking {
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(MartletError) -> Value
    ) async throws(MartletError) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, MartletError>, Never>) in
            DispatchQueue.global().async {
                do throws(MartletError) {
                    continuation.resume(returning: .success(try work()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
