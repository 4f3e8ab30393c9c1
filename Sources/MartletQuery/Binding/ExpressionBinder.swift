import MartletModel

/// Gives the names of expressions their meaning, at one place of a query.
///
/// Aggregates and window calls are collected and stand in the result as placeholders.
final class ExpressionBinder {
    let context: StatementContext
    /// For subqueries.
    let queries: QueryBinder
    let scope: Scope
    /// What select items are called, for names that the scope does not have.
    var aliases: [(name: Name, expression: ExpressionSyntax)] = []
    /// Windows of the WINDOW clause.
    var namedWindows: [SelectSyntax.NamedWindow] = []
    /// The clause being bound, for messages; aggregates are refused where it does not allow them.
    var clause = Clause.select
    private(set) var aggregates: [BoundAggregate] = []
    private(set) var windows: [BoundWindow] = []
    private var isInsideAggregate = false
    private var isInsideWindow = false
    private var aliasDepth = 0

    enum Clause: String {
        case select = "SELECT"
        case filter = "WHERE"
        case groupBy = "GROUP BY"
        case having = "HAVING"
        case qualify = "QUALIFY"
        case orderBy = "ORDER BY"
        case join = "ON"
        case values = "VALUES"
        case limit = "LIMIT"

        var allowsAggregates: Bool { self == .select || self == .having || self == .orderBy || self == .qualify }
        var allowsWindows: Bool { self == .select || self == .orderBy || self == .qualify }
    }

    init(_ context: StatementContext, queries: QueryBinder, scope: Scope) {
        self.context = context
        self.queries = queries
        self.scope = scope
    }

    /// The type that a column of this expression's values gets.
    func bind(_ syntax: ExpressionSyntax, as clause: Clause) throws(MartletError) -> BoundExpression {
        let previous = self.clause
        self.clause = clause
        defer { self.clause = previous }
        return try bind(syntax)
    }

    /// A condition: BOOLEAN or NULL.
    func bindCondition(_ syntax: ExpressionSyntax, as clause: Clause) throws(MartletError) -> BoundExpression {
        let condition = try bind(syntax, as: clause)
        return try boolean(condition, at: syntax.offset, what: clause.rawValue)
    }

    func boolean(
        _ expression: BoundExpression, at offset: Int, what: String
    ) throws(MartletError) -> BoundExpression {
        if expression.type == nil { return .constant(nil, .bool) }
        guard expression.type == .bool else {
            throw context.error(
                .semantic, "\(what) takes a BOOLEAN, not \(expression.columnType.name)", at: offset)
        }
        return expression
    }

    func bind(_ syntax: ExpressionSyntax) throws(MartletError) -> BoundExpression {
        let offset = syntax.offset
        switch syntax.kind {
        case .literal(let value): return .constant(value, value?.type)
        case .parameter(let number):
            guard number < context.parameters.count else {
                throw context.error(
                    .invalidArgument, "parameter $\(number + 1) has no value; \(context.parameters.count) were given",
                    at: offset)
            }
            return .constant(context.parameters[number], context.parameters[number]?.type)
        case .column(let parts): return try bindColumn(parts)
        case .star:
            throw context.error(.semantic, "* stands only for itself in SELECT and in count(*)", at: offset)
        case .call(let call): return try bindCall(call, offset: offset)
        case .operation(let symbol, let operands): return try bindOperation(symbol, operands, offset: offset)
        case .and(let parts):
            var bound: [BoundExpression] = []
            for part in parts { bound.append(try boolean(bind(part), at: part.offset, what: "AND")) }
            return Folding.and(bound)
        case .or(let parts):
            var bound: [BoundExpression] = []
            for part in parts { bound.append(try boolean(bind(part), at: part.offset, what: "OR")) }
            return Folding.or(bound)
        case .not(let operand):
            return Folding.not(try boolean(bind(operand), at: operand.offset, what: "NOT"))
        case .isNull(let operand, let negated):
            let bound = try bind(operand)
            if case .constant(let value, _) = bound { return .constant(.bool((value == nil) != negated), .bool) }
            return .isNull(bound, negated: negated)
        case .isTruth(let operand, let truth, let negated):
            let bound = try boolean(bind(operand), at: operand.offset, what: "IS \(truth ? "TRUE" : "FALSE")")
            return try folded(.isTruth(bound, truth, negated: negated), at: offset)
        case .isDistinct(let left, let right, let negated):
            let distinct = try bindOperation("is_distinct_from", [left, right], offset: offset)
            return negated ? Folding.not(distinct) : distinct
        case .between(let operand, let low, let high, let negated):
            let lower = try bindOperation(">=", [operand, low], offset: offset)
            let upper = try bindOperation("<=", [operand, high], offset: offset)
            let both = Folding.and([lower, upper])
            return negated ? Folding.not(both) : both
        case .inList(let operand, let list, let negated):
            return try bindIn(operand, list, negated: negated, offset: offset)
        case .inQuery(let operand, let query, let negated):
            return try bindIn(operand, query: query, negated: negated, offset: offset)
        case .exists(let query): return .constant(.bool(try queries.hasRows(query)), .bool)
        case .scalarQuery(let query): return try queries.scalarValue(of: query, offset: offset)
        case .caseWhen(let operand, let branches, let otherwise):
            return try bindCase(operand, branches, otherwise, offset: offset)
        case .cast(let operand, let type, let isTry):
            return try bindCast(bind(operand), to: type, isTry: isTry, offset: operand.offset)
        }
    }

    // MARK: Names

    private func bindColumn(_ parts: [Name]) throws(MartletError) -> BoundExpression {
        let column = parts[parts.count - 1]
        let relation = parts.count > 1 ? parts[parts.count - 2] : nil
        switch scope.resolve(column, relation: relation) {
        case .found(let index): return .column(index, scope.entries[index].type, offset: parts[0].offset)
        case .ambiguous(let candidates):
            throw context.error(
                .semantic, "'\(column.text)' is ambiguous: it may be \(candidates.joined(separator: " or "))",
                at: parts[0].offset, hint: "put the table's name or alias before it")
        case .unknown: break
        }
        if relation == nil, let alias = try bindAlias(column) { return alias }
        if let relation, !scope.hasRelation(relation) {
            let known = scope.relationNames
            throw context.error(
                .semantic, "there is no table or alias '\(relation.text)' in this query", at: relation.offset,
                hint: Spelling.hint(for: relation.text, in: known))
        }
        let candidates = scope.entries.filter { entry in
            relation.map { wanted in entry.relation.map { Scope.same($0, wanted) } ?? false } ?? true
        }.map(\.name)
        var hint = Spelling.hint(for: column.text, in: candidates + aliases.map(\.name.text))
        if hint == nil && column.isQuoted { hint = "strings take single quotes" }
        if hint == nil && scope.entries.isEmpty { hint = "the query has no FROM" }
        let place = relation.map { " in '\($0.text)'" } ?? ""
        throw context.error(
            .semantic, "there is no column '\(column.text)'\(place)", at: column.offset, hint: hint)
    }

    private func bindAlias(_ name: Name) throws(MartletError) -> BoundExpression? {
        guard let alias = aliases.first(where: { Scope.same($0.name.text, name) }), aliasDepth < 8 else { return nil }
        aliasDepth += 1
        defer { aliasDepth -= 1 }
        return try bind(alias.expression)
    }

    // MARK: Operators

    private func bindOperation(
        _ symbol: String, _ operands: [ExpressionSyntax], offset: Int
    ) throws(MartletError) -> BoundExpression {
        var bound: [BoundExpression] = []
        for operand in operands { bound.append(try bind(operand)) }
        return try operation(symbol, bound, offset: offset)
    }

    /// An operator over bound operands. A string literal takes the type of what it meets, as in PostgreSQL.
    func operation(
        _ symbol: String, _ operands: [BoundExpression], offset: Int
    ) throws(MartletError) -> BoundExpression {
        var operands = operands
        if operands.count == 2, symbol != "||", symbol != "like", symbol != "ilike", !symbol.contains("~") {
            let isSum = symbol == "+" || symbol == "-"
            operands[0] = try adapted(operands[0], to: operands[1].type, isSum: isSum, offset: offset)
            operands[1] = try adapted(operands[1], to: operands[0].type, isSum: isSum, offset: offset)
        }
        guard let function = context.functions.scalar(symbol) ?? OperatorFunctions.all[symbol] else {
            throw context.error(.semantic, "there is no operator '\(symbol)'", at: offset)
        }
        return try call(function, operands, offset: offset)
    }

    private func adapted(
        _ operand: BoundExpression, to other: ColumnType?, isSum: Bool, offset: Int
    ) throws(MartletError) -> BoundExpression {
        guard case .constant(let value, let type) = operand, let other else { return operand }
        if type == nil { return .constant(nil, isSum && other == .timestamp ? .interval : other) }
        if other == .float64, case .int64(let number)? = value, let exact = Double(exactly: number) {
            return .constant(.float64(exact), .float64)
        }
        guard case .string = value, other != .string else { return operand }
        let target: ColumnType = isSum && other == .timestamp ? .interval : other
        return try folded(.cast(operand, target, isTry: false, offset: offset), at: offset)
    }

    /// A scalar function over bound arguments, evaluated at once where all are constant.
    func call(
        _ function: any ScalarFunction, _ arguments: [BoundExpression], offset: Int
    ) throws(MartletError) -> BoundExpression {
        let types = arguments.map(\.type)
        let type = try context.located(at: offset) { () throws(MartletError) in try function.resultType(of: types) }
        return try folded(.call(function, arguments, type, offset: offset), at: offset)
    }

    /// The expression, or its value when it can be known now.
    func folded(_ expression: BoundExpression, at offset: Int) throws(MartletError) -> BoundExpression {
        try Folding.folded(expression, context: context)
    }

    func bindCast(
        _ operand: BoundExpression, to type: TypeSyntax, isTry: Bool, offset: Int
    ) throws(MartletError) -> BoundExpression {
        var result = operand
        if operand.type != type.type {
            result = try folded(.cast(operand, type.type, isTry: isTry, offset: offset), at: offset)
        }
        guard type.isDate, let cut = context.functions.scalar("date_trunc") else { return result }
        return try call(cut, [.constant(.string("day"), .string), result], offset: offset)
    }

    /// `expression` as a value of `type`.
    func converted(_ expression: BoundExpression, to type: ColumnType, offset: Int) throws(MartletError)
        -> BoundExpression
    {
        if expression.type == type { return expression }
        if case .constant(nil, _) = expression { return .constant(nil, type) }
        return try folded(.cast(expression, type, isTry: false, offset: offset), at: offset)
    }

    // MARK: CASE and IN

    private func bindCase(
        _ operand: ExpressionSyntax?, _ branches: [(when: ExpressionSyntax, then: ExpressionSyntax)],
        _ otherwise: ExpressionSyntax?, offset: Int
    ) throws(MartletError) -> BoundExpression {
        let boundOperand: BoundExpression? = if let operand { try bind(operand) } else { nil }
        var bound: [(when: BoundExpression, then: BoundExpression, offset: Int)] = []
        for branch in branches {
            var when = try bind(branch.when)
            if let boundOperand {
                when = try operation("=", [boundOperand, when], offset: branch.when.offset)
            } else {
                when = try boolean(when, at: branch.when.offset, what: "WHEN")
            }
            bound.append((when, try bind(branch.then), branch.then.offset))
        }
        let boundOtherwise: BoundExpression? = if let otherwise { try bind(otherwise) } else { nil }
        guard let type = ColumnKernels.commonType(bound.map(\.then.type) + [boundOtherwise?.type]) else {
            let names = (bound.map(\.then) + [boundOtherwise].compactMap { $0 }).map(\.columnType.name)
            throw context.error(
                .semantic, "the branches of CASE are of types that do not mix: \(names.joined(separator: ", "))",
                at: offset, hint: "CAST them to one type")
        }
        var result: [BoundExpression.Branch] = []
        for branch in bound {
            result.append(.init(when: branch.when, then: try converted(branch.then, to: type, offset: branch.offset)))
        }
        var last: BoundExpression?
        if let boundOtherwise { last = try converted(boundOtherwise, to: type, offset: offset) }
        return try folded(.caseWhen(result, otherwise: last, type), at: offset)
    }

    private func bindIn(
        _ operand: ExpressionSyntax, _ list: [ExpressionSyntax], negated: Bool, offset: Int
    ) throws(MartletError) -> BoundExpression {
        let value = try bind(operand)
        var items: [BoundExpression] = []
        for item in list { items.append(try bind(item)) }
        if items.allSatisfy(\.isConstant), value.type != nil {
            return try inSet(value, items, negated: negated, offset: offset)
        }
        var parts: [BoundExpression] = []
        for item in items { parts.append(try operation("=", [value, item], offset: offset)) }
        let any = Folding.or(parts)
        return negated ? Folding.not(any) : any
    }

    private func inSet(
        _ value: BoundExpression, _ items: [BoundExpression], negated: Bool, offset: Int
    ) throws(MartletError) -> BoundExpression {
        var value = value
        var items = items
        for index in items.indices {
            items[index] = try adapted(items[index], to: value.type, isSum: false, offset: offset)
        }
        guard let type = ColumnKernels.commonType([value.type] + items.map(\.type)) else {
            let other = items.first { ColumnKernels.commonType([value.type, $0.type]) == nil }?.columnType.name ?? ""
            throw context.error(
                .semantic, "IN compares \(value.columnType.name) with \(other)", at: offset,
                hint: "CAST one to the type of the other")
        }
        value = try converted(value, to: type, offset: offset)
        var values: Set<FieldValue> = []
        var hasNull = false
        for item in items {
            if case .constant(let constant?, _) = try converted(item, to: type, offset: offset) {
                values.insert(constant)
            } else {
                hasNull = true
            }
        }
        let set = ValueSet(type: type, values: values, hasNull: hasNull)
        return try folded(.inSet(value, set, negated: negated), at: offset)
    }

    private func bindIn(
        _ operand: ExpressionSyntax, query: QuerySyntax, negated: Bool, offset: Int
    ) throws(MartletError) -> BoundExpression {
        let value = try bind(operand)
        let (items, type) = try queries.values(of: query, offset: offset)
        if items.isEmpty { return .constant(.bool(negated), .bool) }
        if value.type == nil { return .constant(nil, .bool) }
        guard ColumnKernels.commonType([value.type, type]) != nil else {
            throw context.error(
                .semantic, "IN compares \(value.columnType.name) with \(type.name)", at: offset,
                hint: "CAST one to the type of the other")
        }
        return try inSet(
            value, items.map { .constant($0, $0 == nil ? nil : type) }, negated: negated, offset: offset)
    }

    // MARK: Calls

    private func bindCall(_ call: CallSyntax, offset: Int) throws(MartletError) -> BoundExpression {
        let name = call.name.text.lowercased()
        if let window = call.window { return try bindWindow(call, window, name: name, offset: offset) }
        if let aggregate = context.functions.aggregate(name), context.functions.scalar(name) == nil || call.isStar {
            return try bindAggregate(call, aggregate, offset: offset)
        }
        guard let function = context.functions.scalar(name) else { throw unknownFunction(call.name) }
        if call.isStar || call.isDistinct || call.filter != nil || !call.orderBy.isEmpty || !call.withinGroup.isEmpty {
            throw context.error(
                .semantic, "\(name) is no aggregate: it takes no *, DISTINCT, ORDER BY or FILTER", at: offset)
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument)) }
        if let (specific, argument) = datePart(name, arguments) {
            return try self.call(specific, [argument], offset: offset)
        }
        return try self.call(function, arguments, offset: offset)
    }

    /// The function of one part of a date: a constant part has a type of its own, BIGINT for most, where `date_part`
    /// must have one type for all parts.
    private func datePart(
        _ name: String, _ arguments: [BoundExpression]
    ) -> (function: any ScalarFunction, argument: BoundExpression)? {
        guard name == "date_part" || name == "datepart" || name == "extract", arguments.count == 2,
            case .constant(.string(let text)?, _) = arguments[0], arguments[1].type != .interval,
            let part = DatePart(name: text.lowercased()), let function = context.functions.scalar(part.rawValue)
        else { return nil }
        return (function, arguments[1])
    }

    private func unknownFunction(_ name: Name) -> MartletError {
        let names = context.functions.names + WindowCalls.names
        if (WindowCalls.names + context.functions.windowNames).contains(name.text.lowercased()) {
            return context.error(
                .semantic, "\(name.text.lowercased()) is a window function and needs OVER (...)", at: name.offset)
        }
        return context.error(
            .semantic, "there is no function '\(name.text)'", at: name.offset,
            hint: Spelling.hint(for: name.text, in: names) ?? "SHOW FUNCTIONS lists them")
    }

    private func bindAggregate(
        _ call: CallSyntax, _ function: any AggregateFunction, offset: Int
    ) throws(MartletError) -> BoundExpression {
        guard clause.allowsAggregates else {
            throw context.error(
                .semantic, "the aggregate \(function.name) cannot stand in \(clause.rawValue)", at: offset,
                hint: clause == .filter ? "conditions on aggregates go to HAVING" : nil)
        }
        if isInsideAggregate {
            throw context.error(.semantic, "aggregates cannot be nested", at: offset, hint: "use a subquery in FROM")
        }
        isInsideAggregate = true
        defer { isInsideAggregate = false }
        let bound = try boundAggregate(call, function, offset: offset)
        let number: Int
        if let known = aggregates.firstIndex(of: bound) {
            number = known
        } else {
            number = aggregates.count
            aggregates.append(bound)
        }
        return .aggregate(number, bound.type)
    }

    /// The aggregate's arguments, time and order, bound.
    func boundAggregate(
        _ call: CallSyntax, _ function: any AggregateFunction, offset: Int
    ) throws(MartletError) -> BoundAggregate {
        if call.isDistinct, function.name == "count", call.arguments.count == 1,
            let distinct = context.functions.aggregate("count_distinct")
        {
            var plain = call
            plain.isDistinct = false
            return try boundAggregate(plain, distinct, offset: offset)
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument)) }
        // percentile_cont(0.5) WITHIN GROUP (ORDER BY x) is percentile_cont(x, 0.5).
        for key in call.withinGroup { arguments.insert(try bind(key.expression), at: 0) }
        if call.isStar && function.name != "count" {
            throw context.error(.semantic, "only count takes *", at: offset)
        }
        var time: BoundExpression?
        if function.needsTime { time = try boundTime(call, function, &arguments, offset: offset) }
        let types = arguments.map(\.type)
        let type = try context.located(at: offset) { () throws(MartletError) in try function.resultType(of: types) }
        var filter: BoundExpression?
        if let condition = call.filter {
            filter = try boolean(bind(condition), at: condition.offset, what: "FILTER")
            if filter == .trueConstant { filter = nil }
        }
        var order: [SortKey] = []
        if !function.needsTime {
            for key in call.orderBy {
                order.append(
                    SortKey(
                        expression: try bind(key.expression), isDescending: key.isDescending,
                        nullsFirst: key.nullsFirst ?? false))
            }
        }
        return BoundAggregate(
            function: function, arguments: arguments, isDistinct: call.isDistinct && !arguments.isEmpty, filter: filter,
            time: time, order: order, type: type, isCountOfRows: function.name == "count" && arguments.isEmpty,
            offset: offset)
    }

    /// The time of each row: ORDER BY in the call, a trailing TIMESTAMP argument that the function does not take itself,
    /// or the table's time column.
    private func boundTime(
        _ call: CallSyntax, _ function: any AggregateFunction, _ arguments: inout [BoundExpression], offset: Int
    ) throws(MartletError) -> BoundExpression {
        if let key = call.orderBy.first {
            let bound = try bind(key.expression)
            guard bound.type == .timestamp, !key.isDescending else {
                throw context.error(
                    .semantic, "\(function.name) orders by a TIMESTAMP, ascending", at: key.expression.offset)
            }
            return bound
        }
        if arguments.count >= 2, arguments[1].type == .timestamp, !arguments[1].isConstant {
            return arguments.remove(at: 1)
        }
        let times = scope.entries.indices.filter {
            scope.entries[$0].type == .timestamp && scope.entries[$0].role == .time
        }
        if times.count == 1 { return .column(times[0], .timestamp, offset: offset) }
        let named = scope.entries.indices.filter {
            scope.entries[$0].type == .timestamp && scope.entries[$0].name == TableSchema.timeColumn
        }
        if times.isEmpty, named.count == 1 { return .column(named[0], .timestamp, offset: offset) }
        throw context.error(
            .semantic, "\(function.name) needs to know each row's time, and it is not clear which column that is",
            at: offset, hint: "write \(function.name)(value ORDER BY time_column)")
    }

    // MARK: Windows

    private func bindWindow(
        _ call: CallSyntax, _ window: WindowSyntax, name: String, offset: Int
    ) throws(MartletError) -> BoundExpression {
        guard clause.allowsWindows else {
            throw context.error(
                .semantic, "the window function \(name) cannot stand in \(clause.rawValue)", at: offset,
                hint: "use QUALIFY, or a subquery in FROM")
        }
        if isInsideWindow || isInsideAggregate {
            throw context.error(
                .semantic, "window functions cannot stand inside \(isInsideWindow ? "each other" : "an aggregate")",
                at: offset, hint: "use a subquery in FROM")
        }
        isInsideWindow = true
        defer { isInsideWindow = false }
        let bound = try WindowBinder(self).bind(call, window, name: name, offset: offset)
        let number: Int
        if let known = windows.firstIndex(of: bound) {
            number = known
        } else {
            number = windows.count
            windows.append(bound)
        }
        return .window(number, bound.type)
    }
}
