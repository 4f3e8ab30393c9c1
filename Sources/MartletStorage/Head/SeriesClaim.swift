import MartletModel

/// The memory of one namespace's series, in the books: it grows with them and goes with the namespace.
final class SeriesClaim: Sendable {
    /// Bytes of a series outside of the table and the tag index: its place and rank in the canonical order, the present
    /// one and the one that follows it, and its number in the log.
    static let bytesBesideTheTable = 20

    private let cache: BlockCache
    private let limit: MemoryBudget
    private let claimed = Guarded(0)
    /// Why a row of a new series is refused where series take what they may. One for all rows.
    let refusal: MartletError

    /// - Parameters:
    ///   - cache: what gives blocks up for series.
    ///   - limit: the memory that the series of all namespaces may take.
    init(_ cache: BlockCache, limit: MemoryBudget) {
        self.cache = cache
        self.limit = limit
        refusal = MartletError(
            .resourceExhausted,
            "series take half of the memory limit, \(limit.limit) bytes; this row begins another series",
            hint: "raise the memory limit, or keep unbounded values such as ids out of tags")
    }

    deinit {
        let bytes = claimed.withLock { $0 }
        cache.releaseInBudget(bytes)
        limit.release(bytes)
    }

    /// Notes what the series take now.
    func grow(to state: borrowing SeriesRegistry.State) {
        let bytes = state.memoryFootprint + state.series.count * Self.bytesBesideTheTable
        claimed.withLock { claimed in
            guard bytes > claimed else { return }
            cache.holdInBudget(bytes - claimed)
            limit.hold(bytes - claimed)
            claimed = bytes
        }
    }

    /// Whether another series would take more than they may, the growth of its tables counted in.
    func isExhausted(for state: borrowing SeriesRegistry.State) -> Bool { limit.used + state.growth > limit.limit }
}
