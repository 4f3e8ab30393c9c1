import MartletModel
import MartletStorage

/// `median`, `quantile_cont`/`percentile_cont`, `quantile_disc`/`percentile_disc`, exact.
///
/// With `n` values in order, the continuous quantile `f` lies at position `(n - 1) x f`, between two values in
/// proportion; the discrete one is value number `ceil(n x f)`, the first for 0.
final class QuantileAccumulator: AggregateAccumulator {
    private var collection: ValueCollection
    private let fraction: Double
    private let isContinuous: Bool

    init(type: ColumnType, fraction: Double, isContinuous: Bool) {
        collection = ValueCollection(type)
        self.fraction = fraction
        self.isContinuous = isContinuous
    }

    /// The fraction in a call's second argument.
    static func fraction(_ constants: [FieldValue?], _ name: String) throws(MartletError) -> Double {
        guard let given = constants.count > 1 ? constants[1]?.number : nil, given >= 0, given <= 1 else {
            throw MartletError(
                .semantic, "\(name) needs a constant fraction between 0 and 1", hint: "\(name)(value, 0.95)")
        }
        return given
    }

    func grow(toGroups count: Int) {}

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        try collection.add(
            arguments[0], GroupedRows(groups: groups, selection: selection, rowCount: rowCount))
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        collection.merge(other.collection, mapping: mapping)
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var (starts, images) = collection.grouped(groupCount)
        let type = collection.type
        var chosen = [UInt64?](repeating: nil, count: groupCount)
        var interpolated = [Double?](repeating: nil, count: groupCount)
        images.withUnsafeMutableBufferPointer { images in
            for group in 0..<groupCount where starts[group] < starts[group + 1] {
                let values = UnsafeMutableBufferPointer(rebasing: images[starts[group]..<starts[group + 1]])
                if !isContinuous {
                    let rank = Int((Double(values.count) * fraction).rounded(.up)) - 1
                    chosen[group] = selectRank(values, min(max(rank, 0), values.count - 1))
                    continue
                }
                let position = Double(values.count - 1) * fraction
                let low = Int(position)
                let a = selectRank(values, low)
                // After the selection everything behind `low` is not less, so the next value is the least of it.
                let b = low + 1 < values.count ? values[(low + 1)...].min()! : a
                let weight = position - Double(low)
                if type == .timestamp {
                    let span = Double(b - a) * weight
                    chosen[group] = a + UInt64(span.rounded())
                } else {
                    interpolated[group] = Self.interpolate(number(a), number(b), weight)
                }
            }
        }
        if isContinuous, type != .timestamp { return floats(groupCount) { interpolated[$0] } }
        return try collection.column(of: chosen)
    }

    private func number(_ image: UInt64) -> Double {
        switch collection.type {
        case .float64: ValueCollection.float(ofImage: image)
        case .uint64: Double(image)
        default: Double(Int64(bitPattern: image ^ (1 << 63)))
        }
    }

    private static func interpolate(_ a: Double, _ b: Double, _ weight: Double) -> Double {
        if weight == 0 || a == b { return a }
        // Between an infinity and a number `b - a` would be infinite and the sum NaN.
        return (b - a).isFinite ? a + (b - a) * weight : a * (1 - weight) + b * weight
    }

    var memoryFootprint: Int { collection.memoryFootprint }
}

/// `mode(x)`: the most frequent value; the least of them when several are.
final class ModeAccumulator: SummaryAccumulator {
    private var collection: ValueCollection
    /// Values that statistics count instead of giving them one by one.
    private var tallies: [Tally] = []

    private struct Tally {
        var group: UInt32
        var image: UInt64
        var count: Int
    }

    init(type: ColumnType) { collection = ValueCollection(type) }

    func grow(toGroups count: Int) {}

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        try collection.add(
            arguments[0], GroupedRows(groups: groups, selection: selection, rowCount: rowCount))
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        let images = collection.merge(other.collection, mapping: mapping)
        tallies += other.tallies.map {
            Tally(group: mapping[Int($0.group)], image: images?[Int($0.image)] ?? $0.image, count: $0.count)
        }
    }

    /// A rollup's counts of values, as far as it kept them.
    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        for (value, count) in summary?.frequent?.counts ?? [:] {
            let image = try collection.image(of: value)
            tallies.append(Tally(group: UInt32(truncatingIfNeeded: group), image: image, count: count))
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var (starts, images) = collection.grouped(groupCount)
        let ranks = tallies.isEmpty ? [] : collection.ranks
        // By group, and the least value first.
        let tallies = tallies.map { tally in
            Tally(group: tally.group, image: ranks.isEmpty ? tally.image : ranks[Int(tally.image)], count: tally.count)
        }.sorted { ($0.group, $0.image) < ($1.group, $1.image) }
        var chosen = [UInt64?](repeating: nil, count: groupCount)
        var next = 0
        images.withUnsafeMutableBufferPointer { images in
            for group in 0..<groupCount {
                var values = UnsafeMutableBufferPointer(rebasing: images[starts[group]..<starts[group + 1]])
                values.sort()
                var best = 0
                var row = 0
                while true {
                    let hasTally = next < tallies.count && tallies[next].group == UInt32(group)
                    guard hasTally || row < values.count else { break }
                    let value = min(hasTally ? tallies[next].image : .max, row < values.count ? values[row] : .max)
                    var count = 0
                    while row < values.count, values[row] == value {
                        count += 1
                        row += 1
                    }
                    while next < tallies.count, tallies[next].group == UInt32(group), tallies[next].image == value {
                        count += tallies[next].count
                        next += 1
                    }
                    if count > best {
                        best = count
                        chosen[group] = value
                    }
                }
            }
        }
        return try collection.column(of: chosen)
    }

    var memoryFootprint: Int { collection.memoryFootprint + tallies.capacity * 24 }
}
