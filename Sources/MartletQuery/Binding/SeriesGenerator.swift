import MartletModel

/// `generate_series(from, to, step)`, which includes the end, and `range(from, to, step)`, which does not: numbers or
/// timestamps in a column of that name.
enum SeriesGenerator {
    static let maximumRows = 10_000_000

    static func rows(
        _ name: Name, _ syntax: [ExpressionSyntax], queries: QueryBinder
    ) throws(MartletError) -> Plan {
        let context = queries.context
        let label = name.text.lowercased()
        let form = "the form is \(label)(from, to, step) with constants, of BIGINT or of TIMESTAMP with an INTERVAL"
        let binder = ExpressionBinder(context, queries: queries, scope: Scope())
        var values: [FieldValue] = []
        for argument in syntax {
            guard case .constant(let value?, _) = try binder.bind(argument, as: .values) else {
                throw context.error(.semantic, form, at: argument.offset)
            }
            values.append(value)
        }
        if values.count == 1, case .int64 = values[0] { values.insert(.int64(0), at: 0) }
        let includesEnd = label == "generate_series"
        var result: [Int64] = []
        var type = ColumnType.int64
        if values.count == 2, case .int64 = values[0] { values.append(.int64(1)) }
        switch (values.first, values.dropFirst().first, values.dropFirst(2).first) {
        case (.int64(let from), .int64(let to), .int64(let width)):
            result = try numbers(from, to, width, includesEnd) { advance($0, width) }
        case (.timestamp(let from), .timestamp(let to), .interval(let step)):
            type = .timestamp
            let sign: Int64 = step.months < 0 || step.days < 0 || step.nanoseconds < 0 ? -1 : 1
            let isZero = step.months == 0 && step.days == 0 && step.nanoseconds == 0
            result = try numbers(from.nanoseconds, to.nanoseconds, isZero ? 0 : sign, includesEnd) {
                IntervalMath.add($0, step)
            }
        default: throw context.error(.semantic, form, at: name.offset)
        }
        return .rows(
            RowsPlan(
                name: label, columns: [ColumnDescription(label, type)],
                rows: Rows(count: result.count, columns: [Column(type, unsafeElements: result)])))

        func advance(_ value: Int64, _ step: Int64) -> Int64? {
            let (next, overflow) = value.addingReportingOverflow(step)
            return overflow ? nil : next
        }

        func numbers(
            _ from: Int64, _ to: Int64, _ direction: Int64, _ includesEnd: Bool, _ next: (Int64) -> Int64?
        ) throws(MartletError) -> [Int64] {
            if direction == 0 { throw context.error(.semantic, "\(label): the step is zero", at: name.offset) }
            var list: [Int64] = []
            var value = from
            while direction > 0
                ? (value < to || (includesEnd && value == to)) : (value > to || (includesEnd && value == to))
            {
                list.append(value)
                if list.count > maximumRows {
                    throw context.error(
                        .outOfRange, "\(label) gives more than \(maximumRows) rows", at: name.offset)
                }
                guard let following = next(value) else { break }
                value = following
            }
            return list
        }
    }
}
