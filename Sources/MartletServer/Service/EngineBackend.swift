import MartletModel
import MartletQuery
import MartletStorage

/// The engine of this process, as the listeners see it.
package struct EngineBackend: ServerBackend, WireBackend {
    private let directory: any NamespaceDirectory
    private let queries: QueryEngine
    package let memory: MemoryBudget
    private let storage: StorageEngine?
    package let acknowledgesDurably: Bool

    /// - Parameters:
    ///   - acknowledgesDurably: Whether an append that is acknowledged is on stable storage.
    ///   - storage: Whose figures are told beside those of the listeners.
    package init(
        directory: any NamespaceDirectory, queries: QueryEngine, memory: MemoryBudget, acknowledgesDurably: Bool,
        storage: StorageEngine? = nil
    ) {
        self.directory = directory
        self.queries = queries
        self.memory = memory
        self.acknowledgesDurably = acknowledgesDurably
        self.storage = storage
    }

    package var namespaceNames: [String] { directory.namespaceNames }

    package func namespace(_ name: String) throws(MartletError) -> any NamespaceEngine {
        try directory.namespace(name)
    }

    package func query(
        _ sql: String, namespace: String, timeout: Duration?
    ) throws(MartletError) -> any ServerQuery {
        var options = queries.options
        if let timeout {
            let nanoseconds = Int64(clamping: Int(timeout / .nanoseconds(1)))
            options.timeout = min(options.timeout ?? .max, nanoseconds)
        }
        let result = try queries.execute(sql, namespace: namespace, options: options)
        if result.isEndless {
            throw MartletError(
                .unsupported, "a subscription does not end, and an answer over HTTP has to",
                hint: "martlet watch NAME, or SUBSCRIBE over the wire port; or query the table that the rows go into")
        }
        return result
    }

    package func query(
        _ sql: String, namespace: String, limits: WireQueryLimits
    ) throws(MartletError) -> any WireQuery {
        var options = queries.options
        if let timeout = limits.timeout { options.timeout = min(options.timeout ?? .max, timeout) }
        if let memory = limits.memory { options.memoryLimit = min(options.memoryLimit, memory) }
        if let rows = limits.rows { options.maximumRows = min(options.maximumRows ?? .max, rows) }
        return try queries.execute(sql, namespace: namespace, options: options)
    }

    package func append(
        _ batches: [TableBatch], namespace: String,
        completion: @escaping @Sendable (Result<AppendOutcome, MartletError>) -> Void
    ) throws(MartletError) {
        try directory.namespace(namespace).append(batches, completion: completion)
    }

    package var figures: [Figure] {
        [
            Figure("memory_used_bytes", .gauge, "Bytes of the memory budget in use.", memory.used),
            Figure("memory_peak_bytes", .gauge, "The most bytes of the budget that were in use at once.", memory.peak),
            Figure("memory_limit_bytes", .gauge, "The memory budget.", memory.limit),
            Figure("namespaces", .gauge, "Namespaces.", directory.namespaceNames.count),
        ] + storageFigures
    }

    private var storageFigures: [Figure] {
        (storage?.statistics.figures ?? []).map { figure in
            Figure(
                figure.isCounter ? figure.name + "_total" : figure.name, figure.isCounter ? .counter : .gauge,
                figure.meaning, figure.value)
        }
    }
}

extension QueryResult: ServerQuery, WireQuery {}
