import MartletModel

/// Recognises questions that each series' latest row answers, which storage keeps and gives without a scan.
enum LatestRows {
    /// Whether a grouping by tags asks only for what the latest rows hold: `last(field)`, `arg_max(field, time)`,
    /// `max(time)`, over all time or from some moment on.
    ///
    /// A group of several series is fine: its latest row is the latest of theirs. That no value is NULL in those rows,
    /// which `last` would pass by, is checked when they are read.
    static func answer(_ scan: ScanPlan, _ plan: AggregatePlan) -> Bool {
        guard isOpenEnded(scan), !plan.aggregates.isEmpty else { return false }
        let time = scan.columns.firstIndex(of: .time)
        func isTime(_ expression: BoundExpression?) -> Bool {
            if case .column(let column, _, _)? = expression { column == time } else { false }
        }
        for key in plan.keys {
            guard case .column(let column, _, _) = key, case .tag = scan.columns[column] else { return false }
        }
        return plan.aggregates.allSatisfy { aggregate in
            guard aggregate.filter == nil, !aggregate.isDistinct, aggregate.order.isEmpty,
                case .column(let column, _, _)? = aggregate.arguments.first
            else { return false }
            switch aggregate.name {
            case "last": return aggregate.arguments.count == 1 && isTime(aggregate.time)
            case "arg_max", "max_by", "argmax":
                return aggregate.arguments.count == 2 && isTime(aggregate.arguments[1])
                    || aggregate.arguments.count == 1 && isTime(aggregate.time)
            case "max": return column == time
            default: return false
            }
        }
    }

    private static func isOpenEnded(_ scan: ScanPlan) -> Bool {
        scan.filter == nil && !scan.isLatest && scan.time.upperBound == .max && !scan.time.isEmpty
    }

    /// For `DISTINCT ON (tags) ... ORDER BY tags, time DESC`, the sorted plan over latest rows instead of all rows;
    /// any other plan as it is.
    static func replacingScan(under plan: Plan, on: [Int]?) -> Plan {
        guard let on, case .sort(.project(.scan(var scan), let expressions, let columns), let keys) = plan,
            isOpenEnded(scan), keys.count == on.count + 1, let last = keys.last, last.isDescending,
            scanColumn(last.expression, expressions, scan) == .time
        else { return plan }
        let leading = keys.dropLast().map(\.expression)
        for column in on {
            guard case .tag? = scanColumn(.column(column, .string, offset: 0), expressions, scan),
                leading.contains(.column(column, .string, offset: 0))
            else { return plan }
        }
        scan.isLatest = true
        return .sort(.project(.scan(scan), expressions, columns), keys)
    }

    /// The column of the scan that a projected expression is.
    private static func scanColumn(
        _ expression: BoundExpression, _ expressions: [BoundExpression], _ scan: ScanPlan
    ) -> ScanColumn? {
        guard case .column(let place, _, _) = expression, case .column(let column, _, _) = expressions[place] else {
            return nil
        }
        return scan.columns[column]
    }
}
