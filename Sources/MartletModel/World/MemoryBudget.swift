import Synchronization

/// A hard bound on memory that several parts share: head, caches, merges and queries.
///
/// A part reserves before it allocates and releases when it is done. Lock-free; O(1).
public final class MemoryBudget: Sendable {
    /// The most bytes that may be reserved at once.
    public let limit: Int
    private let reserved = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)

    private let parent: MemoryBudget?
    private let reclaimer = Mutex<(@Sendable (Int) -> Bool)?>(nil)

    /// A budget of `limit` bytes. With a `parent`, what is reserved here is reserved there too, so that one part's
    /// share stays within the bound of the whole.
    public init(limit: Int, parent: MemoryBudget? = nil) {
        precondition(limit > 0, "a memory budget must be positive, not \(limit)")
        self.limit = limit
        self.parent = parent
    }

    /// Bytes reserved now.
    public var used: Int { reserved.load(ordering: .relaxed) }
    /// The most bytes that were ever reserved at once.
    public var peak: Int { highest.load(ordering: .relaxed) }

    /// Sets what gives memory up where a reservation does not fit: it is called with the bytes that are wanted, releases some
    /// or all of them, and says whether it released any. It must not reserve from this budget.
    package func reclaim(with body: @escaping @Sendable (Int) -> Bool) { reclaimer.withLock { $0 = body } }

    /// Reserves `bytes` if they fit, or do once other uses gave memory up; says whether they did.
    public func tryReserve(_ bytes: Int) -> Bool {
        while !tryReserveNow(bytes) {
            guard bytes <= limit, let body = reclaimer.withLock({ $0 }), body(bytes) else { return false }
        }
        return true
    }

    /// Reserves `bytes` if they fit as it is; says whether they did.
    package func tryReserveNow(_ bytes: Int) -> Bool {
        var current = reserved.load(ordering: .relaxed)
        while true {
            if current + bytes > limit { return false }
            let (done, seen) = reserved.compareExchange(
                expected: current, desired: current + bytes, ordering: .acquiringAndReleasing)
            if done { break }
            current = seen
        }
        if let parent, !parent.tryReserve(bytes) {
            reserved.subtract(bytes, ordering: .acquiringAndReleasing)
            return false
        }
        highest.max(current + bytes, ordering: .relaxed)
        return true
    }

    /// Reserves `bytes`.
    ///
    /// - Throws: `.resourceExhausted`, naming `purpose`, when they do not fit.
    public func reserve(_ bytes: Int, for purpose: @autoclosure () -> String) throws(MartletError) {
        if !tryReserve(bytes) {
            let full = used + bytes > limit ? self : parent ?? self
            throw MartletError(
                .resourceExhausted,
                "\(purpose()) needs \(bytes) bytes; \(full.used) of the budget's \(full.limit) are in use",
                hint: "raise the memory limit, or ask for less at once")
        }
    }

    /// Takes note of `bytes` that are held and cannot be given up, whether they fit or not: while they do not, everything
    /// else is refused.
    public func hold(_ bytes: Int) {
        let (_, now) = reserved.add(bytes, ordering: .acquiringAndReleasing)
        highest.max(now, ordering: .relaxed)
        parent?.hold(bytes)
    }

    /// Gives back `bytes` that were reserved or held.
    public func release(_ bytes: Int) {
        let (_, now) = reserved.subtract(bytes, ordering: .acquiringAndReleasing)
        precondition(now >= 0, "more memory released than was reserved")
        parent?.release(bytes)
    }
}
