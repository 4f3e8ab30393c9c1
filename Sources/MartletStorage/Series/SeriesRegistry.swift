import MartletModel

/// The series of a hot segment or a namespace: the table that finds ids and the index that finds series by tags, for
/// one writer and any number of readers.
///
/// Everything held only grows, so a reader that knows how many series its snapshot has (`limit`) asks for ids below
/// that and needs no copy. Locks are held for memory work only, never while a caller's closure runs.
package final class SeriesRegistry: Sendable {
    /// What the lock guards.
    package struct State: ~Copyable, Sendable {
        /// Keys to ids.
        package fileprivate(set) var series: SeriesTable
        /// Tags to ids.
        package fileprivate(set) var index: TagIndex

        /// Bytes of memory held.
        package var memoryFootprint: Int { series.memoryFootprint + index.memoryFootprint }

        /// Bytes that adding a series may take at once beside what is held.
        package var growth: Int { series.growth + index.growth }

        /// The id of a series, or `nil`.
        package func find(table: UInt32, tags: UnsafeRawBufferPointer) -> UInt32? {
            series.find(table: table, tags: tags)
        }

        /// The id of a series, which is added to the table and to the index if it is new.
        ///
        /// - Throws: `.corrupt` when `tags` are not canonical tag bytes; nothing is added then.
        package mutating func insert(
            table: UInt32, tags: UnsafeRawBufferPointer
        ) throws(MartletError) -> (id: UInt32, isNew: Bool) {
            if let id = series.find(table: table, tags: tags) { return (id, false) }
            try index.add(series: UInt32(series.count), table: table, tags: tags)
            return series.insert(table: table, tags: tags)
        }
    }

    private let state: Guarded<State>

    /// An empty registry.
    package init() { state = Guarded(State(series: SeriesTable(), index: TagIndex())) }

    /// Runs `body` with the lock held: one acquisition for a whole batch of look-ups and additions.
    package func withState<Result>(
        _ body: (inout State) throws(MartletError) -> sending Result
    ) throws(MartletError) -> sending Result {
        try state.withLock { (state: inout State) throws(MartletError) in try body(&state) }
    }

    /// The number of series.
    package var count: Int { state.withLock { $0.series.count } }

    /// Bytes of memory held.
    package var memoryFootprint: Int { state.withLock { $0.memoryFootprint } }

    /// The series of `table` with ids below `limit` for which `predicate` holds. Closures in the predicate run once
    /// per distinct value, without the lock.
    package func evaluate(
        _ predicate: TagPredicate, table: UInt32, limit: UInt32
    ) throws(MartletError) -> SeriesBitmap {
        let resolved = resolve(predicate, table: table)
        let found = try withState { (state: inout State) throws(MartletError) in
            try state.index.evaluate(resolved, table: table)
        }
        return found.intersection(SeriesBitmap(0..<limit))
    }

    /// The predicate with every closure replaced by the values that it accepts.
    private func resolve(_ predicate: TagPredicate, table: UInt32) -> TagPredicate {
        switch predicate {
        case .all, .none, .equals, .isOneOf, .present: return predicate
        case .not(let part): return .not(resolve(part, table: table))
        case .and(let parts): return .and(parts.map { resolve($0, table: table) })
        case .or(let parts): return .or(parts.map { resolve($0, table: table) })
        case .satisfies(let key, let test):
            let values = state.withLock { $0.index.distinctValues(of: key, in: table) }
            let accepted = TagPredicate.isOneOf(key, values.filter { test($0) })
            return test(nil) ? .or([accepted, .not(.present(key))]) : accepted
        }
    }
}
