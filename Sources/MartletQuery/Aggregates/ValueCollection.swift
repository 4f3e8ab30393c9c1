import MartletModel

/// All values of every group, for aggregates that cannot forget any: exact quantiles and modes.
///
/// A value is kept as a 64-bit image: an order-preserving one for numbers, timestamps and booleans, the number of an
/// interned string for text, whose order is worked out at the end. 12 bytes a row. Not for intervals, of which equal
/// ones have different forms.
struct ValueCollection: ~Copyable {
    let type: ColumnType
    private var groups: [UInt32] = []
    private var images: [UInt64] = []
    private var interned = ByteStringIndex()

    init(_ type: ColumnType) { self.type = type }

    var memoryFootprint: Int { groups.capacity * 4 + images.capacity * 8 + interned.memoryFootprint }

    /// Adds the valid rows.
    mutating func add(_ column: Column, _ rows: GroupedRows) throws(MartletError) {
        let validity = Validity(column, rowCount: rows.rowCount)
        let step = column.repeats(over: rows.rowCount) ? 0 : 1
        try rows.forEach(validity) { (group, row) throws(MartletError) in
            groups.append(UInt32(truncatingIfNeeded: group))
            images.append(image(column, row * step))
        }
    }

    /// The image of a valid row.
    mutating func image(_ column: Column, _ row: Int) -> UInt64 {
        switch type {
        case .float64: return FloatOrder.key(column.values.pointer(to: Double.self)[row])
        case .int64, .timestamp: return column.values.pointer(to: UInt64.self)[row] ^ (1 << 63)
        case .uint64: return column.values.pointer(to: UInt64.self)[row]
        case .bool: return Bitmap.isSet(column.values.baseAddress, row) ? 1 : 0
        case .string: return UInt64(interned.intern(column.stringBytes(row)))
        case .interval: preconditionFailure("intervals are not collected")
        }
    }

    /// The image of a value of the collection's type, text or truth value.
    mutating func image(of value: FieldValue) throws(MartletError) -> UInt64 {
        switch value {
        case .bool(let flag) where type == .bool: return flag ? 1 : 0
        case .string(let text) where type == .string:
            var text = text
            return UInt64(text.withUTF8 { interned.intern(UnsafeRawBufferPointer($0)) })
        default: throw MartletError(.internal, "\(value) was given to a collection of \(type.name)")
        }
    }

    /// Adds another collection's values.
    ///
    /// - Returns: the image here of each image there, where those of a text differ.
    @discardableResult
    mutating func merge(_ other: borrowing ValueCollection, mapping: [UInt32]) -> [UInt64]? {
        let needsTranslation = type == .string
        var translation: [UInt64] = []
        if needsTranslation {
            for entry in 0..<other.interned.count {
                translation.append(UInt64(interned.intern(other.interned.entryBytes(entry))))
            }
        }
        for index in 0..<other.groups.count {
            groups.append(mapping[Int(other.groups[index])])
            images.append(needsTranslation ? translation[Int(other.images[index])] : other.images[index])
        }
        return needsTranslation ? translation : nil
    }

    /// The rank of each image of text among the distinct texts; empty for other types, whose images are in order.
    var ranks: [UInt64] { type == .string ? rankOfEntry().map { UInt64($0) } : [] }

    /// The values group by group (unordered within one); those of group `g` at `starts[g] ..< starts[g + 1]`. Images of
    /// text are ranks among the distinct texts from here on.
    func grouped(_ groupCount: Int) -> (starts: [Int], images: [UInt64]) {
        var starts = [Int](repeating: 0, count: groupCount + 1)
        for group in groups { starts[Int(group) + 1] += 1 }
        for group in 0..<groupCount { starts[group + 1] += starts[group] }
        var next = starts
        let ranks = type == .string ? rankOfEntry() : []
        let sorted = [UInt64](unsafeUninitializedCapacity: images.count) { target, written in
            for index in 0..<images.count {
                let group = Int(groups[index])
                target[next[group]] = ranks.isEmpty ? images[index] : UInt64(ranks[Int(images[index])])
                next[group] += 1
            }
            written = images.count
        }
        return (starts, sorted)
    }

    private func order() -> [Int] {
        (0..<interned.count).sorted { TextKernels.compare(interned.entryBytes($0), interned.entryBytes($1)) < 0 }
    }

    private func rankOfEntry() -> [Int] {
        var ranks = [Int](repeating: 0, count: interned.count)
        for (rank, entry) in order().enumerated() { ranks[entry] = rank }
        return ranks
    }

    /// A column of the values whose images (out of `grouped`) are given; `nil` becomes NULL.
    func column(of chosen: [UInt64?]) throws(MartletError) -> Column {
        switch type {
        case .float64, .int64, .timestamp, .uint64:
            let type = type
            return try words(type, chosen.count) { (group) throws(MartletError) -> UInt64? in
                chosen[group].map { Self.bits(ofImage: $0, type) }
            }
        case .bool, .string, .interval:
            let entries = type == .string ? order() : []
            var builder = ColumnBuilder(type, capacity: chosen.count)
            for image in chosen {
                if let image, type == .string {
                    builder.append(utf8: interned.entryBytes(entries[Int(image)]))
                } else {
                    try builder.append(image.map { .bool($0 == 1) })
                }
            }
            return builder.finish()
        }
    }

    private static func bits(ofImage image: UInt64, _ type: ColumnType) -> UInt64 {
        switch type {
        case .float64: float(ofImage: image).bitPattern
        case .int64, .timestamp: image ^ (1 << 63)
        default: image
        }
    }

    /// The float behind a float's image.
    static func float(ofImage image: UInt64) -> Double {
        let bits = image & (1 << 63) != 0 ? image & ~(1 << 63) : ~image
        return bits == 0x7fff_ffff_ffff_ffff ? .nan : Double(bitPattern: bits)
    }
}

/// The value at `rank` (from 0) of `values` in ascending order; reorders `values`. O(n) expected: quickselect with the
/// median of three as pivot, falling back to sorting when partitions stay lopsided.
func selectRank(_ values: UnsafeMutableBufferPointer<UInt64>, _ rank: Int) -> UInt64 {
    var low = 0
    var high = values.count - 1
    var patience = 4 * (64 - values.count.leadingZeroBitCount)
    while low < high {
        if patience == 0 {
            var rest = UnsafeMutableBufferPointer(rebasing: values[low...high])
            rest.sort()
            return values[rank]
        }
        patience -= 1
        let a = values[low]
        let b = values[(low + high) >> 1]
        let c = values[high]
        let pivot = max(min(a, b), min(max(a, b), c))
        var i = low
        var j = high
        while i <= j {
            while values[i] < pivot { i += 1 }
            while values[j] > pivot { j -= 1 }
            if i <= j {
                values.swapAt(i, j)
                i += 1
                j -= 1
            }
        }
        if rank <= j { high = j } else if rank >= i { low = i } else { return values[rank] }
    }
    return values[rank]
}
