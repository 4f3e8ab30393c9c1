import MartletModel
import MartletStorage

/// The accumulators of one aggregation, fed with batches whose rows already know their groups.
final class AggregateState {
    private let aggregates: [BoundAggregate]
    private var members: [Member] = []
    private let lease: MemoryLease
    private(set) var groupCount = 0

    /// One aggregate and what it needs to run.
    private struct Member {
        let aggregate: BoundAggregate
        let arguments: [Evaluator]
        let filter: Evaluator?
        let time: Evaluator?
        let order: [Evaluator]
        let accumulator: any AggregateAccumulator
        /// For DISTINCT: the argument values seen per group.
        var seen: DistinctRows?
        /// For ORDER BY: everything, until the end.
        var deferred: DeferredRows?
    }

    init(_ aggregates: [BoundAggregate], context: StatementContext, lease: MemoryLease) throws(MartletError) {
        self.aggregates = aggregates
        self.lease = lease
        for aggregate in aggregates {
            let accumulator = try context.located(at: aggregate.offset) {
                () throws(MartletError) -> any AggregateAccumulator in
                try aggregate.function.makeAccumulator(
                    argumentTypes: aggregate.arguments.map(\.type),
                    constants: aggregate.arguments.map { $0.constantValue ?? nil })
            }
            let evaluators = context.evaluators
            members.append(
                Member(
                    aggregate: aggregate,
                    arguments: aggregate.arguments.map { Evaluator.make($0, context: evaluators) },
                    filter: aggregate.filter.map { Evaluator.make($0, context: evaluators) },
                    time: aggregate.time.map { Evaluator.make($0, context: evaluators) },
                    order: aggregate.order.map { Evaluator.make($0.expression, context: evaluators) },
                    accumulator: accumulator,
                    seen: aggregate.isDistinct ? DistinctRows(types: aggregate.arguments.map(\.columnType)) : nil,
                    deferred: aggregate.order.isEmpty ? nil : DeferredRows()))
        }
    }

    /// Adds rows; `groups[i]` is the group of row `i`, below `groupCount`.
    func add(_ rows: Rows, groups: UnsafePointer<UInt32>, groupCount: Int) throws(MartletError) {
        if groupCount > self.groupCount {
            self.groupCount = groupCount
            for member in members { member.accumulator.grow(toGroups: groupCount) }
        }
        for index in members.indices { try add(rows, to: index, groups: groups) }
        try account()
    }

    private func add(_ rows: Rows, to index: Int, groups: UnsafePointer<UInt32>) throws(MartletError) {
        let member = members[index]
        var arguments: [Column] = []
        arguments.reserveCapacity(member.arguments.count)
        for evaluator in member.arguments { arguments.append(try evaluator.evaluate(rows)) }
        let times = try member.time?.evaluate(rows)
        var selection = try member.filter?.select(rows)
        if let seen = members[index].seen {
            selection = seen.fresh(arguments, groups: groups, selection: selection, rowCount: rows.count)
        }
        if let selection, selection.isEmpty { return }
        if let deferred = members[index].deferred {
            var keys: [Column] = []
            for evaluator in member.order { keys.append(try evaluator.evaluate(rows)) }
            deferred.add(
                arguments, times: times, keys: keys, groups: groups, selection: selection, rowCount: rows.count)
            return
        }
        try Self.feed(member.accumulator, arguments, times: times, groups: groups, selection, rowCount: rows.count)
    }

    /// Unsafe: the pointers handed on are valid for the call, which keeps nothing of them.
    private static func feed(
        _ accumulator: any AggregateAccumulator, _ arguments: [Column], times: Column?, groups: UnsafePointer<UInt32>,
        _ selection: [Int32]?, rowCount: Int
    ) throws(MartletError) {
        var failure: MartletError?
        withExtendedLifetime((arguments, times)) {
            let times = times?.values.pointer(to: Int64.self)
            do throws(MartletError) {
                if let selection {
                    try selection.withUnsafeBufferPointer { (selection) throws(MartletError) in
                        try accumulator.add(
                            arguments, times: times, groups: groups, selection: selection, rowCount: rowCount)
                    }
                } else {
                    try accumulator.add(arguments, times: times, groups: groups, selection: nil, rowCount: rowCount)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    // MARK: Summaries

    /// Whether every aggregate can take a block's statistics.
    var takesSummaries: Bool {
        members.allSatisfy { member in
            guard member.accumulator is any SummaryAccumulator, member.filter == nil, member.seen == nil,
                member.deferred == nil
            else { return false }
            return member.aggregate.isCountOfRows || (1...2).contains(member.aggregate.arguments.count)
        }
    }

    /// Adds what a block's rows would have added to `group`; `fields[i]` is the field of aggregate `i`'s argument.
    func add(
        _ rowCount: Int, time: TimeRange, group: Int, groupCount: Int, summary: (Int) -> FieldSummary?
    ) throws(MartletError) {
        if groupCount > self.groupCount {
            self.groupCount = groupCount
            for member in members { member.accumulator.grow(toGroups: groupCount) }
        }
        for (index, member) in members.enumerated() {
            guard let accumulator = member.accumulator as? any SummaryAccumulator else {
                throw MartletError(.internal, "\(member.aggregate.name) was given statistics and takes none")
            }
            try accumulator.add(
                member.aggregate.isCountOfRows ? nil : summary(index), rowCount: rowCount, time: time, group: group)
        }
    }

    // MARK: The end

    private func account() throws(MartletError) {
        var bytes = 0
        for member in members {
            bytes +=
                member.accumulator.memoryFootprint + (member.seen?.memoryFootprint ?? 0)
                + (member.deferred?.memoryFootprint ?? 0)
        }
        try lease.set(bytes)
    }

    /// The results of all groups, one column per aggregate.
    func finish(groupCount: Int) throws(MartletError) -> [Column] {
        var columns: [Column] = []
        for member in members {
            member.accumulator.grow(toGroups: groupCount)
            if let deferred = member.deferred { try flush(deferred, member) }
            let column = try member.accumulator.finish(groupCount: groupCount)
            guard column.type == member.aggregate.type, column.count == groupCount else {
                throw MartletError(
                    .internal,
                    "the aggregate \(member.aggregate.name) promised \(groupCount) of \(member.aggregate.type.name) "
                        + "and gave \(column.count) of \(column.type.name)")
            }
            columns.append(column)
        }
        return columns
    }

    private func flush(_ deferred: DeferredRows, _ member: Member) throws(MartletError) {
        let directions = member.aggregate.order.map {
            SortDirection(descending: $0.isDescending, nullsFirst: $0.nullsFirst)
        }
        guard
            let (arguments, times, groups) = try deferred.sorted(
                types: member.aggregate.arguments.map(\.columnType), directions: directions,
                keyTypes: member.aggregate.order.map(\.expression.columnType))
        else { return }
        try groups.withUnsafeBufferPointer { (groups) throws(MartletError) in
            guard let base = groups.baseAddress else { return }
            try Self.feed(member.accumulator, arguments, times: times, groups: base, nil, rowCount: groups.count)
        }
    }
}

/// Which (group, values) pairs of a DISTINCT aggregate were seen.
final class DistinctRows {
    private var table: GroupTable
    private var groupColumn: [Int64] = []

    init(types: [ColumnType]) { table = GroupTable(types: [.int64] + types) }

    var memoryFootprint: Int { table.memoryFootprint }

    /// The rows of `selection` (or all) whose pair comes for the first time.
    func fresh(
        _ arguments: [Column], groups: UnsafePointer<UInt32>, selection: [Int32]?, rowCount: Int
    ) -> [Int32] {
        let rows = selection ?? (0..<Int32(rowCount)).map { $0 }
        if rows.isEmpty { return [] }
        let groupColumn = Column(
            type: .int64, count: rows.count, values: Buffer(rows.map { Int64(groups[Int($0)]) }))
        let columns = [groupColumn] + arguments.map { ColumnKernels.filter($0, rows) }
        var numbers = [UInt32](repeating: 0, count: rows.count)
        var known = UInt32(table.count)
        numbers.withUnsafeMutableBufferPointer { numbers in
            if let base = numbers.baseAddress { table.assign(columns, rowCount: rows.count, groups: base) }
        }
        var result: [Int32] = []
        for (index, number) in numbers.enumerated() where number >= known {
            known = number + 1
            result.append(rows[index])
        }
        return result
    }
}

/// Rows kept until the end because their aggregate wants them in an order.
final class DeferredRows {
    private var parts: [(arguments: [Column], times: Column?, keys: [Column], groups: Column)] = []
    private(set) var memoryFootprint = 0

    func add(
        _ arguments: [Column], times: Column?, keys: [Column], groups: UnsafePointer<UInt32>, selection: [Int32]?,
        rowCount: Int
    ) {
        let rows = selection ?? (0..<Int32(rowCount)).map { $0 }
        let groupColumn = Column(type: .int64, count: rows.count, values: Buffer(rows.map { Int64(groups[Int($0)]) }))
        let part = (
            arguments.map { ColumnKernels.filter($0, rows) }, times.map { ColumnKernels.filter($0, rows) },
            keys.map { ColumnKernels.filter($0, rows) }, groupColumn
        )
        parts.append(part)
        for column in part.0 + part.2 + [groupColumn] { memoryFootprint += column.memoryFootprint }
    }

    /// All rows in order; `nil` when there are none.
    func sorted(
        types: [ColumnType], directions: [SortDirection], keyTypes: [ColumnType]
    ) throws(MartletError) -> (arguments: [Column], times: Column?, groups: [UInt32])? {
        if parts.isEmpty { return nil }
        var keys: [Column] = []
        for (index, type) in keyTypes.enumerated() {
            keys.append(try ColumnKernels.concat(parts.map { $0.keys[index] }, type: type))
        }
        let groups = try ColumnKernels.concat(parts.map(\.groups), type: .int64)
        let order = ColumnKernels.sortedRows(keys, directions, rowCount: groups.count)
        var arguments: [Column] = []
        for (index, type) in types.enumerated() {
            arguments.append(
                ColumnKernels.take(try ColumnKernels.concat(parts.map { $0.arguments[index] }, type: type), order))
        }
        var times: Column?
        if parts[0].times != nil {
            times = ColumnKernels.take(try ColumnKernels.concat(parts.compactMap(\.times), type: .timestamp), order)
        }
        let numbers = withExtendedLifetime(groups) {
            let values = groups.values.pointer(to: Int64.self)
            return order.map { UInt32(truncatingIfNeeded: values[Int($0)]) }
        }
        return (arguments, times, numbers)
    }
}
