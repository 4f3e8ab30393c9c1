import MartletModel
import MartletStorage

/// Chooses an operator for each step of a plan.
struct PhysicalPlanner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func `operator`(for plan: Plan) throws(MartletError) -> Operator {
        switch plan {
        case .scan(let scan): return ScanOperator(scan, context: context)
        case .rows(let rows): return RowsOperator(rows, context: context)
        case .filter(let input, let condition): return FilterOperator(try self.operator(for: input), condition)
        case .project(let input, let expressions, let columns):
            return try project(input, expressions, columns)
        case .aggregate(let input, let aggregate): return try self.aggregate(input, aggregate)
        case .fill(let input, let fill):
            var range = TimeRange.all
            if case .aggregate(.scan(let scan), _) = input, !fill.bucketing.columns.isEmpty { range = scan.time }
            return FillOperator(try self.operator(for: input), fill, range: range)
        case .window(let input, let windows, let columns):
            return WindowOperator(try self.operator(for: input), windows, columns)
        case .sort(let input, let keys):
            return SortOperator(try self.operator(for: input), keys, limit: nil)
        case .limit(let input, let count, let skip): return try limit(input, count: count, skip: skip)
        case .distinct(let input, let on):
            if on == nil, case .project(let source, let expressions, let columns) = input {
                // Combinations of tags and buckets are groups, and those can come from statistics.
                let groups = AggregatePlan(keys: expressions, aggregates: [], columns: columns)
                if case .scan(let scan) = source, !expressions.isEmpty, seriesKeys(scan, groups) != nil {
                    return try aggregate(source, groups)
                }
            }
            return DistinctOperator(try self.operator(for: LatestRows.replacingScan(under: input, on: on)), on: on)
        case .join(let join):
            let left = try self.operator(for: join.left)
            let right = try self.operator(for: join.right)
            if let asOf = join.asOf { return AsOfJoinOperator(left, right, join, asOf) }
            return HashJoinOperator(left, right, join)
        case .setOperation(let operation, let isAll, let left, let right, let columns):
            return try setOperation(operation, isAll, left, right, columns)
        }
    }

    private func project(
        _ input: Plan, _ expressions: [BoundExpression], _ columns: [ColumnDescription]
    ) throws(MartletError) -> Operator {
        let below = try self.operator(for: input)
        // Names alone cost nothing.
        let isIdentity =
            expressions.count == below.columns.count
            && expressions.enumerated().allSatisfy { index, expression in
                if case .column(index, _, _) = expression { true } else { false }
            }
        if isIdentity && columns == below.columns { return below }
        return ProjectOperator(below, expressions, columns)
    }

    // MARK: Limits

    private func limit(_ input: Plan, count: Int?, skip: Int) throws(MartletError) -> Operator {
        guard let count else { return LimitOperator(try self.operator(for: input), count: nil, skip: skip) }
        let (wanted, overflow) = count.addingReportingOverflow(skip)
        if !overflow, let top = try topRows(input, wanted) {
            return skip == 0 && count == wanted ? top : LimitOperator(top, count: count, skip: skip)
        }
        return LimitOperator(try self.operator(for: input), count: count, skip: skip)
    }

    /// The first rows of a sorted plan without sorting all of it.
    private func topRows(_ plan: Plan, _ wanted: Int) throws(MartletError) -> Operator? {
        switch plan {
        case .sort(let input, let keys):
            if wanted > 1 << 20 { return nil }
            if wanted > 0, let first = keys.first, case .column(let column, _, _) = first.expression,
                let target = input.rewindTarget(
                    column, isDescending: first.isDescending, context: context.evaluators)
            {
                return RewindOperator(plan, wanted: wanted, target: target, planner: self, context: context)
            }
            return try top(plan, wanted)
        case .project(let input, let expressions, let columns):
            guard let top = try topRows(input, wanted) else { return nil }
            return ProjectOperator(top, expressions, columns)
        default: return nil
        }
    }

    /// The first rows of a sort.
    func top(_ plan: Plan, _ wanted: Int) throws(MartletError) -> Operator {
        guard case .sort(let input, let keys) = plan else { return try self.operator(for: plan) }
        return SortOperator(try self.operator(for: input), keys, limit: wanted)
    }

    // MARK: Sets

    private func setOperation(
        _ operation: SetOperation, _ isAll: Bool, _ left: Plan, _ right: Plan, _ columns: [ColumnDescription]
    ) throws(MartletError) -> Operator {
        let first = try self.operator(for: left)
        let second = try self.operator(for: right)
        switch operation {
        case .union:
            let union = UnionOperator([first, second], columns: columns)
            return isAll ? union : DistinctOperator(union, on: nil)
        case .except: return SetOperator(first, second, keepsCommon: false, isAll: isAll, columns: columns)
        case .intersect: return SetOperator(first, second, keepsCommon: true, isAll: isAll, columns: columns)
        }
    }

    // MARK: Aggregates

    private func aggregate(_ input: Plan, _ plan: AggregatePlan) throws(MartletError) -> Operator {
        if case .scan(let scan) = input, let keys = seriesKeys(scan, plan) {
            // The latest row of a series may be one that only a rollup stands for.
            let hasRollups = try !context.snapshot().rollupWidths(of: scan.table.name).isEmpty
            return SeriesAggregateOperator(
                scan, plan, keys: keys, summaryFields: summaryFields(scan, plan),
                needsMoments: needsMoments(scan, plan, keys), asked: details(scan, plan),
                triesLatest: LatestRows.answer(scan, plan) && !hasRollups, context: context)
        }
        return HashAggregateOperator(try self.operator(for: input), plan)
    }

    /// How the keys follow from series and time; `nil` when one does not.
    private func seriesKeys(_ scan: ScanPlan, _ plan: AggregatePlan) -> [SeriesKeyPlan]? {
        var keys: [SeriesKeyPlan] = []
        var hasBucket = false
        for key in plan.keys {
            if case .column(let column, _, _) = key, case .tag = scan.columns[column] {
                keys.append(.tag(column))
            } else if !hasBucket, let time = scan.columns.firstIndex(of: .time),
                let grid = BucketGrid(key, time: time, context: context.evaluators)
            {
                hasBucket = true
                keys.append(.bucket(grid))
            } else {
                return nil
            }
        }
        return keys
    }

    /// Whether `first` or `last` compare values of several series: the bounds of a block's time are enough within one
    /// series, whose blocks come in the order of time.
    private func needsMoments(_ scan: ScanPlan, _ plan: AggregatePlan, _ keys: [SeriesKeyPlan]) -> Bool {
        let keyTags = keys.compactMap { key in
            if case .tag(let column) = key, case .tag(let tag) = scan.columns[column] { tag } else { nil }
        }
        return !scan.table.tags.allSatisfy(keyTags.contains) && plan.aggregates.contains { $0.time != nil }
    }

    /// The place of each aggregate's field among the scan's fields, when blocks' statistics can answer them all.
    private func summaryFields(_ scan: ScanPlan, _ plan: AggregatePlan) -> [Int]? {
        guard scan.filter == nil, !scan.isLatest else { return nil }
        var fields: [Int] = []
        for aggregate in plan.aggregates {
            guard aggregate.filter == nil, !aggregate.isDistinct, aggregate.order.isEmpty else { return nil }
            if aggregate.isCountOfRows {
                fields.append(-1)
                continue
            }
            guard Self.isSummarised(aggregate), case .column(let column, _, _) = aggregate.arguments[0],
                case .field(let name, let type) = scan.columns[column],
                Self.takes(aggregate.name, type)
            else { return nil }
            if let time = aggregate.time {
                guard case .column(let place, _, _) = time, scan.columns[place] == .time else { return nil }
            }
            fields.append(scan.fields.firstIndex(of: name) ?? 0)
        }
        return fields
    }

    private static let summarisedOfAnyType: Set<String> = ["count", "first", "last"]
    private static let summarised: Set<String> = ["count", "sum", "avg", "mean", "min", "max", "first", "last"]
    /// Aggregates that rollups answer and the statistics of blocks do not.
    private static let detailed: [String: SummaryDetails] = [
        "approx_quantile": .quantiles, "approx_percentile": .quantiles, "increase": .growth, "rate": .growth,
        "delta": .ends, "mode": .frequencies,
    ]

    private static func isSummarised(_ aggregate: BoundAggregate) -> Bool {
        if detailed[aggregate.name] == .quantiles { return aggregate.arguments.count == 2 }
        return (summarised.contains(aggregate.name) || detailed[aggregate.name] != nil)
            && aggregate.arguments.count == 1
    }

    private static func takes(_ name: String, _ type: ColumnType) -> Bool {
        if detailed[name] == .frequencies { return type == .string || type == .bool }
        return type.isNumeric || summarisedOfAnyType.contains(name)
    }

    /// What the aggregates ask of each of the scan's fields beside statistics.
    private func details(_ scan: ScanPlan, _ plan: AggregatePlan) -> [SummaryDetails] {
        var details = [SummaryDetails](repeating: [], count: scan.fields.count)
        for aggregate in plan.aggregates {
            guard let wanted = Self.detailed[aggregate.name],
                case .column(let column, _, _)? = aggregate.arguments.first,
                case .field(let name, _) = scan.columns[column], let place = scan.fields.firstIndex(of: name)
            else { continue }
            details[place].formUnion(wanted)
        }
        return details
    }
}
