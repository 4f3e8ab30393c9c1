import MartletModel
import MartletStorage

/// INSERT: runs the source query to its end, then appends all of its rows in one commit.
struct InsertRunner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(
        _ table: TableNameSyntax, columns: [Name]?, source: QuerySyntax
    ) throws(MartletError) -> Operator {
        let schema = try context.schema(of: table.parts)
        let targets = try targets(columns, schema)
        var plan = try QueryBinder(context).bind(source)
        guard plan.columns.count == targets.count else {
            throw context.error(
                .semantic, "INSERT of \(plan.columns.count) values into \(targets.count) columns", at: source.offset,
                hint: "the columns are " + targets.map(\.name).joined(separator: ", "))
        }
        for (target, given) in zip(targets, plan.columns) where !ColumnKernels.canCast(given.type, to: target.type) {
            throw context.error(
                .typeConflict, "column '\(target.name)' is \(target.type.name) and is given \(given.type.name)",
                at: source.offset, hint: "CAST it")
        }
        plan = Optimizer.optimized(QueryBinder.converted(plan, to: targets), context: context)
        let root = try PhysicalPlanner(context).operator(for: plan)
        let lease = MemoryLease(context.query.memory, purpose: "INSERT")
        var batches: [TableBatch] = []
        while let rows = try root.next() {
            try lease.grow(by: rows.memoryFootprint)
            batches.append(TableBatch(table: schema.name, batch: try batch(rows, targets)))
        }
        if batches.isEmpty { return try context.report([("inserted", .int64(0))]) }
        let outcome = try context.namespace.append(batches)
        if let first = outcome.rejected.first {
            throw MartletError(
                first.error.code,
                "\(outcome.rejected.count) of \(outcome.accepted + outcome.rejected.count) rows were refused, the first "
                    + "because: \(first.error.message)",
                at: context.source.location(source.offset), hint: first.error.hint ?? "the other rows were kept")
        }
        return try context.report([("inserted", .int64(Int64(outcome.accepted)))])
    }

    private func targets(_ columns: [Name]?, _ schema: TableSchema) throws(MartletError) -> [ColumnDescription] {
        var all = [ColumnDescription(TableSchema.timeColumn, .timestamp, .time)]
        all += schema.tags.map { ColumnDescription($0, .string, .tag) }
        all += schema.fields.map { ColumnDescription($0.name, $0.type, .field) }
        guard let columns else { return all }
        var targets: [ColumnDescription] = []
        for name in columns {
            let match = all.first { $0.name == name.text } ?? all.first { Scope.same($0.name, name) }
            guard let match else {
                throw context.error(
                    .notFound, "table '\(schema.name)' has no column '\(name.text)'", at: name.offset,
                    hint: Spelling.hint(for: name.text, in: all.map(\.name))
                        ?? "ALTER TABLE adds a field; a tag appears with line protocol")
            }
            if targets.contains(where: { $0.name == match.name }) {
                throw context.error(.semantic, "column '\(name.text)' is named twice", at: name.offset)
            }
            targets.append(match)
        }
        return targets
    }

    /// Rows as storage takes them: with a time, which is the statement's now() where none is given.
    private func batch(_ rows: Rows, _ targets: [ColumnDescription]) throws(MartletError) -> RecordBatch {
        var schema = targets
        var columns = rows.columns
        let now = context.evaluators.evaluation.now
        if let time = targets.firstIndex(where: { $0.role == .time }) {
            if columns[time].nullCount > 0 {
                let filler = try ColumnKernels.constant(.timestamp(now), type: .timestamp, count: rows.count)
                columns[time] = try ColumnKernels.coalesce(
                    [columns[time], filler], type: .timestamp, rowCount: rows.count)
            }
        } else {
            schema.insert(ColumnDescription(TableSchema.timeColumn, .timestamp, .time), at: 0)
            columns.insert(
                try ColumnKernels.constant(.timestamp(now), type: .timestamp, count: rows.count), at: 0)
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: rows.count)
    }
}

/// DELETE: by time and tags, which storage can do without reading rows.
struct DeleteRunner {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func run(_ table: TableNameSyntax, filter: ExpressionSyntax?) throws(MartletError) -> Operator {
        let schema = try context.schema(of: table.parts)
        let scan = try TableConditions(context).scan(schema, filter)
        if scan.filter != nil {
            throw context.error(
                .unsupported, "DELETE takes conditions on time and tags joined by AND, not on fields",
                at: filter?.offset ?? 0,
                hint: "SELECT the times of the rows, then delete those; to correct a value, INSERT it again")
        }
        if scan.time.isEmpty { return try context.report([("deleted", .int64(0))]) }
        let deleted = try context.namespace.delete(from: schema.name, time: scan.time, series: scan.series)
        for test in scan.tagTests { try test.check() }
        for lot in try ArchiveRecord.written(of: schema.name, in: scan.time, context.snapshot(), context.query) {
            context.notice(
                "rows of that time were exported to '\(lot.destination)' by the retention policy '\(lot.policy)' and are "
                    + "in its files still: those whose names contain \(lot.id)")
        }
        return try context.report([("deleted", .int64(Int64(deleted)))])
    }
}

/// A condition on one table's rows, divided between storage and the rest.
struct TableConditions {
    private let context: StatementContext

    init(_ context: StatementContext) { self.context = context }

    func scan(_ schema: TableSchema, _ filter: ExpressionSyntax?) throws(MartletError) -> ScanPlan {
        let scan = ScanPlan(of: schema)
        guard let filter else { return scan }
        var scope = Scope()
        scope.entries = scan.columns.map {
            let column = $0.description
            return .init(name: column.name, type: column.type, role: column.role, relation: schema.name)
        }
        let binder = ExpressionBinder(context, queries: QueryBinder(context), scope: scope)
        let condition = try binder.bindCondition(filter, as: .filter)
        guard case .scan(let result) = ScanConditions(scan, context: context).absorbing(condition.conjuncts) else {
            return scan
        }
        return result
    }
}
