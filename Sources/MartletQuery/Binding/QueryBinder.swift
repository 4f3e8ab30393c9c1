import MartletModel
import MartletStorage

/// Turns queries into plans: finds the relations, binds the clauses in SQL's order, and lays the steps out.
final class QueryBinder {
    let context: StatementContext
    /// WITH entries that can be seen, innermost last; each with the number of entries that its own query sees.
    var commonTables: [(table: CommonTableSyntax, visible: Int)] = []
    /// Relations bound so far: a bound on what nested WITH entries can multiply to.
    var relationCount = 0
    private var depth = 0

    static let maximumRelations = 1_000
    static let maximumDepth = 64

    init(_ context: StatementContext) { self.context = context }

    /// The plan of a query with its ORDER BY and LIMIT.
    func bind(_ query: QuerySyntax) throws(MartletError) -> Plan {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth {
            throw context.error(
                .outOfRange, "queries nest more than \(Self.maximumDepth) levels deep", at: query.offset)
        }
        let outer = commonTables
        defer { commonTables = outer }
        for table in query.commonTables { commonTables.append((table, commonTables.count)) }
        var plan: Plan
        switch query.body {
        case .select(let select):
            plan = try SelectBinder(self, select).bind(orderBy: query.orderBy, byAll: query.ordersByAll)
        case .values(let rows): plan = try ordered(bindValues(rows), by: query)
        case .nested(let inner): plan = try ordered(bind(inner), by: query)
        case .setOperation(let operation, let isAll, let left, let right):
            plan = try ordered(bindSetOperation(operation, isAll, left, right, at: query.offset), by: query)
        }
        let count = try query.limit.flatMapThrowing { (syntax) throws(MartletError) in try self.rowNumber(syntax) }
        let skip = try query.skip.flatMapThrowing { (syntax) throws(MartletError) in try self.rowNumber(syntax) } ?? 0
        if count != nil || skip > 0 { plan = .limit(plan, count: count, skip: skip) }
        return plan
    }

    /// The value of LIMIT or OFFSET; `nil` for NULL, which limits nothing.
    func rowNumber(_ syntax: ExpressionSyntax) throws(MartletError) -> Int? {
        let binder = ExpressionBinder(context, queries: self, scope: Scope())
        switch try binder.bind(syntax, as: .limit) {
        case .constant(nil, _): return nil
        case .constant(.int64(let number)?, _) where number >= 0: return Int(number)
        default:
            throw context.error(
                .semantic, "LIMIT and OFFSET take a constant whole number, not negative", at: syntax.offset)
        }
    }

    private func ordered(_ plan: Plan, by query: QuerySyntax) throws(MartletError) -> Plan {
        let columns = plan.columns
        if query.ordersByAll {
            return .sort(
                plan,
                columns.enumerated().map {
                    SortKey(
                        expression: .column($0.offset, $0.element.type, offset: 0), isDescending: false,
                        nullsFirst: false)
                })
        }
        if query.orderBy.isEmpty { return plan }
        var scope = Scope()
        scope.entries = columns.map { .init(name: $0.name, type: $0.type, role: $0.role, relation: nil) }
        let binder = ExpressionBinder(context, queries: self, scope: scope)
        binder.clause = .values
        var keys: [SortKey] = []
        for key in query.orderBy {
            let expression: BoundExpression
            if case .literal(.int64(let number)?) = key.expression.kind {
                guard number >= 1, number <= columns.count else {
                    throw context.error(
                        .semantic, "ORDER BY \(number) of \(columns.count) columns", at: key.expression.offset)
                }
                expression = .column(Int(number) - 1, columns[Int(number) - 1].type, offset: key.expression.offset)
            } else {
                expression = try binder.bind(key.expression, as: .values)
            }
            keys.append(
                SortKey(expression: expression, isDescending: key.isDescending, nullsFirst: key.nullsFirst ?? false))
        }
        return .sort(plan, keys)
    }

    // MARK: VALUES and set operations

    private func bindValues(_ rows: [[ExpressionSyntax]]) throws(MartletError) -> Plan {
        let binder = ExpressionBinder(context, queries: self, scope: Scope())
        var values: [[BoundExpression]] = []
        for row in rows {
            var bound: [BoundExpression] = []
            for value in row { bound.append(try binder.bind(value, as: .values)) }
            values.append(bound)
        }
        var columns: [Column] = []
        var descriptions: [ColumnDescription] = []
        for index in rows[0].indices {
            guard let type = ColumnKernels.commonType(values.map { $0[index].type }) else {
                throw context.error(
                    .semantic, "the values of column \(index + 1) are of types that do not mix",
                    at: rows[0][index].offset, hint: "CAST them to one type")
            }
            var builder = ColumnBuilder(type, capacity: rows.count)
            for (number, row) in values.enumerated() {
                let offset = rows[number][index].offset
                guard case .constant(let value, _) = try binder.converted(row[index], to: type, offset: offset) else {
                    throw context.error(.semantic, "VALUES takes constants", at: offset)
                }
                try builder.append(value)
            }
            columns.append(builder.finish())
            descriptions.append(ColumnDescription("col\(index)", type))
        }
        return .rows(RowsPlan(name: "VALUES", columns: descriptions, rows: Rows(count: rows.count, columns: columns)))
    }

    private func bindSetOperation(
        _ operation: SetOperation, _ isAll: Bool, _ left: QuerySyntax, _ right: QuerySyntax, at offset: Int
    ) throws(MartletError) -> Plan {
        let leftPlan = try bind(left)
        let rightPlan = try bind(right)
        let leftColumns = leftPlan.columns
        let rightColumns = rightPlan.columns
        let name = operation.rawValue.uppercased()
        guard leftColumns.count == rightColumns.count else {
            throw context.error(
                .semantic, "\(name) of \(leftColumns.count) columns and \(rightColumns.count) columns",
                at: right.offset)
        }
        var columns: [ColumnDescription] = []
        for (a, b) in zip(leftColumns, rightColumns) {
            guard let type = ColumnKernels.commonType([a.type, b.type]) else {
                throw context.error(
                    .semantic,
                    "\(name): column '\(a.name)' is \(a.type.name) on the left and \(b.type.name) on the right",
                    at: right.offset, hint: "CAST one to the type of the other")
            }
            columns.append(ColumnDescription(a.name, type, a.role == b.role && a.type == type ? a.role : .value))
        }
        return .setOperation(
            operation, isAll: isAll, Self.converted(leftPlan, to: columns), Self.converted(rightPlan, to: columns),
            columns)
    }

    /// The plan with its columns cast to the given types where they differ.
    static func converted(_ plan: Plan, to columns: [ColumnDescription]) -> Plan {
        let given = plan.columns
        if zip(given, columns).allSatisfy({ $0.type == $1.type }) { return plan }
        let expressions = zip(given, columns).enumerated().map { index, pair in
            let column = BoundExpression.column(index, pair.0.type, offset: 0)
            return pair.0.type == pair.1.type ? column : .cast(column, pair.1.type, isTry: false, offset: 0)
        }
        return .project(plan, expressions, columns)
    }

    // MARK: Subqueries

    /// Runs an uncorrelated subquery and gives its only column's values.
    func values(of query: QuerySyntax, offset: Int) throws(MartletError) -> (values: [FieldValue?], type: ColumnType) {
        let plan = try bindSubquery(query)
        guard plan.columns.count == 1 else {
            throw context.error(
                .semantic, "the subquery gives \(plan.columns.count) columns where one is wanted", at: query.offset)
        }
        var values: [FieldValue?] = []
        let lease = MemoryLease(context.query.memory, purpose: "a subquery in IN")
        let root = try PhysicalPlanner(context).operator(for: plan)
        while let rows = try root.next() {
            try lease.grow(by: rows.count * 48)
            for row in 0..<rows.count { values.append(rows.columns[0].value(at: row)) }
        }
        return (values, plan.columns[0].type)
    }

    /// The one value of a scalar subquery; NULL when it has no row.
    func scalarValue(of query: QuerySyntax, offset: Int) throws(MartletError) -> BoundExpression {
        let (values, type) = try values(of: query, offset: offset)
        if values.count > 1 {
            throw context.error(
                .semantic, "the subquery gives \(values.count) rows where one value is wanted", at: query.offset,
                hint: "add LIMIT 1, or an aggregate")
        }
        return .constant(values.first ?? nil, type)
    }

    /// Whether a subquery has any row.
    func hasRows(_ query: QuerySyntax) throws(MartletError) -> Bool {
        let plan = Plan.limit(try bindSubquery(query), count: 1, skip: 0)
        let root = try PhysicalPlanner(context).operator(for: plan)
        while let rows = try root.next() { if rows.count > 0 { return true } }
        return false
    }

    private func bindSubquery(_ query: QuerySyntax) throws(MartletError) -> Plan {
        Optimizer.optimized(try bind(query), context: context)
    }
}

extension Optional where Wrapped: Sendable {
    /// `flatMap` for a body with a typed throw.
    func flatMapThrowing<Result>(
        _ body: (Wrapped) throws(MartletError) -> Result?
    ) throws(MartletError) -> Result? {
        if let self { return try body(self) }
        return nil
    }
}
