import MartletModel

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
        let given: Double? =
            switch constants.count > 1 ? constants[1] : nil {
            case .float64(let value)?: value
            case .int64(let value)?: Double(value)
            case .uint64(let value)?: Double(value)
            default: nil
            }
        guard let given, given >= 0, given <= 1 else {
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
final class ModeAccumulator: AggregateAccumulator {
    private var collection: ValueCollection

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
        collection.merge(other.collection, mapping: mapping)
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        var (starts, images) = collection.grouped(groupCount)
        var chosen = [UInt64?](repeating: nil, count: groupCount)
        images.withUnsafeMutableBufferPointer { images in
            for group in 0..<groupCount {
                var values = UnsafeMutableBufferPointer(rebasing: images[starts[group]..<starts[group + 1]])
                values.sort()
                var best = 0
                var run = 0
                for index in 0..<values.count {
                    run = index > 0 && values[index] == values[index - 1] ? run + 1 : 1
                    if run > best {
                        best = run
                        chosen[group] = values[index]
                    }
                }
            }
        }
        return try collection.column(of: chosen)
    }

    var memoryFootprint: Int { collection.memoryFootprint }
}
