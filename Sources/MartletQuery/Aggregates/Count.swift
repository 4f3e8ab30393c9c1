import MartletModel
import MartletStorage

/// `count(*)` and `count(x)`.
final class CountAccumulator: SummaryAccumulator {
    private var counts: [Int64] = []

    func grow(toGroups count: Int) { counts.grow(to: count, 0) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let validity = arguments.first.map { Validity($0, rowCount: rowCount) } ?? .allValid
        if selection == nil, validity.nullCount == 0 {
            rows.forEachRun { group, run in counts[group] += Int64(run.count) }
        } else {
            try rows.forEach(validity) { (group, _) throws(MartletError) in counts[group] += 1 }
        }
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) {
        counts[group] += Int64(summary?.count ?? rowCount)
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() { counts[Int(target)] += other.counts[group] }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        try words(.int64, groupCount) { (group) throws(MartletError) in UInt64(bitPattern: counts[group]) }
    }

    var memoryFootprint: Int { counts.capacity * 8 }
}
