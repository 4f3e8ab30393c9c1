import MartletModel

/// Binds one SELECT. The order of work is SQL's own: FROM, WHERE, GROUP BY, aggregates, HAVING, windows, QUALIFY, the
/// select list, DISTINCT, ORDER BY.
final class SelectBinder {
    private let queries: QueryBinder
    private let context: StatementContext
    private let select: SelectSyntax
    private var binder: ExpressionBinder

    /// A column of the result.
    private struct Item {
        var expression: BoundExpression
        var description: ColumnDescription
        var offset: Int
    }

    init(_ queries: QueryBinder, _ select: SelectSyntax) {
        self.queries = queries
        self.context = queries.context
        self.select = select
        binder = ExpressionBinder(queries.context, queries: queries, scope: Scope())
    }

    func bind(orderBy: [SortSyntax], byAll: Bool) throws(MartletError) -> Plan {
        var (plan, scope) = try RelationBinder(queries).bind(select.from)
        binder = ExpressionBinder(context, queries: queries, scope: scope)
        binder.namedWindows = select.windows
        for item in select.items { if let alias = item.alias { binder.aliases.append((alias, item.expression)) } }
        if let filter = select.filter {
            plan = .filter(plan, try binder.bindCondition(filter, as: .filter))
        }
        var items = try bindItems()
        var keys = try bindGroupKeys(items)
        var having: BoundExpression?
        if let syntax = select.having { having = try binder.bindCondition(syntax, as: .having) }
        var qualify: BoundExpression?
        if let syntax = select.qualify { qualify = try binder.bindCondition(syntax, as: .qualify) }
        var order = try bindOrder(orderBy, byAll: byAll, items: items)
        var distinctOn = try bindDistinctOn(items)

        // Aggregation: everything above it speaks of keys and aggregates only.
        let isGrouped = !keys.isEmpty || !binder.aggregates.isEmpty || having != nil || select.groupsByAll
        var windows = binder.windows
        if isGrouped {
            let aggregates = binder.aggregates
            let lift = { (expression: BoundExpression) throws(MartletError) -> BoundExpression in
                try self.lifted(expression, keys: keys, aggregates: aggregates)
            }
            for index in items.indices { items[index].expression = try lift(items[index].expression) }
            for index in order.indices { order[index].expression = try lift(order[index].expression) }
            for index in distinctOn.indices { distinctOn[index] = try lift(distinctOn[index]) }
            if let condition = having { having = try lift(condition) }
            if let condition = qualify { qualify = try lift(condition) }
            for index in windows.indices {
                windows[index] = try windows[index].rewritten { (part) throws(MartletError) in
                    try self.replacement(for: part, keys: keys, aggregates: aggregates)
                }
            }
            plan = .aggregate(plan, aggregatePlan(&keys, aggregates))
            if !select.fill.isEmpty { plan = .fill(plan, try fillPlan(keys, aggregates)) }
            if let having { plan = .filter(plan, having) }
        }
        if !isGrouped, let fill = select.fill.first {
            throw context.error(.semantic, "FILL needs a GROUP BY over a time bucket", at: fill.offset)
        }
        if !windows.isEmpty {
            let base = plan.columns.count
            let place = { (expression: BoundExpression) throws(MartletError) -> BoundExpression in
                try expression.rewritten { (part) throws(MartletError) in
                    if case .window(let number, let type) = part { return .column(base + number, type, offset: 0) }
                    return nil
                }
            }
            for index in items.indices { items[index].expression = try place(items[index].expression) }
            for index in order.indices { order[index].expression = try place(order[index].expression) }
            for index in distinctOn.indices { distinctOn[index] = try place(distinctOn[index]) }
            if let condition = qualify { qualify = try place(condition) }
            let added = windows.enumerated().map { ColumnDescription("window\($0.offset)", $0.element.type) }
            plan = .window(plan, windows, plan.columns + added)
        }
        if let qualify { plan = .filter(plan, qualify) }
        return try projected(plan, items, order: order, distinctOn: distinctOn)
    }

    // MARK: The select list

    private func bindItems() throws(MartletError) -> [Item] {
        var items: [Item] = []
        for item in select.items {
            if case .star(let qualifier, let excluding) = item.expression.kind {
                items += try expanded(qualifier, excluding: excluding, at: item.expression.offset)
                continue
            }
            let bound = try binder.bind(item.expression, as: .select)
            var role = ColumnRole.value
            var name = context.source.text(item.start, item.end)
            if case .column(let index, _, _) = bound {
                role = binder.scope.entries[index].role
                if case .column = item.expression.kind { name = binder.scope.entries[index].name }
            } else if case .call(let call) = item.expression.kind, call.isStar, call.window == nil {
                name = "count_star()"
            }
            name = item.alias?.text ?? name
            items.append(
                Item(
                    expression: bound, description: ColumnDescription(name, bound.columnType, role),
                    offset: item.expression.offset))
        }
        if items.isEmpty { throw context.error(.semantic, "SELECT without columns", at: select.offset) }
        return items
    }

    private func expanded(_ qualifier: Name?, excluding: [Name], at offset: Int) throws(MartletError) -> [Item] {
        let scope = binder.scope
        if scope.entries.isEmpty { throw context.error(.semantic, "* needs a FROM", at: offset) }
        if let qualifier, !scope.hasRelation(qualifier) {
            throw context.error(
                .semantic, "there is no table or alias '\(qualifier.text)' in this query", at: qualifier.offset,
                hint: Spelling.hint(for: qualifier.text, in: scope.relationNames))
        }
        for name in excluding where !scope.entries.contains(where: { Scope.same($0.name, name) }) {
            throw context.error(
                .semantic, "there is no column '\(name.text)' to exclude", at: name.offset,
                hint: Spelling.hint(for: name.text, in: scope.entries.map(\.name)))
        }
        var items: [Item] = []
        for (index, entry) in scope.entries.enumerated() {
            if let qualifier {
                guard let relation = entry.relation, Scope.same(relation, qualifier) else { continue }
            } else if entry.isMerged {
                continue
            }
            if excluding.contains(where: { Scope.same(entry.name, $0) }) { continue }
            items.append(
                Item(
                    expression: .column(index, entry.type, offset: offset),
                    description: ColumnDescription(entry.name, entry.type, entry.role), offset: offset))
        }
        return items
    }

    // MARK: Grouping

    private func bindGroupKeys(_ items: [Item]) throws(MartletError) -> [BoundExpression] {
        var keys: [BoundExpression] = []
        if select.groupsByAll {
            for item in items where !item.expression.contains(Self.isPlaceholder) && !keys.contains(item.expression) {
                if !item.expression.isConstant { keys.append(item.expression) }
            }
            return keys
        }
        for syntax in select.groupBy {
            let key: BoundExpression
            if case .literal(.int64(let number)?) = syntax.kind {
                key = try item(number, of: items, clause: "GROUP BY", at: syntax.offset).expression
            } else {
                key = try binder.bind(syntax, as: .groupBy)
            }
            if key.contains(Self.isPlaceholder) {
                throw context.error(.semantic, "GROUP BY cannot hold an aggregate or window call", at: syntax.offset)
            }
            if !keys.contains(key) { keys.append(key) }
        }
        return keys
    }

    private static func isPlaceholder(_ part: BoundExpression) -> Bool {
        switch part {
        case .aggregate, .window: true
        default: false
        }
    }

    private func item(_ number: Int64, of items: [Item], clause: String, at offset: Int) throws(MartletError) -> Item {
        guard number >= 1, number <= Int64(items.count) else {
            throw context.error(
                .semantic, "\(clause) \(number): the select list has \(items.count) columns", at: offset)
        }
        return items[Int(number) - 1]
    }

    private func lifted(
        _ expression: BoundExpression, keys: [BoundExpression], aggregates: [BoundAggregate]
    ) throws(MartletError) -> BoundExpression {
        try expression.rewritten { (part) throws(MartletError) in
            try self.replacement(for: part, keys: keys, aggregates: aggregates)
        }
    }

    private func replacement(
        for part: BoundExpression, keys: [BoundExpression], aggregates: [BoundAggregate]
    ) throws(MartletError) -> BoundExpression? {
        if let index = keys.firstIndex(of: part) { return .column(index, part.columnType, offset: 0) }
        switch part {
        case .aggregate(let number, let type): return .column(keys.count + number, type, offset: 0)
        case .column(let index, _, let offset):
            let entry = binder.scope.entries[index]
            throw context.error(
                .semantic, "column '\(entry.name)' must stand in GROUP BY or inside an aggregate", at: offset,
                hint: "group by it, or take first(\(entry.name)), max(\(entry.name)) or any_value(\(entry.name))")
        default: return nil
        }
    }

    private func aggregatePlan(_ keys: inout [BoundExpression], _ aggregates: [BoundAggregate]) -> AggregatePlan {
        var columns: [ColumnDescription] = []
        for (index, key) in keys.enumerated() {
            if case .column(let place, let type, _) = key {
                columns.append(
                    ColumnDescription(binder.scope.entries[place].name, type, binder.scope.entries[place].role))
            } else {
                columns.append(ColumnDescription("key\(index)", key.columnType))
            }
        }
        for (index, aggregate) in aggregates.enumerated() {
            columns.append(ColumnDescription("\(aggregate.name)\(index)", aggregate.type))
        }
        return AggregatePlan(keys: keys, aggregates: aggregates, columns: columns)
    }

    /// FILL: one mode for all aggregates, or one for each in their order.
    private func fillPlan(
        _ keys: [BoundExpression], _ aggregates: [BoundAggregate]
    ) throws(MartletError) -> FillPlan {
        let offset = select.fill[0].offset
        var buckets: [Int] = []
        for (index, key) in keys.enumerated() where try TimeBucket(key) != nil { buckets.append(index) }
        guard buckets.count == 1 else {
            throw context.error(
                .semantic, "FILL needs exactly one time bucket in GROUP BY, and there are \(buckets.count)", at: offset,
                hint: "group by time_bucket('1 hour', time), or by date_trunc")
        }
        guard select.fill.count == 1 || select.fill.count == aggregates.count else {
            throw context.error(
                .semantic, "FILL of \(select.fill.count) columns; the query has \(aggregates.count) aggregates",
                at: offset, hint: "give one mode for all, or one for each")
        }
        var modes = [FillMode](repeating: .key, count: keys.count)
        for (index, aggregate) in aggregates.enumerated() {
            let fill = select.fill[select.fill.count == 1 ? 0 : index]
            switch fill.mode {
            case .null: modes.append(.null)
            case .previous: modes.append(.previous)
            case .linear:
                if aggregate.type.isNumeric {
                    modes.append(.linear)
                } else if select.fill.count == 1 {
                    modes.append(.null)
                } else {
                    throw context.error(
                        .semantic, "FILL (LINEAR) takes numbers, and \(aggregate.name) gives \(aggregate.type.name)",
                        at: fill.offset)
                }
            case .value(let syntax):
                let bound = try binder.converted(
                    binder.bind(syntax, as: .values), to: aggregate.type, offset: syntax.offset)
                guard case .constant(let value, _) = bound else {
                    throw context.error(.semantic, "FILL takes a constant", at: syntax.offset)
                }
                modes.append(value.map { .value($0) } ?? .null)
            }
        }
        return FillPlan(bucket: buckets[0], bucketing: keys[buckets[0]], modes: modes)
    }

    // MARK: Order, distinct, projection

    private func bindOrder(
        _ orderBy: [SortSyntax], byAll: Bool, items: [Item]
    ) throws(MartletError) -> [SortKey] {
        if byAll {
            return items.map { SortKey(expression: $0.expression, isDescending: false, nullsFirst: false) }
        }
        var keys: [SortKey] = []
        for key in orderBy {
            let expression = try bindOutput(key.expression, items: items, clause: .orderBy)
            keys.append(
                SortKey(expression: expression, isDescending: key.isDescending, nullsFirst: key.nullsFirst ?? false))
        }
        return keys
    }

    /// An ordinal, an output column's name, or an expression.
    private func bindOutput(
        _ syntax: ExpressionSyntax, items: [Item], clause: ExpressionBinder.Clause
    ) throws(MartletError) -> BoundExpression {
        if case .literal(.int64(let number)?) = syntax.kind {
            return try item(number, of: items, clause: clause.rawValue, at: syntax.offset).expression
        }
        if case .column(let parts) = syntax.kind, parts.count == 1 {
            let matches = items.filter { Scope.same($0.description.name, parts[0]) }
            if let first = matches.first, matches.allSatisfy({ $0.expression == first.expression }) {
                return first.expression
            }
            if matches.count > 1 {
                throw context.error(
                    .semantic, "'\(parts[0].text)' is ambiguous: the result has several columns of this name",
                    at: syntax.offset)
            }
        }
        return try binder.bind(syntax, as: clause)
    }

    private func bindDistinctOn(_ items: [Item]) throws(MartletError) -> [BoundExpression] {
        guard case .on(let list) = select.distinct else { return [] }
        var bound: [BoundExpression] = []
        for syntax in list { bound.append(try bindOutput(syntax, items: items, clause: .orderBy)) }
        return bound
    }

    private func projected(
        _ plan: Plan, _ items: [Item], order: [SortKey], distinctOn: [BoundExpression]
    ) throws(MartletError) -> Plan {
        var expressions = items.map(\.expression)
        var columns = items.map(\.description)
        let inputColumns = plan.columns
        func place(_ expression: BoundExpression) -> Int {
            if let known = expressions.firstIndex(of: expression) { return known }
            expressions.append(expression)
            var name = "order\(expressions.count)"
            if case .column(let column, _, _) = expression { name = inputColumns[column].name }
            columns.append(ColumnDescription(name, expression.columnType))
            return expressions.count - 1
        }
        var keys: [SortKey] = []
        for key in order where !key.expression.isConstant {
            let index = place(key.expression)
            keys.append(
                SortKey(
                    expression: .column(index, columns[index].type, offset: 0), isDescending: key.isDescending,
                    nullsFirst: key.nullsFirst))
        }
        if case .rows = select.distinct, expressions.count > items.count {
            throw context.error(
                .semantic, "with SELECT DISTINCT, ORDER BY takes only columns of the select list", at: select.offset)
        }
        let places = distinctOn.map(place)
        var result = Plan.project(plan, expressions, columns)
        if case .rows = select.distinct { result = .distinct(result, on: nil) }
        if !keys.isEmpty { result = .sort(result, keys) }
        if case .on = select.distinct { result = .distinct(result, on: places) }
        if expressions.count > items.count {
            let visible = items.enumerated().map {
                BoundExpression.column($0.offset, $0.element.description.type, offset: 0)
            }
            result = .project(result, visible, items.map(\.description))
        }
        return result
    }
}
