import MartletModel

/// A distinct value of a tag and the number of series that have it.
package struct TagValueCount: Sendable, Hashable {
    /// The value.
    package var value: String
    /// Series with the value.
    package var seriesCount: Int

    package init(value: String, seriesCount: Int) {
        self.value = value
        self.seriesCount = seriesCount
    }
}

/// The inverted index of a growing set of series: (table, tag key, tag value) -> series. Not thread-safe.
///
/// A distinct (table, key, value) costs its bytes and about 50 bytes more, and each tag of each series 4 to 8 bytes,
/// whatever the number of tables and keys.
package struct TagIndex: ~Copyable, Sendable {
    /// What is known of a (table, key) pair.
    private struct Key {
        /// Series that have the key.
        var seriesCount = 0
        var valueCount = 0
        /// The most recently added value, or `none`; values are chained through `Value.previous`.
        var newestValue = TagIndex.none
        /// The table's key that was added before this one, or `none`.
        var previous: UInt32
    }

    /// What is known of a (table, key, value).
    private struct Value {
        var postings = PostingLists.Head()
        /// The key's value that was added before this one, or `none`.
        var previous: UInt32
    }

    /// What is known of a table.
    private struct Table {
        var series = PostingLists.Head()
        var newestKey = TagIndex.none
    }

    private static let none = UInt32.max

    private var tables: [Table] = []
    /// Scope: the table. Ids index `keys`.
    private var keyNames: ByteInterner
    private var keys: [Key] = []
    /// Scope: the key's id. Ids index `values`.
    private var valueNames: ByteInterner
    private var values = BlockedArray<Value>()
    private var postings = PostingLists()
    /// One more than the greatest series id.
    package private(set) var limit: UInt32 = 0

    /// An empty index.
    package init(seed: UInt64 = .random(in: .min ... .max)) {
        keyNames = ByteInterner(seed: seed)
        valueNames = ByteInterner(seed: seed &+ 1)
    }

    /// Bytes of memory held.
    package var memoryFootprint: Int {
        tables.capacity * MemoryLayout<Table>.stride + keyNames.memoryFootprint
            + keys.capacity * MemoryLayout<Key>.stride + valueNames.memoryFootprint
            + values.memoryFootprint + postings.memoryFootprint
    }

    /// The tags of a series for which `growth` counts.
    private static let usualTags = 64

    /// Bytes that adding a series may take at once beside what is held.
    package var growth: Int { valueNames.growth(adding: Self.usualTags) }

    /// Adds a series. Ids must be given in ascending order. Amortised O(length of the tags).
    ///
    /// - Throws: `.corrupt` when `tags` are not canonical tag bytes; nothing is added then.
    package mutating func add(
        series: UInt32, table: UInt32, tags: UnsafeRawBufferPointer
    ) throws(MartletError) {
        precondition(series >= limit, "series \(series) was given to the tag index out of order")
        var check = CanonicalTagReader(tags)
        while try check.next() != nil {}

        while tables.count <= Int(table) { tables.append(Table()) }
        postings.append(series, to: &tables[Int(table)].series)
        limit = series + 1
        var reader = CanonicalTagReader(tags)
        while let tag = try reader.next() {
            let (key, keyIsNew) = keyNames.insert(scope: table, tag.key)
            if keyIsNew {
                keys.append(Key(previous: tables[Int(table)].newestKey))
                tables[Int(table)].newestKey = key
            }
            let (value, valueIsNew) = valueNames.insert(scope: key, tag.value)
            if valueIsNew {
                values.append(Value(previous: keys[Int(key)].newestValue))
                keys[Int(key)].newestValue = value
                keys[Int(key)].valueCount += 1
            }
            keys[Int(key)].seriesCount += 1
            postings.append(series, to: &values[Int(value)].postings)
        }
    }

    /// The tag keys of `table`, sorted by their bytes.
    package func tagKeys(of table: UInt32) -> [String] {
        guard Int(table) < tables.count else { return [] }
        var names: [String] = []
        var key = tables[Int(table)].newestKey
        while key != Self.none {
            names.append(String(decoding: keyNames.bytes(of: key), as: UTF8.self))
            key = keys[Int(key)].previous
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The distinct values of tag `key` of `table` with the number of series of each, sorted by their bytes.
    package func tagValues(of key: String, in table: UInt32) -> [TagValueCount] {
        guard let key = find(key, in: table) else { return [] }
        var result: [TagValueCount] = []
        result.reserveCapacity(keys[Int(key)].valueCount)
        forEachValue(of: key) { value in
            result.append(
                TagValueCount(
                    value: String(decoding: valueNames.bytes(of: value), as: UTF8.self),
                    seriesCount: Int(values[Int(value)].postings.count)))
        }
        return result.sorted { $0.value.utf8.lexicographicallyPrecedes($1.value.utf8) }
    }

    /// The distinct values of tag `key` of `table` in the order of their appearance, without their counts.
    package func distinctValues(of key: String, in table: UInt32) -> [String] {
        guard let key = find(key, in: table) else { return [] }
        var result: [String] = []
        result.reserveCapacity(keys[Int(key)].valueCount)
        forEachValue(of: key) { result.append(String(decoding: valueNames.bytes(of: $0), as: UTF8.self)) }
        return result
    }

    private func find(_ key: String, in table: UInt32) -> UInt32? {
        var key = key
        return key.withUTF8 { keyNames.find(scope: table, UnsafeRawBufferPointer($0)) }
    }

    private func forEachValue(of key: UInt32, _ body: (UInt32) -> Void) {
        var value = keys[Int(key)].newestValue
        while value != Self.none {
            body(value)
            value = values[Int(value)].previous
        }
    }
}

extension TagIndex: TagLookup {
    package func allSeries(of table: UInt32) -> SeriesBitmap {
        guard Int(table) < tables.count else { return SeriesBitmap() }
        return postings.bitmap(of: CollectionOfOne(tables[Int(table)].series), limit: limit)
    }

    package func series(of table: UInt32, having key: String) -> SeriesBitmap {
        guard let key = find(key, in: table) else { return SeriesBitmap() }
        if keys[Int(key)].seriesCount == tables[Int(table)].series.count { return allSeries(of: table) }
        return series(of: key) { _ in true }
    }

    package func series(of table: UInt32, where key: String, isOneOf wanted: [String]) -> SeriesBitmap {
        guard let key = find(key, in: table) else { return SeriesBitmap() }
        var heads: [PostingLists.Head] = []
        for var text in wanted {
            let found = text.withUTF8 { valueNames.find(scope: key, UnsafeRawBufferPointer($0)) }
            if let found { heads.append(values[Int(found)].postings) }
        }
        return postings.bitmap(of: heads, limit: limit)
    }

    package func series(of table: UInt32, where key: String, satisfies test: (String?) -> Bool) -> SeriesBitmap {
        guard let key = find(key, in: table) else { return SeriesBitmap() }
        return series(of: key) { test(String(decoding: valueNames.bytes(of: $0), as: UTF8.self)) }
    }

    private func series(of key: UInt32, _ isWanted: (UInt32) -> Bool) -> SeriesBitmap {
        var heads: [PostingLists.Head] = []
        forEachValue(of: key) { if isWanted($0) { heads.append(values[Int($0)].postings) } }
        return postings.bitmap(of: heads, limit: limit)
    }
}
