import MartletModel

/// Rows known when planning.
final class RowsOperator: Operator {
    private let name: String
    private let rows: Rows
    private var position = 0

    init(_ plan: RowsPlan, context: StatementContext) {
        name = plan.name
        rows = plan.rows
        super.init(columns: plan.columns, context: context)
    }

    override func produce() throws(MartletError) -> Rows? {
        guard position < rows.count else { return nil }
        let end = min(rows.count, position + maximumBatchRows)
        defer { position = end }
        return rows.slice(position..<end)
    }

    override var title: String { "Rows" }
    override var details: [String] { ["\(name): \(rows.count) rows"] }
}

/// The most rows in one batch.
let maximumBatchRows = 8192

/// Rows for which a condition is true.
final class FilterOperator: Operator {
    private let input: Operator
    private let condition: BoundExpression
    private let evaluator: Evaluator

    init(_ input: Operator, _ condition: BoundExpression) {
        self.input = input
        self.condition = condition
        evaluator = Evaluator.make(condition, context: input.context.evaluators)
        super.init(columns: input.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        while let rows = try input.next() {
            let selection = try evaluator.select(rows)
            if !selection.isEmpty { return rows.filtered(selection) }
        }
        return nil
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Filter" }
    override var details: [String] { [ExpressionText.of(condition, columns: input.columns.map(\.name))] }
}

/// Expressions over each row.
final class ProjectOperator: Operator {
    private let input: Operator
    private let expressions: [BoundExpression]
    private let evaluators: [Evaluator]

    init(_ input: Operator, _ expressions: [BoundExpression], _ columns: [ColumnDescription]) {
        self.input = input
        self.expressions = expressions
        evaluators = expressions.map { Evaluator.make($0, context: input.context.evaluators) }
        super.init(columns: columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        guard let rows = try input.next() else { return nil }
        var columns: [Column] = []
        columns.reserveCapacity(evaluators.count)
        for evaluator in evaluators { columns.append(try evaluator.evaluate(rows)) }
        return Rows(count: rows.count, columns: columns)
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Project" }
    override var details: [String] {
        let names = input.columns.map(\.name)
        return [expressions.map { ExpressionText.of($0, columns: names) }.joined(separator: ", ")]
    }
}

/// LIMIT and OFFSET.
final class LimitOperator: Operator {
    private let input: Operator
    private let count: Int?
    private let skip: Int
    private var skipped = 0
    private var given = 0

    init(_ input: Operator, count: Int?, skip: Int) {
        self.input = input
        self.count = count
        self.skip = skip
        super.init(columns: input.columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        while count.map({ given < $0 }) ?? true {
            guard let rows = try input.next() else { return nil }
            var start = 0
            if skipped < skip {
                start = min(rows.count, skip - skipped)
                skipped += start
            }
            let end = count.map { min(rows.count, start + $0 - given) } ?? rows.count
            if end > start {
                given += end - start
                return rows.slice(start..<end)
            }
        }
        return nil
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Limit" }
    override var details: [String] { [(count.map { "\($0) rows" } ?? "all rows") + (skip > 0 ? " after \(skip)" : "")] }
}

/// Rows of one input after the other.
final class UnionOperator: Operator {
    private let sources: [Operator]
    private var position = 0

    init(_ sources: [Operator], columns: [ColumnDescription]) {
        self.sources = sources
        super.init(columns: columns, context: sources[0].context)
    }

    override func produce() throws(MartletError) -> Rows? {
        while position < sources.count {
            if let rows = try sources[position].next() { return rows }
            position += 1
        }
        return nil
    }

    override var inputs: [Operator] { sources }
    override var title: String { "Union" }
}
