import MartletModel
import MartletStorage

/// Binds FROM: tables, subqueries, WITH entries, table functions and joins.
struct RelationBinder {
    private let queries: QueryBinder
    private var context: StatementContext { queries.context }

    init(_ queries: QueryBinder) { self.queries = queries }

    func bind(_ relation: RelationSyntax?) throws(MartletError) -> (Plan, Scope) {
        guard let relation else {
            return (.rows(RowsPlan(name: "one row", columns: [], rows: .unit)), Scope())
        }
        return try bind(relation)
    }

    private func bind(_ relation: RelationSyntax) throws(MartletError) -> (Plan, Scope) {
        queries.relationCount += 1
        switch relation {
        case .table(let parts, let alias): return try bindTable(parts, alias)
        case .function(let name, let arguments, let alias): return try bindFunction(name, arguments, alias)
        case .query(let query, let alias):
            let plan = try queries.bind(query)
            return try named(plan, alias?.name.text, columns: alias?.columns ?? [], at: query.offset)
        case .join(let join): return try bindJoin(join)
        }
    }

    /// The scope of a relation that is not a table.
    private func named(
        _ plan: Plan, _ name: String?, columns: [Name], at offset: Int
    ) throws(MartletError) -> (Plan, Scope) {
        let given = plan.columns
        if columns.count > given.count {
            throw context.error(
                .semantic, "\(columns.count) names for \(given.count) columns", at: columns[given.count].offset)
        }
        var scope = Scope()
        for (index, column) in given.enumerated() {
            let called = index < columns.count ? columns[index].text : column.name
            scope.entries.append(.init(name: called, type: column.type, role: column.role, relation: name))
        }
        return (plan, scope)
    }

    private func bindTable(_ parts: [Name], _ alias: AliasSyntax?) throws(MartletError) -> (Plan, Scope) {
        let name = parts[parts.count - 1]
        if queries.relationCount > QueryBinder.maximumRelations {
            throw context.error(
                .outOfRange, "the query reads more than \(QueryBinder.maximumRelations) relations", at: name.offset)
        }
        if parts.count == 1,
            let index = queries.commonTables.lastIndex(where: { Scope.same($0.table.name.text, name) })
        {
            let (table, visible) = queries.commonTables[index]
            // The entry's own query sees only the entries before it.
            let all = queries.commonTables
            queries.commonTables = Array(all[..<visible])
            defer { queries.commonTables = all }
            let plan = try queries.bind(table.query)
            let (_, scope) = try named(plan, table.name.text, columns: table.columns, at: table.name.offset)
            guard let alias else { return (plan, scope) }
            var renamed = scope
            for entry in renamed.entries.indices {
                renamed.entries[entry].relation = alias.name.text
                if entry < alias.columns.count { renamed.entries[entry].name = alias.columns[entry].text }
            }
            return (plan, renamed)
        }
        if parts.count == 2, parts[0].text.lowercased() == "information_schema" {
            let plan = try InformationSchema.table(name, context: context)
            return try named(plan, alias?.name.text ?? name.text, columns: alias?.columns ?? [], at: name.offset)
        }
        let schema = try context.schema(of: parts)
        return try scan(schema, isLatest: false, alias, name: schema.name, at: name.offset)
    }

    private func scan(
        _ schema: TableSchema, isLatest: Bool, _ alias: AliasSyntax?, name: String, at offset: Int
    ) throws(MartletError) -> (Plan, Scope) {
        var columns: [ScanColumn] = [.time]
        columns += schema.tags.map { .tag($0) }
        columns += schema.fields.map { .field($0.name, $0.type) }
        var scan = ScanPlan(table: schema, alias: alias?.name.text ?? name, columns: columns)
        scan.isLatest = isLatest
        return try named(.scan(scan), scan.alias, columns: alias?.columns ?? [], at: offset)
    }

    private func bindFunction(
        _ name: Name, _ arguments: [ExpressionSyntax], _ alias: AliasSyntax?
    ) throws(MartletError) -> (Plan, Scope) {
        switch name.text.lowercased() {
        case "latest":
            guard arguments.count == 1 else {
                throw context.error(.semantic, "the form is latest(table)", at: name.offset)
            }
            let parts: [Name]
            switch arguments[0].kind {
            case .column(let names): parts = names
            case .literal(.string(let text)?): parts = [Name(text: text, isQuoted: true, offset: arguments[0].offset)]
            default: throw context.error(.semantic, "the form is latest(table)", at: arguments[0].offset)
            }
            let schema = try context.schema(of: parts)
            return try scan(schema, isLatest: true, alias, name: schema.name, at: name.offset)
        case "generate_series", "range":
            let plan = try SeriesGenerator.rows(name, arguments, queries: queries)
            let label = alias?.name.text ?? name.text
            return try named(plan, label, columns: alias?.columns ?? [], at: name.offset)
        default:
            throw context.error(
                .semantic, "there is no table function '\(name.text)'", at: name.offset,
                hint: Spelling.hint(for: name.text, in: ["latest", "generate_series", "range"])
                    ?? "table functions are latest(table), generate_series(from, to, step) and range(from, to, step)")
        }
    }

    // MARK: Joins

    private func bindJoin(_ join: JoinSyntax) throws(MartletError) -> (Plan, Scope) {
        let (left, leftScope) = try bind(join.left)
        let (right, rightScope) = try bind(join.right)
        for name in rightScope.relationNames where leftScope.relationNames.contains(name) {
            throw context.error(
                .semantic, "two relations are called '\(name)'", at: join.offset, hint: "give one of them an alias")
        }
        var scope = Scope()
        scope.entries = leftScope.entries + rightScope.entries
        let width = leftScope.entries.count
        var plan = JoinPlan(kind: .inner, left: left, right: right, keys: [], asOf: nil, residual: nil)
        switch join.kind {
        case .cross: plan.kind = .cross
        case .left: plan.kind = .left
        case .full: plan.kind = .full
        case .inner, .right: plan.kind = .inner
        }
        var conditions: [BoundExpression] = []
        let binder = ExpressionBinder(context, queries: queries, scope: scope)
        var mergedPairs: [(Int, Int)] = []
        switch join.condition {
        case .none: break
        case .on(let syntax): conditions = try binder.bindCondition(syntax, as: .join).conjuncts
        case .using(let names):
            for (number, name) in names.enumerated() {
                let a = try place(of: name, in: leftScope)
                let b = try place(of: name, in: rightScope) + width
                let isInequality = join.isAsOf && number == names.count - 1
                conditions.append(
                    try binder.operation(
                        isInequality ? ">=" : "=",
                        [
                            .column(a, scope.entries[a].type, offset: name.offset),
                            .column(b, scope.entries[b].type, offset: name.offset),
                        ], offset: name.offset))
                mergedPairs.append((a, b))
            }
        }
        try split(conditions, into: &plan, width: width, isAsOf: join.isAsOf, binder: binder, at: join.offset)
        if join.isAsOf && (join.kind == .right || join.kind == .full) {
            throw context.error(.unsupported, "ASOF JOIN is INNER or LEFT", at: join.offset)
        }
        for (a, b) in mergedPairs { scope.entries[join.kind == .right ? a : b].isMerged = true }
        if join.kind == .right { return (Self.swapped(plan, width: width, total: scope.entries.count), scope) }
        if join.kind == .full && !mergedPairs.isEmpty {
            return (try coalesced(plan, mergedPairs, binder: binder), scope)
        }
        return (.join(plan), scope)
    }

    private func place(of name: Name, in scope: Scope) throws(MartletError) -> Int {
        switch scope.resolve(name, relation: nil) {
        case .found(let index): return index
        case .ambiguous:
            throw context.error(.semantic, "'\(name.text)' is ambiguous on one side of the join", at: name.offset)
        case .unknown:
            throw context.error(
                .semantic, "USING (\(name.text)): not both sides have this column", at: name.offset,
                hint: Spelling.hint(for: name.text, in: scope.entries.map(\.name)))
        }
    }

    /// Sorts the conditions of a join into equalities between the sides, the inequality of an ASOF join, and the rest.
    private func split(
        _ conditions: [BoundExpression], into plan: inout JoinPlan, width: Int, isAsOf: Bool, binder: ExpressionBinder,
        at offset: Int
    ) throws(MartletError) {
        var rest: [BoundExpression] = []
        for condition in conditions {
            guard case .call(let function, let operands, _, let place) = condition, operands.count == 2,
                let sides = JoinSides(operands[0], operands[1], width: width)
            else {
                rest.append(condition)
                continue
            }
            if function.name == "=" {
                let (left, right) = try sameType(sides.left, sides.right, binder: binder, at: place)
                plan.keys.append((left, right))
            } else if isAsOf, let comparison = sides.comparison(function.name) {
                if plan.asOf != nil {
                    throw context.error(.semantic, "ASOF JOIN takes exactly one inequality", at: place)
                }
                let (left, right) = try sameType(sides.left, sides.right, binder: binder, at: place)
                plan.asOf = .init(left: left, comparison: comparison, right: right)
            } else {
                rest.append(condition)
            }
        }
        if isAsOf {
            guard plan.asOf != nil else {
                throw context.error(
                    .semantic, "ASOF JOIN needs an inequality between the two sides' times", at: offset,
                    hint: "write ON a.key = b.key AND a.time >= b.time")
            }
            if !rest.isEmpty {
                throw context.error(
                    .unsupported, "ASOF JOIN takes equalities and one inequality, nothing else", at: offset)
            }
        }
        plan.residual = BoundExpression.conjunction(rest)
        if plan.kind == .inner && plan.keys.isEmpty && plan.asOf == nil { plan.kind = .cross }
    }

    private func sameType(
        _ left: BoundExpression, _ right: BoundExpression, binder: ExpressionBinder, at offset: Int
    ) throws(MartletError) -> (BoundExpression, BoundExpression) {
        guard let type = ColumnKernels.comparisonType(left.type, right.type) else { return (left, right) }
        return (
            try binder.converted(left, to: type, offset: offset), try binder.converted(right, to: type, offset: offset)
        )
    }

    /// A RIGHT JOIN as a LEFT JOIN of the sides exchanged, with the columns put back in their order.
    private static func swapped(_ plan: JoinPlan, width: Int, total: Int) -> Plan {
        let rightWidth = total - width
        var swapped = plan
        swapped.kind = .left
        swapped.left = plan.right
        swapped.right = plan.left
        swapped.keys = plan.keys.map { ($0.right, $0.left) }
        swapped.residual = plan.residual?.replacingColumns { index, type, offset in
            .column(index < width ? index + rightWidth : index - width, type, offset: offset)
        }
        let columns = plan.columns
        let order = columns.indices.map { index in
            BoundExpression.column(index < width ? index + rightWidth : index - width, columns[index].type, offset: 0)
        }
        return .project(.join(swapped), order, columns)
    }

    /// FULL JOIN USING: the merged column comes from whichever side has the row.
    private func coalesced(
        _ plan: JoinPlan, _ pairs: [(Int, Int)], binder: ExpressionBinder
    ) throws(MartletError) -> Plan {
        let columns = plan.columns
        var expressions = columns.indices.map { BoundExpression.column($0, columns[$0].type, offset: 0) }
        for (a, b) in pairs {
            let type = columns[a].type
            expressions[a] = .caseWhen(
                [.init(when: .isNull(expressions[a], negated: true), then: expressions[a])],
                otherwise: try binder.converted(.column(b, columns[b].type, offset: 0), to: type, offset: 0), type)
        }
        return .project(.join(plan), expressions, columns)
    }
}

/// The operands of a comparison, if each reads one side of a join only and neither is constant.
struct JoinSides {
    let left: BoundExpression
    /// Over the right side's own columns.
    let right: BoundExpression
    private let isSwapped: Bool

    init?(_ first: BoundExpression, _ second: BoundExpression, width: Int) {
        let firstColumns = first.columns
        let secondColumns = second.columns
        guard let a = firstColumns.first, let b = secondColumns.first, let aLast = firstColumns.last,
            let bLast = secondColumns.last
        else { return nil }
        if aLast < width && b >= width {
            (left, right, isSwapped) = (first, Self.shifted(second, by: width), false)
        } else if bLast < width && a >= width {
            (left, right, isSwapped) = (second, Self.shifted(first, by: width), true)
        } else {
            return nil
        }
    }

    private static func shifted(_ expression: BoundExpression, by width: Int) -> BoundExpression {
        expression.replacingColumns { index, type, offset in .column(index - width, type, offset: offset) }
    }

    /// The comparison as seen from the left side.
    func comparison(_ symbol: String) -> JoinPlan.AsOf.Comparison? {
        guard let comparison = JoinPlan.AsOf.Comparison(rawValue: symbol) else { return nil }
        if !isSwapped { return comparison }
        switch comparison {
        case .greaterOrEqual: return .lessOrEqual
        case .greater: return .less
        case .lessOrEqual: return .greaterOrEqual
        case .less: return .greater
        }
    }
}
