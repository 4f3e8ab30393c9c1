import MartletModel
import MartletStorage

/// `approx_quantile(x, fraction)`.
final class SketchAccumulator: SummaryAccumulator {
    private var sketches: [QuantileSketch] = []
    private let fraction: Double

    init(fraction: Double) { self.fraction = fraction }

    func grow(toGroups count: Int) { sketches.grow(to: count, QuantileSketch()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEachNumber(arguments[0]) { (group, _, value) throws(MartletError) in sketches[group].add(value) }
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        // One that lacks the sketch is told of in a notice of the scan.
        if let sketch = summary?.sketch { sketches[group].merge(sketch) }
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
