import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Quantiles with a relative error of at most 1 %: DDSketch (Masson, Rim & Lee, VLDB 2019). Merging two sketches gives
/// the sketch of all their values, whatever the order. 16 bytes a bucket; values that span a factor of 1,000 need 350.
struct QuantileSketch {
    /// The largest relative error of a quantile.
    static let relativeError = 0.01
    private static let gamma = (1 + relativeError) / (1 - relativeError)
    private static let scale = 1 / log(gamma)

    private var positive: [Int32: Int] = [:]
    private var negative: [Int32: Int] = [:]
    private var zeros = 0
    private var negativeInfinities = 0
    private var positiveInfinities = 0
    private var nans = 0
    private(set) var count = 0
    private var least = Double.infinity
    private var greatest = -Double.infinity

    mutating func add(_ value: Double) {
        count += 1
        if value.isNaN {
            nans += 1
            return
        }
        least = min(least, value)
        greatest = max(greatest, value)
        if value.isInfinite {
            if value > 0 { positiveInfinities += 1 } else { negativeInfinities += 1 }
        } else if value == 0 {
            zeros += 1
        } else {
            let bucket = Int32((log(value.magnitude) * Self.scale).rounded(.up))
            if value > 0 { positive[bucket, default: 0] += 1 } else { negative[bucket, default: 0] += 1 }
        }
    }

    mutating func merge(_ other: QuantileSketch) {
        positive.merge(other.positive, uniquingKeysWith: +)
        negative.merge(other.negative, uniquingKeysWith: +)
        zeros += other.zeros
        negativeInfinities += other.negativeInfinities
        positiveInfinities += other.positiveInfinities
        nans += other.nans
        count += other.count
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
    }

    /// The value number `floor((count - 1) x fraction)` in ascending order, NaN last; `nil` without values.
    func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        var rank = Int(Double(count - 1) * fraction)
        if rank >= count - nans { return .nan }
        if rank < negativeInfinities { return -.infinity }
        rank -= negativeInfinities
        for bucket in negative.keys.sorted(by: >) {
            if rank < negative[bucket]! { return clamped(-Self.middle(bucket)) }
            rank -= negative[bucket]!
        }
        if rank < zeros { return 0 }
        rank -= zeros
        for bucket in positive.keys.sorted() {
            if rank < positive[bucket]! { return clamped(Self.middle(bucket)) }
            rank -= positive[bucket]!
        }
        return .infinity
    }

    private func clamped(_ value: Double) -> Double { min(max(value, least), greatest) }

    private static func middle(_ bucket: Int32) -> Double {
        let value = 2 * exp(Double(bucket) / scale) / (gamma + 1)
        return value.isFinite ? value : .greatestFiniteMagnitude
    }

    var memoryFootprint: Int { 96 + (positive.capacity + negative.capacity) * 16 }
}

/// `approx_quantile(x, fraction)`.
final class SketchAccumulator: AggregateAccumulator {
    private var sketches: [QuantileSketch] = []
    private let fraction: Double

    init(fraction: Double) { self.fraction = fraction }

    func grow(toGroups count: Int) { sketches.grow(to: count, QuantileSketch()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = try floatColumn(arguments[0])
        let values = Lane<Double>(column, rowCount: rowCount)
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try withExtendedLifetime(column) { () throws(MartletError) in
            try rows.forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
                sketches[group].add(values[row])
            }
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() { sketches[Int(target)].merge(other.sketches[group]) }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        floats(groupCount) { sketches[$0].quantile(fraction) }
    }

    var memoryFootprint: Int { sketches.reduce(0) { $0 + $1.memoryFootprint } }
}
