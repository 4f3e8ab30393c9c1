import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// All series of a namespace that were met so far: (table, canonical tag bytes) <-> dense id, the tag index over them
/// and their canonical order.
///
/// Ids live in memory only and are never reused; segments have their own numbering and map it to these ids when they
/// are opened. Thread-safe.
final class SeriesCatalog: Sendable {
    private let registry = SeriesRegistry()
    private let currentOrder = Guarded(SeriesOrder.empty)
    private let claim: SeriesClaim

    /// A catalog without series, whose memory is noted in the budget of `cache`.
    ///
    /// - Parameter limit: what the series of all namespaces may take before new ones are refused.
    init(_ cache: BlockCache, limit: MemoryBudget) { claim = SeriesClaim(cache, limit: limit) }

    /// The number of series.
    var count: Int { registry.count }

    /// Bytes of memory held.
    var memoryFootprint: Int { registry.memoryFootprint + count * SeriesClaim.bytesBesideTheTable }

    /// The id of a series, if it was met.
    func find(table: UInt32, _ tags: UnsafeRawBufferPointer) throws(MartletError) -> UInt32? {
        try registry.withState { (state) throws(MartletError) in state.find(table: table, tags: tags) }
    }

    /// The id of a series, new or known.
    func intern(table: UInt32, _ tags: UnsafeRawBufferPointer) throws(MartletError) -> UInt32 {
        try registry.withState { (state) throws(MartletError) in try insert(table: table, tags, &state).id }
    }

    private func insert(
        table: UInt32, _ tags: UnsafeRawBufferPointer, _ state: inout SeriesRegistry.State
    ) throws(MartletError) -> (id: UInt32, isNew: Bool) {
        let result = try state.insert(table: table, tags: tags)
        if result.isNew { claim.grow(to: state) }
        return result
    }

    /// The id of a series and whether it was met for the first time. A new one is refused where there are `limit`
    /// already, or where series take up the memory that they may; with a limit of `.max`, which the engine's own rows have,
    /// never.
    func intern(
        table: UInt32, _ tags: UnsafeRawBufferPointer, limit: Int
    ) throws(MartletError) -> (id: UInt32, isNew: Bool) {
        try registry.withState { (state) throws(MartletError) -> (id: UInt32, isNew: Bool) in
            let isFull = state.series.count >= limit
            if isFull || limit < .max && claim.isExhausted(for: state) {
                if let id = state.find(table: table, tags: tags) { return (id, false) }
                if !isFull { throw claim.refusal }
                throw MartletError(
                    .resourceExhausted, "the namespace has its limit of \(limit) series; this row begins another",
                    hint: "raise the series limit, or keep unbounded values such as ids out of tags")
            }
            return try insert(table: table, tags, &state)
        }
    }

    /// The canonical bytes of a series' tags.
    func tags(of id: UInt32) throws(MartletError) -> [UInt8] {
        try registry.withState { (state) throws(MartletError) in [UInt8](state.series.tags(of: id)) }
    }

    /// The table of each series.
    func tables(of ids: [UInt32]) throws(MartletError) -> [UInt32] {
        try registry.withState { (state) throws(MartletError) in ids.map { state.series.table(of: $0) } }
    }

    /// Calls `body` with the canonical bytes of each series' tags, in the order given, under one lock.
    func forEach(
        _ ids: [UInt32], _ body: (Int, UnsafeRawBufferPointer) throws(MartletError) -> Void
    ) throws(MartletError) {
        try registry.withState { (state) throws(MartletError) in
            for (index, id) in ids.enumerated() { try body(index, state.series.tags(of: id)) }
        }
    }

    /// The order of at least the first `count` series.
    func order(of count: Int) throws(MartletError) -> SeriesOrder {
        let known = currentOrder.withLock { $0 }
        if known.ids.count >= count { return known }
        let extended = try registry.withState { (state) throws(MartletError) -> SeriesOrder in
            known.extended(to: state.series.count) { left, right in
                let (leftTable, rightTable) = (state.series.table(of: left), state.series.table(of: right))
                if leftTable != rightTable { return leftTable < rightTable }
                return Self.precedes(state.series.tags(of: left), state.series.tags(of: right))
            }
        }
        return currentOrder.withLock { current in
            if extended.ids.count > current.ids.count { current = extended }
            return current
        }
    }

    /// The ranks of a few series among each other, place by place: those of the known order where it has them all, so that
    /// a layer with a new series costs what its own series cost, however many others there are.
    ///
    /// Complexity: O(k), with a new series among them O(k log k) comparisons of tags.
    func ranks(of ids: [UInt32]) throws(MartletError) -> [UInt32] {
        let known = currentOrder.withLock { $0 }
        if let greatest = ids.max(), Int(greatest) >= known.ids.count {
            let bySeries = try registry.withState { (state) throws(MartletError) -> [Int] in
                let isKnown = { (id: UInt32) in Int(id) < known.ids.count }
                return ids.indices.sorted { left, right in
                    let (left, right) = (ids[left], ids[right])
                    if isKnown(left), isKnown(right) { return known.ranks[Int(left)] < known.ranks[Int(right)] }
                    let (leftTable, rightTable) = (state.series.table(of: left), state.series.table(of: right))
                    if leftTable != rightTable { return leftTable < rightTable }
                    return Self.precedes(state.series.tags(of: left), state.series.tags(of: right))
                }
            }
            var ranks = [UInt32](repeating: 0, count: ids.count)
            for (rank, place) in bySeries.enumerated() { ranks[place] = UInt32(rank) }
            return ranks
        }
        return ids.map { known.ranks[Int($0)] }
    }

    private static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let common = min(left.count, right.count)
        if common > 0 {
            let order = memcmp(left.baseAddress!, right.baseAddress!, common)
            if order != 0 { return order < 0 }
        }
        return left.count < right.count
    }

    /// The series of a table with ids below `limit` for which a predicate holds, in canonical order.
    func select(
        table: UInt32, _ predicate: TagPredicate, limit: Int, in order: SeriesOrder
    ) throws(MartletError) -> [UInt32] {
        let found = try registry.evaluate(predicate, table: table, limit: UInt32(limit))
        var ids: [UInt32] = []
        found.forEach { ids.append($0) }
        let ranks = order.ranks
        ids.sort { ranks[Int($0)] < ranks[Int($1)] }
        return ids
    }

    /// The values of a tag for the given series.
    func tagCodes(_ key: String, of ids: [UInt32]) throws(MartletError) -> SeriesTagCodes {
        var values = ByteInterner()
        var codes = [UInt32](repeating: SeriesTagCodes.absent, count: ids.count)
        let wanted = Array(key.utf8)
        try wanted.withRawBytes { wanted throws(MartletError) in
            try forEach(ids) { (index, tags) throws(MartletError) in
                var reader = CanonicalTagReader(tags)
                while let tag = try reader.next() {
                    if tag.key.count == wanted.count && tag.key.elementsEqual(wanted) {
                        codes[index] = values.insert(scope: 0, tag.value).id
                        break
                    }
                }
            }
        }
        var bytes = MutableBuffer(capacity: 1024)
        var offsets = MutableBuffer(capacity: (values.count + 1) * 4)
        offsets.append(Int32(0))
        for id in 0..<UInt32(values.count) {
            bytes.append(values.bytes(of: id))
            offsets.append(Int32(bytes.byteCount))
        }
        let dictionary = StringDictionary(offsets: offsets.finish(), bytes: bytes.finish(), count: values.count)
        return SeriesTagCodes(dictionary: dictionary, codes: codes)
    }
}
