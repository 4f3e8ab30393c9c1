import MartletModel

/// The canonical order of a namespace's series: by table, then by the bytes of their tags. Layers and segments store
/// their rows in it, so that every merge is one pass over sorted sources. Immutable.
final class SeriesOrder: Sendable {
    /// Series ids in canonical order.
    let ids: [UInt32]
    /// The place of each id in `ids`.
    let ranks: [UInt32]

    static let empty = SeriesOrder(ids: [])

    init(ids: [UInt32]) {
        self.ids = ids
        var ranks = [UInt32](repeating: 0, count: ids.count)
        for (rank, id) in ids.enumerated() { ranks[Int(id)] = UInt32(rank) }
        self.ranks = ranks
    }

    /// The order of these and more series, whose ids follow: the new ones are sorted, then merged in. O(n + m log m).
    func extended(to count: Int, precedes: (UInt32, UInt32) -> Bool) -> SeriesOrder {
        guard count > ids.count else { return self }
        let added = (UInt32(ids.count)..<UInt32(count)).sorted(by: precedes)
        if ids.isEmpty { return SeriesOrder(ids: added) }
        var merged: [UInt32] = []
        merged.reserveCapacity(count)
        var old = 0
        for id in added {
            // Galloping would pay only where few are added to many; the copy below dominates then anyway.
            var low = old
            var high = ids.count
            while low < high {
                let middle = (low + high) / 2
                if precedes(ids[middle], id) { low = middle + 1 } else { high = middle }
            }
            merged.append(contentsOf: ids[old..<low])
            merged.append(id)
            old = low
        }
        merged.append(contentsOf: ids[old...])
        return SeriesOrder(ids: merged)
    }
}
