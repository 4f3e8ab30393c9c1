import MartletModel

/// Expressions as text, for EXPLAIN.
enum ExpressionText {
    static func of(_ expression: BoundExpression, columns: [String]) -> String {
        let text = { (part: BoundExpression) in of(part, columns: columns) }
        switch expression {
        case .constant(let value, _): return constant(value)
        case .column(let index, _, _): return index < columns.count ? columns[index] : "#\(index)"
        case .call(let function, let arguments, _, _):
            if arguments.count == 2, let first = function.name.unicodeScalars.first, !first.properties.isAlphabetic {
                return "\(text(arguments[0])) \(function.name) \(text(arguments[1]))"
            }
            if arguments.count == 2, function.name == "like" || function.name == "ilike" {
                return "\(text(arguments[0])) \(function.name.uppercased()) \(text(arguments[1]))"
            }
            return "\(function.name)(\(arguments.map(text).joined(separator: ", ")))"
        case .cast(let operand, let type, let isTry, _):
            return "\(isTry ? "TRY_CAST" : "CAST")(\(text(operand)) AS \(type.name))"
        case .and(let parts): return parts.map { wrapped($0, columns) }.joined(separator: " AND ")
        case .or(let parts): return parts.map { wrapped($0, columns) }.joined(separator: " OR ")
        case .not(let operand): return "NOT \(wrapped(operand, columns))"
        case .isNull(let operand, let negated): return "\(text(operand)) IS \(negated ? "NOT " : "")NULL"
        case .isTruth(let operand, let truth, let negated):
            return "\(text(operand)) IS \(negated ? "NOT " : "")\(truth ? "TRUE" : "FALSE")"
        case .inSet(let operand, let set, let negated):
            let values = set.values.prefix(5).map { constant($0) }.sorted().joined(separator: ", ")
            let more = set.values.count > 5 ? ", ... \(set.values.count) values" : ""
            return "\(text(operand)) \(negated ? "NOT " : "")IN (\(values)\(more))"
        case .caseWhen(let branches, let otherwise, _):
            let inner = branches.map { "WHEN \(text($0.when)) THEN \(text($0.then))" }.joined(separator: " ")
            return "CASE \(inner)\(otherwise.map { " ELSE \(text($0))" } ?? "") END"
        case .aggregate(let number, _): return "aggregate \(number)"
        case .window(let number, _): return "window \(number)"
        }
    }

    private static func wrapped(_ part: BoundExpression, _ columns: [String]) -> String {
        let text = of(part, columns: columns)
        switch part {
        case .and, .or: return "(\(text))"
        default: return text
        }
    }

    static func constant(_ value: FieldValue?) -> String {
        switch value {
        case nil: return "NULL"
        case .string(let text)?: return "'\(text.replacing("'", with: "''"))'"
        case .float64(let number)?: return "\(number)"
        case .int64(let number)?: return "\(number)"
        case .uint64(let number)?: return "\(number)"
        case .bool(let flag)?: return flag ? "true" : "false"
        case .timestamp?, .interval?:
            guard let type = value?.type, let column = try? Column(type, [value]),
                let text = try? ColumnKernels.cast(column, to: .string), case .string(let written)? = text.value(at: 0)
            else { return "?" }
            return "\(type.name) '\(written)'"
        }
    }

    static func of(_ aggregate: BoundAggregate, columns: [String]) -> String {
        if aggregate.isCountOfRows && aggregate.filter == nil { return "count(*)" }
        let arguments = aggregate.arguments.map { of($0, columns: columns) }.joined(separator: ", ")
        let filter = aggregate.filter.map { " FILTER (WHERE \(of($0, columns: columns)))" } ?? ""
        return "\(aggregate.name)(\(aggregate.isDistinct ? "DISTINCT " : "")\(arguments))\(filter)"
    }

    static func of(_ key: SortKey, columns: [String]) -> String {
        of(key.expression, columns: columns) + (key.isDescending ? " DESC" : "")
            + (key.nullsFirst ? " NULLS FIRST" : "")
    }
}
