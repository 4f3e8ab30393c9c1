import MartletModel
import MartletStorage

/// Whether an accumulator of sums gives the sum or the mean.
enum SumResult { case sum, mean }

/// `sum(x)` and `avg(x)` of floats: plain summation, several partial sums a run.
final class FloatSumAccumulator: SummaryAccumulator {
    private struct State {
        var sum = 0.0
        var count = 0
    }
    private var states: [State] = []
    private let result: SumResult

    init(_ result: SumResult) { self.result = result }

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
                states[group].sum += Self.sum(values.base + run.lowerBound, run.count)
                states[group].count += run.count
            }
        } else {
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                states[group].sum += values[row]
                states[group].count += 1
            }
        }
    }

    /// The sum of neighbouring values, in eight lanes.
    @inline(__always)
    private static func sum(_ values: UnsafePointer<Double>, _ count: Int) -> Double {
        var lanes = SIMD8<Double>(repeating: 0)
        var index = 0
        while index + 8 <= count {
            lanes += UnsafeRawPointer(values + index).loadUnaligned(as: SIMD8<Double>.self)
            index += 8
        }
        var total = count >= 8 ? lanes.sum() : 0
        while index < count {
            total += values[index]
            index += 1
        }
        return total
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        guard case .float64(let sum)? = summary.sum else {
            throw MartletError(.internal, "a block's summary lacks the sum that was asked for")
        }
        states[group].sum += sum
        states[group].count += summary.count
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() {
            states[Int(target)].sum += other.states[group].sum
            states[Int(target)].count += other.states[group].count
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        floats(groupCount) { group in
            let state = states[group]
            if state.count == 0 { return nil }
            return result == .sum ? state.sum : state.sum / Double(state.count)
        }
    }

    var memoryFootprint: Int { states.capacity * 16 }
}

/// `sum(x)` and `avg(x)` of integers and booleans: exact in 128 bits. The sum has the argument's type (BIGINT for
/// booleans) and is an error when it does not fit; the mean is rounded once.
final class IntegerSumAccumulator: SummaryAccumulator {
    private struct State {
        var sum: Int128 = 0
        var count = 0
    }
    private var states: [State] = []
    private let result: SumResult
    private let type: ColumnType

    init(_ result: SumResult, type: ColumnType) {
        self.result = result
        self.type = type
    }

    /// The generic conversion from 128 bits costs a microsecond, and few sums need it.
    private static func double(_ sum: Int128) -> Double {
        let narrow = Int64(truncatingIfNeeded: sum)
        return Int128(narrow) == sum ? Double(narrow) : Double(sum)
    }

    func grow(toGroups count: Int) { states.grow(to: count, State()) }

    func add(
        _ arguments: [Column], times: UnsafePointer<Int64>?, groups: UnsafePointer<UInt32>,
        selection: UnsafeBufferPointer<Int32>?, rowCount: Int
    ) throws(MartletError) {
        let column = type == .bool ? try ColumnKernels.cast(arguments[0], to: .int64) : arguments[0]
        let rows = GroupedRows(groups: groups, selection: selection, rowCount: rowCount)
        let validity = Validity(column, rowCount: rowCount)
        if selection == nil, validity.nullCount == 0, !column.repeats(over: rowCount) {
            let isSigned = column.type == .int64
            let base = column.values.pointer(to: UInt64.self)
            rows.forEachRun { group, run in
                // Both halves of up to 2^31 values add up without a carry.
                var low: UInt64 = 0
                var high: Int64 = 0
                if isSigned {
                    for row in run {
                        low &+= base[row] & 0xffff_ffff
                        high &+= Int64(bitPattern: base[row]) &>> 32
                    }
                } else {
                    for row in run {
                        low &+= base[row] & 0xffff_ffff
                        high &+= Int64(bitPattern: base[row] &>> 32)
                    }
                }
                states[group].sum += (Int128(high) << 32) + Int128(low)
                states[group].count += run.count
            }
        } else {
            let values = WideLane(column, rowCount: rowCount)
            try rows.forEach(validity) { (group, row) throws(MartletError) in
                states[group].sum += values[row]
                states[group].count += 1
            }
        }
    }

    func add(_ summary: FieldSummary?, rowCount: Int, time: TimeRange, group: Int) throws(MartletError) {
        guard let summary, summary.count > 0 else { return }
        switch (summary.sum, summary.wideSum) {
        case (_, let sum?): states[group].sum += sum
        case (.int64(let sum)?, _): states[group].sum += Int128(sum)
        case (.uint64(let sum)?, _): states[group].sum += Int128(sum)
        default: throw MartletError(.internal, "a block's summary lacks the sum that was asked for")
        }
        states[group].count += summary.count
    }

    func merge(_ other: any AggregateAccumulator, mapping: [UInt32]) throws(MartletError) {
        let other = try sameKind(other, as: Self.self)
        for (group, target) in mapping.enumerated() {
            states[Int(target)].sum += other.states[group].sum
            states[Int(target)].count += other.states[group].count
        }
    }

    func finish(groupCount: Int) throws(MartletError) -> Column {
        if result == .mean {
            return floats(groupCount) { group in
                let state = states[group]
                return state.count == 0 ? nil : Self.double(state.sum) / Double(state.count)
            }
        }
        let resultType: ColumnType = type == .uint64 ? .uint64 : .int64
        return try words(resultType, groupCount) { (group) throws(MartletError) -> UInt64? in
            let state = states[group]
            if state.count == 0 { return nil }
            let bits =
                type == .uint64 ? UInt64(exactly: state.sum) : Int64(exactly: state.sum).map { UInt64(bitPattern: $0) }
            guard let bits else {
                throw MartletError(
                    .outOfRange, "the sum \(state.sum) is outside the range of \(resultType.name)",
                    hint: "sum(CAST(x AS DOUBLE)) gives an approximate result")
            }
            return bits
        }
    }

    var memoryFootprint: Int { states.capacity * 32 }
}
