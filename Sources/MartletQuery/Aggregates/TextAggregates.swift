import MartletModel

/// `string_agg(x, separator)`: the values that are not NULL, in the order of the rows.
final class StringAggregateAccumulator: AggregateAccumulator {
    private var texts: [[UInt8]?] = []
    private var bytes = 0
    private let separator: [UInt8]

    init(separator: String) { self.separator = Array(separator.utf8) }

    func grow(toGroups count: Int) { texts.grow(to: count, nil) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = try ColumnKernels.cast(arguments[0], to: .string)
        let step = column.repeats(over: rowCount) ? 0 : 1
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
            append(column.stringBytes(row * step), to: group)
        }
        if bytes > Int(Int32.max) { throw ColumnKernels.textTooLarge() }
    }

    private func append(_ text: UnsafeRawBufferPointer, to group: Int) {
        if texts[group] == nil {
            texts[group] = Array(text)
        } else {
            texts[group]!.append(contentsOf: separator)
            texts[group]!.append(contentsOf: text)
            bytes += separator.count
        }
        bytes += text.count
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() {
            other.texts[group]?.withUnsafeBytes { append($0, to: Int(target)) }
        }
        if bytes > Int(Int32.max) { throw ColumnKernels.textTooLarge() }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var builder = ColumnBuilder(.string, capacity: groupCount)
        for group in 0..<groupCount {
            guard let text = texts[group] else {
                builder.appendNull()
                continue
            }
            text.withUnsafeBytes { builder.append(utf8: $0) }
        }
        return builder.finish()
    }

    var memoryFootprint: Int { texts.capacity * 8 + bytes }
}

/// `histogram(x, low, high, buckets)`: counts in equal buckets as a JSON array of `buckets + 2` numbers, of which the
/// first counts values below `low` and the last those at or above `high` (NaN too). TimescaleDB's form.
final class HistogramAccumulator: AggregateAccumulator {
    private var counts: [Int] = []
    private var seen: [Bool] = []
    private let low: Double
    private let high: Double
    private let buckets: Int

    init(low: Double, high: Double, buckets: Int) {
        self.low = low
        self.high = high
        self.buckets = buckets
    }

    func grow(toGroups count: Int) {
        counts.grow(to: count * (buckets + 2), 0)
        seen.grow(to: count, false)
    }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let scale = Double(buckets) / (high - low)
        try rows.forEachNumber(arguments[0]) { (group, _, value) throws(MartletError) in
            let bucket: Int
            if value < low {
                bucket = 0
            } else if value < high {
                bucket = min(Int((value - low) * scale), buckets - 1) + 1
            } else {
                bucket = buckets + 1
            }
            counts[group * (buckets + 2) + bucket] += 1
            seen[group] = true
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.seen[group] {
            seen[Int(target)] = true
            for bucket in 0..<(buckets + 2) {
                counts[Int(target) * (buckets + 2) + bucket] += other.counts[group * (buckets + 2) + bucket]
            }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var builder = ColumnBuilder(.string, capacity: groupCount)
        for group in 0..<groupCount {
            guard seen[group] else {
                builder.appendNull()
                continue
            }
            let slice = counts[(group * (buckets + 2))..<((group + 1) * (buckets + 2))]
            try builder.append(.string("[" + slice.map(String.init).joined(separator: ",") + "]"))
        }
        return builder.finish()
    }

    var memoryFootprint: Int { counts.capacity * 8 + seen.capacity }
}
