import MartletModel

/// `count_distinct(x)`: how many different values that are not NULL each group has, exactly. One hash set of (group,
/// value) for all groups; text is interned first. 12 bytes a slot.
final class DistinctAccumulator: AggregateAccumulator {
    private var counts: [Int64] = []
    private var keys: [UInt64] = [UInt64](repeating: 0, count: 64)
    /// The group + 1 of the key in the same slot; 0 marks a free slot.
    private var owners: [UInt32] = [UInt32](repeating: 0, count: 64)
    private var used = 0
    private var values: ValueCollection
    private var texts = ByteStringIndex()

    init(type: ColumnType) { values = ValueCollection(type) }

    func grow(toGroups count: Int) { counts.grow(to: count, 0) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = arguments[0]
        let step = column.repeats(over: rowCount) ? 0 : 1
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let validity = Validity(column, rowCount: rowCount)
        if column.type == .string {
            // A dictionary's entry is interned when a row first uses it, and only once.
            var codes = [UInt32](repeating: .max, count: column.dictionary?.count ?? 0)
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                var key: UInt32
                if column.isDictionaryEncoded {
                    let code = Int(column.values.pointer(to: UInt32.self)[row * step])
                    key = codes[code]
                    if key == .max {
                        key = texts.intern(column.stringBytes(row * step))
                        codes[code] = key
                    }
                } else {
                    key = texts.intern(column.stringBytes(row * step))
                }
                insert(group, UInt64(key))
            }
        } else {
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                insert(group, values.image(column, row * step))
            }
        }
    }

    @inline(__always)
    private func insert(_ group: Int, _ key: UInt64) {
        let owner = UInt32(truncatingIfNeeded: group) + 1
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: HashMixing.combine(UInt64(owner), key)) & mask
        while owners[slot] != 0 {
            if owners[slot] == owner, keys[slot] == key { return }
            slot = (slot + 1) & mask
        }
        owners[slot] = owner
        keys[slot] = key
        counts[group] += 1
        used += 1
        if used * 3 > keys.count * 2 { rehash() }
    }

    private func rehash() {
        let oldKeys = keys
        let oldOwners = owners
        keys = [UInt64](repeating: 0, count: oldKeys.count * 2)
        owners = [UInt32](repeating: 0, count: oldKeys.count * 2)
        let mask = keys.count - 1
        for index in 0..<oldKeys.count where oldOwners[index] != 0 {
            var slot = Int(truncatingIfNeeded: HashMixing.combine(UInt64(oldOwners[index]), oldKeys[index])) & mask
            while owners[slot] != 0 { slot = (slot + 1) & mask }
            owners[slot] = oldOwners[index]
            keys[slot] = oldKeys[index]
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for slot in 0..<other.keys.count where other.owners[slot] != 0 {
            let group = Int(mapping[Int(other.owners[slot]) - 1])
            if values.type == .string {
                insert(group, UInt64(texts.intern(other.texts.entryBytes(Int(other.keys[slot])))))
            } else {
                insert(group, other.keys[slot])
            }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        try words(.int64, groupCount) { (group) throws(MartletError) in UInt64(bitPattern: counts[group]) }
    }

    var memoryFootprint: Int {
        counts.capacity * 8 + keys.capacity * 12 + texts.memoryFootprint + values.memoryFootprint
    }
}
