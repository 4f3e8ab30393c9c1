import MartletModel

/// Series keys -> dense ids, `0 ..< count` in the order of first appearance.
///
/// A key is a table's number and the series' `TagSet.canonicalBytes`. Finding a series allocates nothing. Not
/// thread-safe: `SeriesRegistry` adds the locking that readers beside a writer need.
package struct SeriesTable: ~Copyable, Sendable {
    private var interner: ByteInterner

    /// An empty table.
    package init(seed: UInt64 = .random(in: .min ... .max)) { interner = ByteInterner(seed: seed) }

    /// The number of series.
    package var count: Int { interner.count }

    /// Bytes of memory held: the keys, and 16 to 45 bytes a series beside them.
    package var memoryFootprint: Int { interner.memoryFootprint }

    /// Bytes that adding a series may take at once beside what is held.
    package var growth: Int { interner.growth(adding: 1) }

    /// The id of a series, or `nil` when it is not in the table. O(length of the tags).
    package func find(table: UInt32, tags: UnsafeRawBufferPointer) -> UInt32? {
        interner.find(scope: table, tags)
    }

    /// The id of a series, which is added if it is new. Amortised O(length of the tags).
    package mutating func insert(table: UInt32, tags: UnsafeRawBufferPointer) -> (id: UInt32, isNew: Bool) {
        interner.insert(scope: table, tags)
    }

    /// The canonical tag bytes of series `id`. The pointer is valid as long as the table.
    package func tags(of id: UInt32) -> UnsafeRawBufferPointer { interner.bytes(of: id) }

    /// The table of series `id`.
    package func table(of id: UInt32) -> UInt32 { interner.scope(of: id) }
}
