import MartletModel
import MartletStorage

/// A query that is run again and again, over ranges of time or at moments.
package struct StandingQuery: Sendable {
    /// The query's text.
    package let sql: String
    let source: SourceText
    let syntax: QuerySyntax

    /// Reads a query.
    ///
    /// - Throws: `.syntax` with the place in `sql`.
    package init(_ sql: String) throws(MartletError) {
        self.sql = sql
        source = SourceText(sql)
        guard case .query(let query) = try Parser.statement(in: source).0 else {
            throw source.error(.semantic, "a query is wanted here", at: 0, hint: "SELECT ... FROM ...")
        }
        syntax = query
    }
}

/// What can be said of a standing query's rows before it is run.
package struct StandingQueryShape: Sendable {
    /// The time buckets that rows are grouped by.
    package struct Buckets: Sendable {
        /// The result's column that holds the bucket's start.
        package var column: Int
        let grid: BucketGrid

        /// The buckets' width in nanoseconds.
        package var width: Int64 { grid.width }

        /// The whole buckets that hold the times of `range`.
        package func covering(_ range: TimeRange) -> TimeRange {
            if range.isEmpty { return range }
            return TimeRange(
                grid.start(of: grid.bucket(of: range.lowerBound)), grid.end(of: grid.bucket(of: range.upperBound)))
        }
    }

    package var columns: [ColumnDescription]
    /// The tables that are read.
    package var tables: [String]
    /// The places of the columns that are keys of the topmost GROUP BY.
    package var keys: [Int]
    /// The buckets among the keys, if there are any of fixed width.
    package var buckets: Buckets?
    /// Whether the result is cut by LIMIT.
    package var isLimited: Bool
}

extension QueryEngine {
    /// What the rows of a query will be.
    ///
    /// - Throws: `.semantic` and `.notFound` with the place in the query.
    package func shape(
        of standing: StandingQuery, in namespace: any NamespaceEngine
    ) throws(MartletError) -> StandingQueryShape {
        let context = context(standing, namespace, now: nil)
        let plan = try QueryBinder(context).bind(standing.syntax)
        let keys = PlanKeys.of(plan, context.evaluators)
        var shape = StandingQueryShape(
            columns: plan.columns, tables: [], keys: keys.map(\.column).sorted(), buckets: nil, isLimited: false)
        if let bucket = keys.first(where: { $0.grid != nil }), let grid = bucket.grid {
            shape.buckets = .init(column: bucket.column, grid: grid)
        }
        plan.forEach { step in
            switch step {
            case .scan(let scan) where !shape.tables.contains(scan.table.name): shape.tables.append(scan.table.name)
            case .limit: shape.isLimited = true
            default: break
            }
        }
        return shape
    }

    /// Runs a query, over rows of a range of time where one is given, as if it were `now` where that is given.
    package func run(
        _ standing: StandingQuery, in namespace: any NamespaceEngine, over time: TimeRange = .all,
        now: Timestamp? = nil, parameters: [FieldValue?] = []
    ) throws(MartletError) -> QueryResult {
        let context = context(standing, namespace, now: now, parameters: parameters)
        var plan = try QueryBinder(context).bind(standing.syntax)
        if time != .all { plan = plan.restricted(to: time) }
        let root = try PhysicalPlanner(context).operator(for: Optimizer.optimized(plan, context: context))
        return QueryResult(root, query: context.query, maximumRows: nil, context: context)
    }

    private func context(
        _ standing: StandingQuery, _ namespace: any NamespaceEngine, now: Timestamp?, parameters: [FieldValue?] = []
    ) -> StatementContext {
        let query = QueryContext(
            memory: MemoryBudget(limit: max(1, options.memoryLimit), parent: memory), clock: namespace.clock,
            timeout: options.timeout)
        return StatementContext(
            source: standing.source, options: options, parameters: parameters, directory: directory,
            namespace: namespace, query: query, now: now)
    }
}

/// A column of a plan that is a key of its topmost aggregate.
private struct PlanKeys {
    var column: Int
    var grid: BucketGrid?

    static func of(_ plan: Plan, _ context: EvaluatorContext) -> [PlanKeys] {
        switch plan {
        case .aggregate(let input, let aggregate):
            let time = input.columns.firstIndex { $0.role == .time }
            return aggregate.keys.enumerated().map { place, key in
                PlanKeys(
                    column: place, grid: time.flatMap { BucketGrid(key, time: $0, context: context) })
            }
        case .project(let input, let expressions, _):
            let inner = of(input, context)
            return expressions.enumerated().compactMap { place, expression in
                guard case .column(let source, _, _) = expression, let key = inner.first(where: { $0.column == source })
                else { return nil }
                return PlanKeys(column: place, grid: key.grid)
            }
        case .filter(let input, _), .sort(let input, _), .limit(let input, _, _), .fill(let input, _):
            return of(input, context)
        default: return []
        }
    }
}

extension Plan {
    /// Calls `body` for every step.
    fileprivate func forEach(_ body: (Plan) -> Void) {
        body(self)
        switch self {
        case .scan, .rows: break
        case .filter(let input, _), .project(let input, _, _), .aggregate(let input, _), .fill(let input, _),
            .window(let input, _, _), .sort(let input, _), .limit(let input, _, _), .distinct(let input, _):
            input.forEach(body)
        case .join(let join):
            join.left.forEach(body)
            join.right.forEach(body)
        case .setOperation(_, _, let left, let right, _):
            left.forEach(body)
            right.forEach(body)
        }
    }

    /// The same, reading only rows of a range of time.
    fileprivate func restricted(to time: TimeRange) -> Plan {
        switch self {
        case .scan(var scan):
            scan.time = scan.time.intersection(time)
            return .scan(scan)
        case .rows: return self
        case .filter(let input, let condition): return .filter(input.restricted(to: time), condition)
        case .project(let input, let expressions, let columns):
            return .project(input.restricted(to: time), expressions, columns)
        case .aggregate(let input, let aggregate): return .aggregate(input.restricted(to: time), aggregate)
        case .fill(let input, let fill): return .fill(input.restricted(to: time), fill)
        case .window(let input, let windows, let columns):
            return .window(input.restricted(to: time), windows, columns)
        case .sort(let input, let keys): return .sort(input.restricted(to: time), keys)
        case .limit(let input, let count, let skip): return .limit(input.restricted(to: time), count: count, skip: skip)
        case .distinct(let input, let on): return .distinct(input.restricted(to: time), on: on)
        case .join(var join):
            join.left = join.left.restricted(to: time)
            join.right = join.right.restricted(to: time)
            return .join(join)
        case .setOperation(let operation, let isAll, let left, let right, let columns):
            return .setOperation(
                operation, isAll: isAll, left.restricted(to: time), right.restricted(to: time), columns)
        }
    }
}
