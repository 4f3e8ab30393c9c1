import MartletModel

/// Rewrites plans into cheaper ones of the same meaning.
enum Optimizer {
    /// The plan with conditions moved into the scans and unused columns left out.
    static func optimized(_ plan: Plan, context: StatementContext) -> Plan {
        let pushed = FilterPushdown(context).push(plan)
        let width = pushed.columns.count
        let (pruned, mapping) = ColumnPruning.pruned(pushed, needed: [Bool](repeating: true, count: width))
        precondition(mapping == Array(0..<width), "pruning keeps the columns of a result")
        return pruned
    }
}

/// Moves conditions towards the scans.
struct FilterPushdown {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    /// `plan` with every condition as deep as it goes.
    func push(_ plan: Plan) -> Plan { push([], into: plan) }

    /// `plan` under `conditions`, over its columns.
    private func push(_ conditions: [BoundExpression], into plan: Plan) -> Plan {
        switch plan {
        case .filter(let input, let condition):
            return push(conditions + condition.conjuncts, into: input)
        case .scan(let scan): return ScanConditions(scan, context: context).absorbing(conditions)
        case .rows: return filtered(plan, conditions)
        case .project(let input, let expressions, let columns):
            let inner = conditions.map { condition in
                condition.replacingColumns { index, _, _ in expressions[index] }
            }
            return .project(push(inner, into: input), expressions, columns)
        case .aggregate(let input, let aggregate):
            let (below, above) = partition(conditions) { condition in
                !aggregate.keys.isEmpty && condition.columns.allSatisfy { $0 < aggregate.keys.count }
                    && !condition.columns.isEmpty
            }
            let inner = below.map { condition in
                condition.replacingColumns { index, _, _ in aggregate.keys[index] }
            }
            return filtered(.aggregate(push(inner, into: input), aggregate), above)
        case .window(let input, let windows, let columns):
            // A condition on columns by which every window partitions takes whole partitions away.
            let width = input.columns.count
            let (below, above) = partition(conditions) { condition in
                !condition.columns.isEmpty
                    && condition.columns.allSatisfy { column in
                        column < width
                            && windows.allSatisfy { window in
                                window.partition.contains {
                                    if case .column(column, _, _) = $0 { true } else { false }
                                }
                            }
                    }
            }
            return filtered(.window(push(below, into: input), windows, columns), above)
        case .fill(let input, let fill): return filtered(.fill(push(input), fill), conditions)
        case .sort(let input, let keys): return .sort(push(conditions, into: input), keys)
        case .limit(let input, let count, let skip):
            return filtered(.limit(push(input), count: count, skip: skip), conditions)
        case .distinct(let input, let on):
            if on == nil { return .distinct(push(conditions, into: input), on: nil) }
            return filtered(.distinct(push(input), on: on), conditions)
        case .join(let join): return pushJoin(conditions, join)
        case .setOperation(let operation, let isAll, let left, let right, let columns):
            return .setOperation(
                operation, isAll: isAll, push(conditions, into: left), push(conditions, into: right), columns)
        }
    }

    private func pushJoin(_ conditions: [BoundExpression], _ join: JoinPlan) -> Plan {
        var join = join
        let width = join.left.columns.count
        var leftConditions: [BoundExpression] = []
        var rightConditions: [BoundExpression] = []
        var rest: [BoundExpression] = []
        var all = conditions
        // In an inner join, a condition of ON is as good as one of WHERE.
        if join.kind == .inner || join.kind == .cross, let residual = join.residual {
            all += residual.conjuncts
            join.residual = nil
        }
        for condition in all {
            let columns = condition.columns
            if columns.isEmpty {
                rest.append(condition)
            } else if columns[columns.count - 1] < width && join.kind != .full {
                leftConditions.append(condition)
            } else if columns[0] >= width && (join.kind == .inner || join.kind == .cross) && join.asOf == nil {
                rightConditions.append(shifted(condition, by: width))
            } else if join.kind == .inner || join.kind == .cross, join.asOf == nil,
                case .call(let function, let operands, _, _) = condition, function.name == "=", operands.count == 2,
                let sides = JoinSides(operands[0], operands[1], width: width), sides.left.type == sides.right.type
            {
                join.keys.append((sides.left, sides.right))
                join.kind = .inner
            } else {
                rest.append(condition)
            }
        }
        if join.kind == .left, join.asOf == nil, let residual = join.residual {
            // What ON says about the right side alone can be asked of it beforehand.
            let (below, above) = partition(residual.conjuncts) { condition in
                let columns = condition.columns
                return !columns.isEmpty && columns[0] >= width
            }
            rightConditions += below.map { shifted($0, by: width) }
            join.residual = BoundExpression.conjunction(above)
        }
        join.left = push(leftConditions, into: join.left)
        join.right = push(rightConditions, into: join.right)
        return filtered(.join(join), rest)
    }

    private func shifted(_ condition: BoundExpression, by width: Int) -> BoundExpression {
        condition.replacingColumns { index, type, offset in .column(index - width, type, offset: offset) }
    }

    private func filtered(_ plan: Plan, _ conditions: [BoundExpression]) -> Plan {
        guard let condition = BoundExpression.conjunction(conditions), condition != .trueConstant else { return plan }
        return .filter(plan, condition)
    }

    private func partition(
        _ conditions: [BoundExpression], _ test: (BoundExpression) -> Bool
    ) -> ([BoundExpression], [BoundExpression]) {
        (conditions.filter(test), conditions.filter { !test($0) })
    }
}
