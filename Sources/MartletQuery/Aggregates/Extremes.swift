import MartletModel
import MartletStorage

/// What an accumulator of extremes gives.
enum ExtremeResult { case least, greatest, spread }

/// `min`, `max` and `spread` of floats: NaN is the greatest value.
final class FloatExtremeAccumulator: SummaryAccumulator {
    private struct State {
        var least = Double.infinity
        var greatest = -Double.infinity
        var count = 0
        var nans = 0
    }
    private var states: [State] = []
    private let result: ExtremeResult

    init(_ result: ExtremeResult) { self.result = result }

    func grow(toGroups count: Int) { states.grow(to: count, State()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = arguments[0]
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let validity = Validity(column, rowCount: rowCount)
        let values = Lane<Double>(column, rowCount: rowCount)
        if selection == nil, validity.nullCount == 0, !column.repeats(over: rowCount) {
            rows.forEachRun { group, run in
                var state = states[group]
                Self.extend(&state, values.base, run)
                states[group] = state
            }
        } else {
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                Self.extend(&states[group], values[row])
            }
        }
    }

    /// Two lanes of each extreme, so that a comparison does not wait for the one before it. A comparison with NaN is
    /// false, which leaves the extreme as it was.
    @inline(__always)
    private static func extend(_ state: inout State, _ values: UnsafePointer<Double>, _ run: Range<Int>) {
        var low = (state.least, state.least)
        var high = (state.greatest, state.greatest)
        var nans = 0
        var row = run.lowerBound
        while row + 1 < run.upperBound {
            let a = values[row]
            let b = values[row + 1]
            if a < low.0 { low.0 = a }
            if b < low.1 { low.1 = b }
            if a > high.0 { high.0 = a }
            if b > high.1 { high.1 = b }
            nans += (a != a ? 1 : 0) + (b != b ? 1 : 0)
            row += 2
        }
        state.least = low.1 < low.0 ? low.1 : low.0
        state.greatest = high.1 > high.0 ? high.1 : high.0
        state.nans += nans
        state.count += row - run.lowerBound
        if row < run.upperBound { extend(&state, values[row]) }
    }

    @inline(__always)
    private static func extend(_ state: inout State, _ value: Double) {
        if value < state.least { state.least = value }
        if value > state.greatest { state.greatest = value }
        if value != value { state.nans += 1 }
        state.count += 1
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        var state = states[group]
        state.count += summary.count
        if case .float64(let least)? = summary.min, least < state.least { state.least = least }
        if case .float64(let greatest)? = summary.max, greatest > state.greatest { state.greatest = greatest }
        // Statistics leave NaN out of the extremes, but not out of the sum.
        if case .float64(let sum)? = summary.sum, sum.isNaN {
            let infinities = summary.min == .float64(-.infinity) && summary.max == .float64(.infinity)
            if !infinities { state.nans += summary.min == nil ? summary.count : 1 }
        }
        states[group] = state
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() {
            let added = other.states[group]
            var state = states[Int(target)]
            state.least = min(state.least, added.least)
            state.greatest = max(state.greatest, added.greatest)
            state.count += added.count
            state.nans += added.nans
            states[Int(target)] = state
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        floats(groupCount) { group in
            let state = states[group]
            if state.count == 0 { return nil }
            let least = state.nans == state.count ? .nan : state.least
            let greatest = state.nans > 0 ? .nan : state.greatest
            switch result {
            case .least: return least
            case .greatest: return greatest
            case .spread: return greatest - least
            }
        }
    }

    var memoryFootprint: Int { states.capacity * MemoryLayout<State>.stride }
}

/// `min`, `max` and `spread` of BIGINT, UBIGINT and TIMESTAMP.
final class IntegerExtremeAccumulator<T: FixedWidthInteger & BitwiseCopyable>: SummaryAccumulator {
    private struct State {
        var least = T.max
        var greatest = T.min
        var isPresent = false
    }
    private var states: [State] = []
    private let result: ExtremeResult
    private let type: ColumnType

    init(_ result: ExtremeResult, type: ColumnType) {
        self.result = result
        self.type = type
    }

    func grow(toGroups count: Int) { states.grow(to: count, State()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = arguments[0]
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let validity = Validity(column, rowCount: rowCount)
        let values = Lane<T>(column, rowCount: rowCount)
        if selection == nil, validity.nullCount == 0 {
            rows.forEachRun { group, run in
                var least = T.max
                var greatest = T.min
                for row in run {
                    least = min(least, values[row])
                    greatest = max(greatest, values[row])
                }
                extend(group, least, greatest)
            }
        } else {
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                extend(group, values[row], values[row])
            }
        }
    }

    @inline(__always)
    private func extend(_ group: Int, _ least: T, _ greatest: T) {
        states[group].least = min(states[group].least, least)
        states[group].greatest = max(states[group].greatest, greatest)
        states[group].isPresent = true
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        guard let least = Self.integer(summary.min), let greatest = Self.integer(summary.max) else {
            throw MartletError(.internal, "a block's summary lacks the extremes that were asked for")
        }
        extend(group, least, greatest)
    }

    private static func integer(_ value: FieldValue?) -> T? {
        switch value {
        case .int64(let value)?: T(exactly: value)
        case .uint64(let value)?: T(exactly: value)
        case .timestamp(let value)?: T(exactly: value.nanoseconds)
        default: nil
        }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.states[group].isPresent {
            extend(Int(target), other.states[group].least, other.states[group].greatest)
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        if result == .spread, type == .timestamp {
            var builder = ColumnBuilder(.interval, capacity: groupCount)
            for state in states[0..<groupCount] {
                try builder.append(
                    state.isPresent
                        ? .interval(IntervalMath.difference(Int64(state.greatest), Int64(state.least))) : nil)
            }
            return builder.finish()
        }
        return try words(type, groupCount) { (group) throws(MartletError) -> UInt64? in
            let state = states[group]
            guard state.isPresent else { return nil }
            switch result {
            case .least: return UInt64(truncatingIfNeeded: state.least)
            case .greatest: return UInt64(truncatingIfNeeded: state.greatest)
            case .spread:
                let (spread, overflow) = state.greatest.subtractingReportingOverflow(state.least)
                if overflow { throw ColumnKernels.overflow("-", "\(state.greatest)", "\(state.least)", type) }
                return UInt64(truncatingIfNeeded: spread)
            }
        }
    }

    var memoryFootprint: Int { states.capacity * MemoryLayout<State>.stride }
}

/// `min` and `max` of text, booleans and intervals.
final class ValueExtremeAccumulator: SummaryAccumulator {
    private var store: ValueStore
    private let sign: Int

    init(_ result: ExtremeResult, type: ColumnType) {
        store = ValueStore(type)
        sign = result == .least ? 1 : -1
    }

    func grow(toGroups count: Int) { store.grow(to: count) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = arguments[0]
        let step = column.repeats(over: rowCount) ? 0 : 1
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        try rows.forEach(Validity(column, rowCount: rowCount)) { (group, row) throws(MartletError) in
            if !store.isPresent(group) || store.compare(group, column, row * step) * sign > 0 {
                store.set(group, column, row * step)
            }
        }
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        guard let value = sign > 0 ? summary.min : summary.max else {
            throw MartletError(.internal, "a block's summary lacks the extremes that were asked for")
        }
        let column = try Column(store.type, [value])
        if !store.isPresent(group) || store.compare(group, column, 0) * sign > 0 { store.set(group, column, 0) }
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() where other.store.isPresent(group) {
            if !store.isPresent(Int(target)) || store.compare(Int(target), other.store, group) * sign > 0 {
                store.set(Int(target), other.store, group)
            }
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column { try store.finish(groupCount) }

    var memoryFootprint: Int { store.memoryFootprint }
}
