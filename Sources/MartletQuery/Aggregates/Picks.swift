import MartletModel
import MartletStorage

/// `first(x)` and `last(x)`: the value that is not NULL at the least or greatest time. Among equal times `first` keeps
/// the row that came first, `last` the one that came last.
final class TimePickAccumulator: SummaryAccumulator {
    private var store: ValueStore
    private var times: [Int64] = []
    private let isLast: Bool

    init(type: ColumnType, isLast: Bool) {
        store = ValueStore(type)
        self.isLast = isLast
    }

    func grow(toGroups count: Int) {
        store.grow(to: count)
        times.grow(to: count, 0)
    }

    func add(
        _ arguments: [Column], times rowTimes: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        guard let rowTimes else { throw MartletError(.internal, "first and last were run without times") }
        let column = arguments[0]
        let step = column.repeats(over: rowCount) ? 0 : 1
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
            if isBetter(rowTimes[row], group) {
                times[group] = rowTimes[row]
                store.set(group, column, row * step)
            }
        }
    }

    @inline(__always)
    private func isBetter(_ time: Int64, _ group: Int) -> Bool {
        !store.isPresent(group) || (isLast ? time >= times[group] : time < times[group])
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        guard let value = isLast ? summary.last : summary.first else {
            throw MartletError(.internal, "a block's summary lacks the first or last value that was asked for")
        }
        let moment = isLast ? summary.lastTime ?? time.upperBound : summary.firstTime ?? time.lowerBound
        guard isBetter(moment, group) else { return }
        times[group] = moment
        store.set(group, try Column(store.type, [value]), 0)
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.store.isPresent(group) {
            if isBetter(other.times[group], Int(target)) {
                times[Int(target)] = other.times[group]
                store.set(Int(target), other.store, group)
            }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column { try store.finish(groupCount) }

    var memoryFootprint: Int { store.memoryFootprint + times.capacity * 8 }
}

/// `arg_min(x, key)`, `arg_max(x, key)` and `any_value(x)`: `x` of the row with the least or greatest key, or of any
/// row; rows where either is NULL do not take part. The first such row wins.
final class KeyPickAccumulator: AggregateAccumulator {
    private var values: ValueStore
    private var keys: ValueStore?
    private let sign: Int

    init(type: ColumnType, keyType: ColumnType?, isMaximum: Bool) {
        values = ValueStore(type)
        keys = keyType.map { ValueStore($0) }
        sign = isMaximum ? -1 : 1
    }

    func grow(toGroups count: Int) {
        values.grow(to: count)
        keys?.grow(to: count)
    }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let column = arguments[0]
        let step = column.repeats(over: rowCount) ? 0 : 1
        let keyStep = arguments.count > 1 && arguments[1].repeats(over: rowCount) ? 0 : 1
        try rows.forEach(Validity.all(arguments, rowCount: rowCount)) { (group, row) throws(MartletError) in
            if !values.isPresent(group) {
                values.set(group, column, row * step)
                keys?.set(group, arguments[1], row * keyStep)
            } else if let keys, keys.compare(group, arguments[1], row * keyStep) * sign > 0 {
                values.set(group, column, row * step)
                self.keys!.set(group, arguments[1], row * keyStep)
            }
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.values.isPresent(group) {
            let target = Int(target)
            var isBetter = !values.isPresent(target)
            if !isBetter, let keys, let theirs = other.keys {
                isBetter = keys.compare(target, theirs, group) * sign > 0
            }
            guard isBetter else { continue }
            values.set(target, other.values, group)
            if let theirs = other.keys { keys?.set(target, theirs, group) }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column { try values.finish(groupCount) }

    var memoryFootprint: Int { values.memoryFootprint + (keys?.memoryFootprint ?? 0) }
}

/// `bool_and(x)` and `bool_or(x)`.
final class BoolAccumulator: AggregateAccumulator {
    private var store = ValueStore(.bool)
    private let isAnd: Bool

    init(isAnd: Bool) { self.isAnd = isAnd }

    func grow(toGroups count: Int) { store.grow(to: count) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = arguments[0]
        let step = column.repeats(over: rowCount) ? 0 : 1
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
            // AND keeps the least value, OR the greatest.
            let order = store.isPresent(group) ? store.compare(group, column, row * step) : 0
            if !store.isPresent(group) || (isAnd ? order > 0 : order < 0) { store.set(group, column, row * step) }
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.store.isPresent(group) {
            let target = Int(target)
            let order = store.isPresent(target) ? store.compare(target, other.store, group) : 0
            if !store.isPresent(target) || (isAnd ? order > 0 : order < 0) { store.set(target, other.store, group) }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column { try store.finish(groupCount) }

    var memoryFootprint: Int { store.memoryFootprint }
}
