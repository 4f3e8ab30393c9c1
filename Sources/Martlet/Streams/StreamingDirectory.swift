import Dispatch
import MartletModel
import MartletQuery
import MartletStorage
import MartletStream
import Synchronization

/// The engine's namespaces with the streams that stand in them: the first use of a namespace sets its streams to work,
/// and its end ends them.
final class StreamingDirectory: NamespaceDirectory, StreamHost {
    private let engine: StorageEngine
    private let factory: BuiltInStreams
    /// Streams of all namespaces work here, one after the other: never more than one core.
    private let queue = DispatchQueue(label: "martlet.streams", qos: .utility)
    private let running = Mutex<[String: NamespaceStreams]>([:])
    /// Set before anything is asked, and until streams are stopped.
    private let queries = Mutex<QueryEngine?>(nil)
    private let isReadOnly: Bool
    private let worksInBackground: Bool

    init(_ engine: StorageEngine, factory: BuiltInStreams, isReadOnly: Bool, worksInBackground: Bool) {
        self.engine = engine
        self.factory = factory
        self.isReadOnly = isReadOnly
        self.worksInBackground = worksInBackground
    }

    /// Gives the directory the queries that its streams run.
    func attach(_ queries: QueryEngine) { self.queries.withLock { $0 = queries } }

    var namespaceNames: [String] { engine.namespaceNames }
    var statistics: StorageStatistics { engine.statistics }

    func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine {
        let namespace = try engine.namespace(name)
        if !isReadOnly { _ = try streams(name, namespace) }
        return namespace
    }

    func createNamespace(_ name: String) throws(MartletError) { try engine.createNamespace(name) }

    func dropNamespace(_ name: String) throws(MartletError) {
        running.withLock { $0.removeValue(forKey: name) }?.stop()
        try engine.dropNamespace(name)
    }

    /// Ends all streams for good; they write down where they stand.
    func stop() {
        queries.withLock { $0 = nil }
        let all = running.withLock { running in
            defer { running = [:] }
            return Array(running.values)
        }
        for streams in all { streams.stop() }
    }

    /// The streams of a namespace, which are set to work if they were not yet.
    private func streams(_ name: String, _ namespace: any NamespaceEngine) throws(MartletError) -> NamespaceStreams? {
        guard let queries = queries.withLock({ $0 }) else { return nil }
        let (streams, isNew) = running.withLock { running in
            if let present = running[name] { return (present, false) }
            let made = NamespaceStreams(
                namespace, queries: queries, factory: factory, queue: queue, worksInBackground: worksInBackground)
            running[name] = made
            return (made, true)
        }
        if isNew { try streams.start() }
        return streams
    }

    func settle(rounds: Int) {
        let all = running.withLock { Array($0.values) }
        for streams in all { streams.settle(rounds: rounds) }
    }

    func run(
        _ statement: StreamStatement, namespace name: String, check: QueryCancellation
    ) throws(MartletError) -> StreamAnswer {
        if case .detect(let detection) = statement {
            guard let queries = queries.withLock({ $0 }) else { throw MartletError(.closed, "the database is closed") }
            return try DetectionRunner(detection, engine.namespace(name), queries, factory.detectors).run(check)
        }
        if isReadOnly {
            throw MartletError(
                .readOnly, "the database was opened for reading only; its writer runs what stands in it",
                hint: "SELECT from _streams, _anomalies and _alerts shows what there is")
        }
        guard let streams = try streams(name, engine.namespace(name)) else {
            throw MartletError(.closed, "the database is closed")
        }
        return try streams.run(statement)
    }
}
