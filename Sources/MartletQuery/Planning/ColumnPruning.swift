import MartletModel

/// Leaves out the columns that nothing above reads, down to the scans.
enum ColumnPruning {
    /// The plan with at least the `needed` columns, and where each old column went (-1: away).
    static func pruned(_ plan: Plan, needed: [Bool]) -> (Plan, [Int]) {
        switch plan {
        case .scan(let scan): return prunedScan(scan, needed: needed)
        case .rows(let rows):
            let (kept, mapping) = keep(needed)
            let columns = kept.map { rows.rows.columns[$0] }
            return (
                .rows(
                    RowsPlan(
                        name: rows.name, columns: kept.map { rows.columns[$0] },
                        rows: Rows(count: rows.rows.count, columns: columns))), mapping
            )
        case .filter(let input, let condition):
            let (inner, mapping) = pruned(input, needed: adding([condition], to: needed))
            return (.filter(inner, condition.remapped(mapping)), mapping)
        case .project(let input, let expressions, let columns):
            let (kept, mapping) = keep(needed)
            let used = kept.map { expressions[$0] }
            let width = input.columns.count
            let (inner, innerMapping) = pruned(
                input, needed: adding(used, to: [Bool](repeating: false, count: width)))
            return (.project(inner, used.map { $0.remapped(innerMapping) }, kept.map { columns[$0] }), mapping)
        case .aggregate(let input, let aggregate): return prunedAggregate(input, aggregate, needed: needed)
        case .window(let input, let windows, let columns):
            return prunedWindow(input, windows, columns, needed: needed)
        case .fill(let input, let fill):
            // Every key counts, because the keys say which rows are missing.
            let wanted = needed.indices.map { needed[$0] || fill.modes[$0] == .key }
            let (inner, mapping) = pruned(input, needed: wanted)
            let (kept, _) = keep(mapping.map { $0 >= 0 })
            var result = fill
            result.bucket = mapping[fill.bucket]
            result.modes = kept.map { fill.modes[$0] }
            return (.fill(inner, result), mapping)
        case .sort(let input, let keys):
            let (inner, mapping) = pruned(input, needed: adding(keys.map(\.expression), to: needed))
            return (.sort(inner, keys.map { remapped($0, mapping) }), mapping)
        case .limit(let input, let count, let skip):
            let (inner, mapping) = pruned(input, needed: needed)
            return (.limit(inner, count: count, skip: skip), mapping)
        case .distinct(let input, let on):
            guard let on else {
                // Every column counts for DISTINCT.
                let (inner, mapping) = pruned(input, needed: [Bool](repeating: true, count: needed.count))
                return (.distinct(inner, on: nil), mapping)
            }
            var wanted = needed
            for column in on { wanted[column] = true }
            let (inner, mapping) = pruned(input, needed: wanted)
            return (.distinct(inner, on: on.map { mapping[$0] }), mapping)
        case .join(let join): return prunedJoin(join, needed: needed)
        case .setOperation(let operation, let isAll, let left, let right, let columns):
            if operation == .union && isAll {
                let (newLeft, leftMapping) = exactly(left, needed)
                let (newRight, _) = exactly(right, needed)
                let (kept, _) = keep(needed)
                return (
                    .setOperation(operation, isAll: true, newLeft, newRight, kept.map { columns[$0] }), leftMapping
                )
            }
            let all = [Bool](repeating: true, count: needed.count)
            return (
                .setOperation(
                    operation, isAll: isAll, pruned(left, needed: all).0, pruned(right, needed: all).0, columns),
                Array(0..<needed.count)
            )
        }
    }

    /// The columns to keep and where each goes.
    private static func keep(_ needed: [Bool]) -> (kept: [Int], mapping: [Int]) {
        var kept: [Int] = []
        var mapping = [Int](repeating: -1, count: needed.count)
        for (index, isNeeded) in needed.enumerated() where isNeeded {
            mapping[index] = kept.count
            kept.append(index)
        }
        return (kept, mapping)
    }

    private static func adding(_ expressions: [BoundExpression], to needed: [Bool]) -> [Bool] {
        var needed = needed
        for expression in expressions { expression.forEachColumn { needed[$0] = true } }
        return needed
    }

    private static func remapped(_ key: SortKey, _ mapping: [Int]) -> SortKey {
        var key = key
        key.expression = key.expression.remapped(mapping)
        return key
    }

    /// The plan with exactly the needed columns, through a projection where pruning keeps more.
    private static func exactly(_ plan: Plan, _ needed: [Bool]) -> (Plan, [Int]) {
        let (inner, mapping) = pruned(plan, needed: needed)
        let (kept, target) = keep(needed)
        if inner.columns.count == kept.count { return (inner, target) }
        let columns = inner.columns
        let expressions = kept.map { BoundExpression.column(mapping[$0], columns[mapping[$0]].type, offset: 0) }
        return (.project(inner, expressions, kept.map { columns[mapping[$0]] }), target)
    }

    private static func prunedScan(_ scan: ScanPlan, needed: [Bool]) -> (Plan, [Int]) {
        let wanted = scan.filter.map { adding([$0], to: needed) } ?? needed
        let (kept, mapping) = keep(wanted)
        var scan = scan
        scan.filter = scan.filter?.remapped(mapping)
        scan.columns = kept.map { scan.columns[$0] }
        return (.scan(scan), mapping)
    }

    private static func prunedAggregate(
        _ input: Plan, _ aggregate: AggregatePlan, needed: [Bool]
    ) -> (Plan, [Int]) {
        let keyCount = aggregate.keys.count
        let keptAggregates = aggregate.aggregates.indices.filter { needed[keyCount + $0] }
        var mapping = Array(0..<keyCount) + [Int](repeating: -1, count: aggregate.aggregates.count)
        for (place, index) in keptAggregates.enumerated() { mapping[keyCount + index] = keyCount + place }
        var result = aggregate
        result.aggregates = keptAggregates.map { aggregate.aggregates[$0] }
        result.columns = Array(aggregate.columns[..<keyCount]) + keptAggregates.map { aggregate.columns[keyCount + $0] }
        let used = result.keys + result.aggregates.flatMap(\.expressions)
        let width = input.columns.count
        let (inner, innerMapping) = pruned(input, needed: adding(used, to: [Bool](repeating: false, count: width)))
        result.keys = result.keys.map { $0.remapped(innerMapping) }
        result.aggregates = result.aggregates.map { remapped($0, innerMapping) }
        return (.aggregate(inner, result), mapping)
    }

    private static func prunedWindow(
        _ input: Plan, _ windows: [BoundWindow], _ columns: [ColumnDescription], needed: [Bool]
    ) -> (Plan, [Int]) {
        let width = input.columns.count
        let keptWindows = windows.indices.filter { needed[width + $0] }
        var wanted = Array(needed[..<width])
        for index in keptWindows {
            let window = windows[index]
            var used = window.arguments + window.partition + window.order.map(\.expression)
            if case .aggregate(let aggregate) = window.kind { used += aggregate.expressions }
            wanted = adding(used, to: wanted)
        }
        let (inner, innerMapping) = pruned(input, needed: wanted)
        let innerWidth = inner.columns.count
        var mapping = innerMapping + [Int](repeating: -1, count: windows.count)
        for (place, index) in keptWindows.enumerated() { mapping[width + index] = innerWidth + place }
        if keptWindows.isEmpty { return (inner, mapping) }
        let newWindows = keptWindows.map { index in
            var window = windows[index]
            window.arguments = window.arguments.map { $0.remapped(innerMapping) }
            window.partition = window.partition.map { $0.remapped(innerMapping) }
            window.order = window.order.map { remapped($0, innerMapping) }
            if case .aggregate(let aggregate) = window.kind {
                window.kind = .aggregate(remapped(aggregate, innerMapping))
            }
            return window
        }
        return (.window(inner, newWindows, inner.columns + keptWindows.map { columns[width + $0] }), mapping)
    }

    private static func remapped(_ aggregate: BoundAggregate, _ mapping: [Int]) -> BoundAggregate {
        var aggregate = aggregate
        aggregate.arguments = aggregate.arguments.map { $0.remapped(mapping) }
        aggregate.filter = aggregate.filter?.remapped(mapping)
        aggregate.time = aggregate.time?.remapped(mapping)
        aggregate.order = aggregate.order.map { remapped($0, mapping) }
        return aggregate
    }

    private static func prunedJoin(_ join: JoinPlan, needed: [Bool]) -> (Plan, [Int]) {
        let width = join.left.columns.count
        var leftNeeded = Array(needed[..<width])
        var rightNeeded = Array(needed[width...])
        join.residual?.forEachColumn { if $0 < width { leftNeeded[$0] = true } else { rightNeeded[$0 - width] = true } }
        leftNeeded = adding(join.keys.map(\.left) + (join.asOf.map { [$0.left] } ?? []), to: leftNeeded)
        rightNeeded = adding(join.keys.map(\.right) + (join.asOf.map { [$0.right] } ?? []), to: rightNeeded)
        let (left, leftMapping) = pruned(join.left, needed: leftNeeded)
        let (right, rightMapping) = pruned(join.right, needed: rightNeeded)
        let leftWidth = left.columns.count
        let mapping = leftMapping + rightMapping.map { $0 < 0 ? -1 : $0 + leftWidth }
        var result = join
        result.left = left
        result.right = right
        result.keys = join.keys.map { ($0.left.remapped(leftMapping), $0.right.remapped(rightMapping)) }
        if let asOf = join.asOf {
            result.asOf = .init(
                left: asOf.left.remapped(leftMapping), comparison: asOf.comparison,
                right: asOf.right.remapped(rightMapping))
        }
        result.residual = join.residual?.remapped(mapping)
        return (.join(result), mapping)
    }
}
